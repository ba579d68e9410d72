"""Connections to a real cluster: registration, states, health."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
import pytest
import yaml

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.settings import ConnectionsSettings
from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import ConnectionId, ConnectionStatus, RegisterKubeconfig, SetStatus
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.nats import People

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
Ask = Callable[..., Awaitable[Any]]


async def test_a_cluster_is_connected_once_however_often_it_is_uploaded(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests, connection_id: UUID, database: Database
) -> None:
    reply = await ask(
        contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig), caller
    )
    assert [one.connection_id for one in reply.connected_contexts] == [connection_id]
    context = await ask(contract.GET_CONTEXT, ConnectionId(connection_id=connection_id), caller)
    assert context.id == str(connection_id)
    assert context.version.startswith("v1.")
    assert UUID(context.kubernetes_server_id).version == 4
    assert context.reachable
    assert context.auth["username"]
    pong = await ask(contract.PING, ConnectionId(connection_id=connection_id), caller)
    assert pong.server_version == context.version
    facts = [
        orjson.loads(bytes(row["payload"]))
        for row in await database.fetch(EVERY_ORGANIZATION, "select payload from outbox order by id")
    ]
    assert [(one["status"], one["action"]) for one in facts] == [
        ("connected", "connect"),
        ("connected", "update"),
    ]


class TestWithoutChecks:
    """Nothing looks at the cluster meanwhile and finds that it answers."""

    @pytest.fixture
    def settings(self, settings: ConnectionsSettings) -> ConnectionsSettings:
        return settings.model_copy(update={"health_check_seconds": 3600})

    async def test_the_same_upload_again_changes_nothing_that_is_at_work(
        self,
        ask: Ask,
        caller: Caller,
        sandbox_cluster: ClusterForTests,
        connection_id: UUID,
        database: Database,
    ) -> None:
        async def upload(kubeconfig: str, **options: str) -> int:
            """The revision afterwards: with it begin new clients, and a new watch."""
            request = RegisterKubeconfig(kubeconfig=kubeconfig, **options)
            reply = await ask(contract.REGISTER_KUBECONFIG, request, caller)
            assert [one.connection_id for one in reply.connected_contexts] == [connection_id]
            return int(
                await database.fetchval(
                    EVERY_ORGANIZATION, "select revision from connections where id = $1", connection_id
                )
            )

        sealed = "select sealed from credentials"
        before = await database.fetchval(EVERY_ORGANIZATION, sealed)
        first = await upload(sandbox_cluster.kubeconfig)
        assert await upload(sandbox_cluster.kubeconfig) == first == 1
        assert await database.fetchval(EVERY_ORGANIZATION, sealed) == before
        document = yaml.safe_load(sandbox_cluster.kubeconfig)
        document["contexts"][0]["context"]["namespace"] = "kube-system"
        assert await upload(yaml.safe_dump(document)) == first + 1
        assert await upload(yaml.safe_dump(document), meshsync_mode="operator") == first + 2
        # One that is thought to be away is tried anew at once. The keeper that has just begun looks at it, too, and may
        # find before us that it answers.
        revision = first + 2
        while revision == first + 2:
            await database.execute(EVERY_ORGANIZATION, "update connections set reachable = false")
            revision = await upload(yaml.safe_dump(document), meshsync_mode="operator")
        assert revision == first + 3
        # As is one whose credential opens no more: this is what its error tells people to do.
        await database.execute(
            EVERY_ORGANIZATION, "update credentials set sealed = sealed || ''::bytea || '\\x00'"
        )
        assert await upload(yaml.safe_dump(document), meshsync_mode="operator") == first + 4
        pong = await ask(contract.PING, ConnectionId(connection_id=connection_id), caller)
        assert pong.server_version.startswith("v1.")


async def test_two_ways_into_one_cluster_are_one_connection(
    ask: Ask, caller: Caller, people: People, sandbox_cluster: ClusterForTests
) -> None:
    document = yaml.safe_load(sandbox_cluster.kubeconfig)
    document["contexts"].append({"name": "second", "context": dict(document["contexts"][0]["context"])})
    request = RegisterKubeconfig(kubeconfig=yaml.safe_dump(document))
    reply = await ask(contract.REGISTER_KUBECONFIG, request, caller)
    assert [one.name for one in reply.connected_contexts] == ["sandbox"]
    assert reply.refused[0].name == "second"
    assert reply.refused[0].problem.code == "cluster_connected"
    # Alone, the second is the way in from now on; the answer names it as the file does, which mesheryctl looks for.
    again = await ask(
        contract.REGISTER_KUBECONFIG, request.model_copy(update={"contexts": ["second"]}), caller
    )
    (second,) = again.connected_contexts
    assert (second.name, second.connection_id) == ("second", reply.connected_contexts[0].connection_id)
    # Somebody else's upload of the same cluster does not touch what is not his.
    other = people.caller(organization_id=caller.organization_id)
    theirs = await ask(
        contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig), other
    )
    assert theirs.connected_contexts[0].connection_id != reply.connected_contexts[0].connection_id


async def test_a_connection_goes_through_its_states(ask: Ask, caller: Caller, connection_id: UUID) -> None:
    async def move(status: ConnectionStatus) -> ConnectionStatus:
        moved = await ask(contract.SET_STATUS, SetStatus(connection_id=connection_id, status=status), caller)
        found: ConnectionStatus = moved.status
        return found

    assert await move(ConnectionStatus.DISCONNECTED) is ConnectionStatus.DISCONNECTED
    assert await move(ConnectionStatus.CONNECTED) is ConnectionStatus.CONNECTED
    assert await move(ConnectionStatus.IGNORED) is ConnectionStatus.IGNORED
    assert await move(ConnectionStatus.REGISTERED) is ConnectionStatus.CONNECTED
    assert await move(ConnectionStatus.CONNECTED) is ConnectionStatus.CONNECTED


async def test_an_unreachable_cluster_stays_connected_and_says_so(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests, connection_id: UUID
) -> None:
    async def until(reachable: bool) -> dict[str, Any]:
        while True:
            found = await ask(contract.GET, ConnectionId(connection_id=connection_id), caller)
            assert found.status is ConnectionStatus.CONNECTED
            if found.metadata["reachable"] is reachable and found.metadata["health"]["status"] != "unknown":
                health: dict[str, Any] = found.metadata["health"]
                return health
            await asyncio.sleep(0.1)

    assert (await until(True))["status"] == "answers"
    await sandbox_cluster.kill_api_server()
    try:
        assert (await until(False))["status"] in ("unreachable", "timeout")
    finally:
        await sandbox_cluster.start_api_server()
    assert (await until(True))["status"] == "answers"


async def test_the_registry_learns_the_cluster_once(
    ask: Ask, caller: Caller, connection_id: UUID, learned: list[Any]
) -> None:
    while True:
        found = await ask(contract.GET, ConnectionId(connection_id=connection_id), caller)
        if found.metadata["components"].get("status") == "registered":
            break
        await asyncio.sleep(0.1)
    versions = [one.group_version for one in learned]
    assert len(versions) == len(set(versions))
    assert {"v1", "apps/v1"} <= set(versions)
    apps = next(one for one in learned if one.group_version == "apps/v1")
    assert "Deployment" in apps.namespaced_kinds
    assert not apps.custom
    assert "components" in orjson.loads(apps.document)
