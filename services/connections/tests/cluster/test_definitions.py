"""The custom kinds of a cluster that is not connected."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import clusters, imports
from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import RegisterDefinitions
from meshery_contracts.errors import Forbidden
from meshery_contracts.imports import ImportDefinitions
from meshery_contracts.keys import Key, bits_of
from meshery_testkit.builders import a_crd
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.nats import NATSForTests, People

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]
Ask = Callable[..., Awaitable[Any]]
SCHEMA = {"openAPIV3Schema": {"type": "object", "properties": {"size": {"type": "integer"}}}}
IMPORT = imports.Import(
    id=uuid4(),
    source_kind=imports.SourceKind.FILE,
    source="crds.json",
    dry_run=False,
    status=imports.ImportStatus.PENDING,
    stage=imports.ImportStage.FETCH,
    user_id=uuid4(),
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    updated_at=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
async def imported(
    nats: NATSForTests, learned: list[Any]
) -> AsyncIterator[list[tuple[ImportDefinitions, Caller]]]:
    """What the registry was asked to import, and as whom."""
    asked: list[tuple[ImportDefinitions, Caller]] = []

    async def take(request: ImportDefinitions, caller: Caller) -> imports.Import:
        asked.append((request, caller))
        return IMPORT

    async with Bus.connect(nats.bus_settings("registry"), service="registry") as bus:
        await bus.serve(imports.IMPORT_DEFINITIONS, take)
        yield asked


async def apply(ask: Ask, caller: Caller, connection_id: UUID, group: str) -> None:
    """Have the cluster know a kind of this group."""
    request = clusters.ApplyObjects(connection_id=connection_id, objects=[a_crd(group)])
    assert (await ask(clusters.APPLY_OBJECTS, request, caller)).results[0].problem is None


async def test_crds_are_imported_and_nothing_is_kept(
    ask: Ask,
    caller: Caller,
    connection_id: UUID,
    people: People,
    imported: list[tuple[ImportDefinitions, Caller]],
    sandbox_cluster: ClusterForTests,
    database: Database,
) -> None:
    group = f"g{uuid4().hex[:8]}.example.org"
    await apply(ask, caller, connection_id, group)
    other = people.caller()
    request = RegisterDefinitions(kubeconfig=sandbox_cluster.kubeconfig)
    first = await ask(contract.REGISTER_DEFINITIONS, request, other, idempotency_key="k")
    assert (first.import_id, first.definitions > 0) == (IMPORT.id, True)
    assert await ask(contract.REGISTER_DEFINITIONS, request, other, idempotency_key="k") == first
    ((wish, as_whom),) = imported
    assert (as_whom.user_id, as_whom.organization_id) == (other.user_id, other.organization_id)
    assert wish.file is not None
    found = orjson.loads(gzip.decompress(base64.b64decode(wish.file.content_gzip)))
    assert found["kind"] == "CustomResourceDefinitionList"
    assert len(found["items"]) == first.definitions
    (thing,) = [one for one in found["items"] if one["spec"]["group"] == group]
    assert thing["spec"]["versions"][0]["schema"] == SCHEMA
    assert not {"status"} & set(thing)
    assert "managedFields" not in thing["metadata"]
    kept = "select count(*) from connections where organization_id = $1"
    assert await database.fetchval(EVERY_ORGANIZATION, kept, other.organization_id) == 0


async def test_the_registry_decides_who_may_import(
    ask: Ask,
    caller: Caller,
    people: People,
    connection_id: UUID,
    imported: list[Any],
    sandbox_cluster: ClusterForTests,
) -> None:
    await apply(ask, caller, connection_id, f"g{uuid4().hex[:8]}.example.org")
    request = RegisterDefinitions(kubeconfig=sandbox_cluster.kubeconfig)
    without = people.caller(key_bits=bits_of((Key.ADD_CLUSTER,)))
    with pytest.raises(Forbidden):
        await ask(contract.REGISTER_DEFINITIONS, request, without)
    assert imported == []


async def test_a_connected_cluster_teaches_its_kinds_again(
    ask: Ask,
    caller: Caller,
    connection_id: UUID,
    imported: list[Any],
    learned: list[Any],
    sandbox_cluster: ClusterForTests,
) -> None:
    """An import would be a second model of each."""
    group = f"g{uuid4().hex[:8]}.example.org"
    await apply(ask, caller, connection_id, group)

    async def taught() -> None:
        async with asyncio.timeout(60):
            while not any(one.group_version == f"{group}/v1" for one in learned):
                await asyncio.sleep(0.05)

    await taught()
    learned.clear()
    request = RegisterDefinitions(kubeconfig=sandbox_cluster.kubeconfig)
    reply = await ask(contract.REGISTER_DEFINITIONS, request, caller)
    assert (reply.connection_id, reply.import_id) == (connection_id, None)
    await taught()
    assert imported == []
