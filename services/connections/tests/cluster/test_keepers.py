"""What goes on while a cluster is connected: MeshSync beside it, one keeper over all replicas, new CRDs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.app import running
from meshery_connections.settings import ConnectionsSettings
from meshery_contracts import clusters, discovery
from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import ConnectionId, ConnectionStatus, RegisterKubeconfig, SetStatus
from meshery_testkit.builders import a_crd
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def compared() -> list[discovery.CompareDigests]:
    """What MeshSync has asked inventory to compare."""
    return []


@pytest.fixture
async def settings(
    settings: ConnectionsSettings,
    nats: NATSForTests,
    learned: list[Any],
    compared: list[discovery.CompareDigests],
) -> AsyncIterator[ConnectionsSettings]:
    """With real MeshSync processes, and an inventory that takes whatever they say."""
    sessions = 0

    async def opened(_: discovery.OpenSession, _caller: Caller) -> discovery.Session:
        nonlocal sessions
        sessions += 1
        return discovery.Session(session=sessions, kinds=[])

    async def compare(request: discovery.CompareDigests, _caller: Caller) -> discovery.Comparison:
        compared.append(request)
        return discovery.Comparison()

    async with Bus.connect(nats.bus_settings("inventory"), service="inventory") as bus:
        await bus.streams.ensure_stream(discovery.STREAM, ["meshery.sync.v1.*.*"])
        await bus.serve(discovery.OPEN_SESSION, opened)
        await bus.serve(discovery.COMPARE_DIGESTS, compare)
        yield settings.model_copy(
            update={"run_meshsync": True, "meshsync_bus": nats.bus_settings("meshsync")}
        )


async def seen(ask: Ask, caller: Caller, connection_id: UUID, section: str, *statuses: str) -> dict[str, Any]:
    while True:
        found = await ask(contract.GET, ConnectionId(connection_id=connection_id), caller)
        if found.metadata[section].get("status") in statuses:
            section_found: dict[str, Any] = found.metadata[section]
            return section_found
        await asyncio.sleep(0.05)


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


def children() -> list[int]:
    """Process ids of the MeshSync processes that this process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"meshery_meshsync" in command:
            assert b"PRIVATE KEY" not in command
            found.append(int(folder.name))
    return found


async def test_a_killed_meshsync_comes_back_and_watches_again(
    ask: Ask, caller: Caller, connection_id: UUID
) -> None:
    first = await seen(ask, caller, connection_id, "meshsync", "synced")
    assert first["objects"] > 0
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    again = first
    while again["since"] == first["since"] or again["status"] != "synced":
        again = await seen(ask, caller, connection_id, "meshsync", "synced", "failed", "watching")
        await asyncio.sleep(0.05)
    assert children()
    assert children() != [pid]


async def test_disconnecting_ends_the_watch_and_the_process(
    ask: Ask, caller: Caller, connection_id: UUID
) -> None:
    await seen(ask, caller, connection_id, "meshsync", "synced")
    await ask(
        contract.SET_STATUS,
        SetStatus(connection_id=connection_id, status=ConnectionStatus.DISCONNECTED),
        caller,
    )
    await eventually(lambda: not children())
    found = await ask(contract.GET, ConnectionId(connection_id=connection_id), caller)
    assert found.metadata["meshsync"] == {}


async def test_a_cluster_is_read_anew_when_somebody_wishes_so(
    ask: Ask, caller: Caller, connection_id: UUID, compared: list[discovery.CompareDigests]
) -> None:
    first = await seen(ask, caller, connection_id, "meshsync", "synced")

    def kinds() -> set[str]:
        return {one.token for request in compared for one in request.kinds}

    await eventually(lambda: len(kinds()) == first["kinds"])
    every = kinds()
    compared.clear()
    wish = ConnectionId(connection_id=connection_id)
    assert (await ask(contract.RESYNC, wish, caller)).id == connection_id
    await eventually(lambda: kinds() == every)


async def test_the_agent_of_a_cluster_is_told_to_read_it_anew(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests, nats: NATSForTests
) -> None:
    request = RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig, meshsync_mode="operator")
    reply = await ask(contract.REGISTER_KUBECONFIG, request, caller)
    connection_id = reply.connected_contexts[0].connection_id
    await seen(ask, caller, connection_id, "health", "answers")
    told: list[bytes] = []

    async def tell(message: Any) -> None:
        told.append(message.data)

    async with Bus.connect(nats.bus_settings("meshsync"), service="meshsync") as agent:
        await agent.subscribe("meshery.meshsync.request", tell)
        await ask(contract.RESYNC, ConnectionId(connection_id=connection_id), caller)
        await eventually(lambda: bool(told))
    assert orjson.loads(told[0])["Request"]["Entity"] == "resync-discovery"


async def test_a_wish_that_nobody_heard_is_passed_on_once(
    settings: ConnectionsSettings,
    caller: Caller,
    people: People,
    sandbox_cluster: ClusterForTests,
    nats: NATSForTests,
) -> None:
    told: list[bytes] = []

    async def tell(message: Any) -> None:
        told.append(message.data)

    async with (
        Bus.connect(nats.bus_settings("meshsync"), service="meshsync") as agent,
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as gateway,
    ):
        await agent.subscribe("meshery.meshsync.request", tell)
        request = RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig, meshsync_mode="operator")
        who = people.assertion(caller)
        # It watches nothing.
        async with hosted(running(settings.model_copy(update={"run_meshsync": False}))):
            reply = await gateway.request(contract.REGISTER_KUBECONFIG, request, assertion=who)
            wish = ConnectionId(connection_id=reply.connected_contexts[0].connection_id)
            await gateway.request(contract.RESYNC, wish, assertion=who)
        async with hosted(running(settings)):
            await eventually(lambda: bool(told))
        async with hosted(running(settings)):
            await gateway.request(contract.RESYNC, wish, assertion=who)
            await eventually(lambda: len(told) > 1)
    assert len(told) == 2


async def test_a_restarted_api_server_is_waited_for(
    ask: Ask, caller: Caller, connection_id: UUID, sandbox_cluster: ClusterForTests
) -> None:
    await seen(ask, caller, connection_id, "meshsync", "synced")
    await sandbox_cluster.restart_api_server()
    name = f"after-{uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    request = clusters.ApplyObjects(connection_id=connection_id, objects=[manifest])
    result = (await ask(clusters.APPLY_OBJECTS, request, caller)).results[0]
    assert result.problem is None
    assert (await seen(ask, caller, connection_id, "health", "answers"))["status"] == "answers"


async def test_of_two_replicas_one_keeps_a_cluster(
    ask: Ask, caller: Caller, connection_id: UUID, settings: ConnectionsSettings, database: Database
) -> None:
    await seen(ask, caller, connection_id, "meshsync", "synced")
    async with hosted(running(settings)):
        await asyncio.sleep(2)
        assert len(children()) == 1
    holders = await database.fetchval(
        EVERY_ORGANIZATION, "select fence from leases where name = $1", f"connection {connection_id}"
    )
    assert holders == 1


async def test_a_new_crd_is_registered_as_custom(
    ask: Ask, caller: Caller, connection_id: UUID, learned: list[Any]
) -> None:
    await seen(ask, caller, connection_id, "components", "registered")
    before = len(learned)
    group = f"g{uuid4().hex[:8]}.example.org"
    request = clusters.ApplyObjects(connection_id=connection_id, objects=[a_crd(group)])
    assert (await ask(clusters.APPLY_OBJECTS, request, caller)).results[0].problem is None
    await eventually(lambda: len(learned) > before)
    # Nothing else is sent again.
    (found,) = learned[before:]
    assert (found.group_version, found.custom, found.namespaced_kinds) == (f"{group}/v1", True, ["Thing"])


async def test_only_kinds_whose_objects_are_kept_are_taught(
    ask: Ask, caller: Caller, connection_id: UUID, learned: list[Any]
) -> None:
    await seen(ask, caller, connection_id, "components", "registered")
    taught = {kind for one in learned for kind in (*one.namespaced_kinds, *one.cluster_kinds)}
    assert {"Deployment", "Namespace", "CustomResourceDefinition"} <= taught
    # Questions, orders and looks at something: nobody can design with them, and what ships has none of them.
    assert not taught & {"TokenReview", "SubjectAccessReview", "Binding", "ComponentStatus", "Eviction"}
    assert all(one.namespaced_kinds or one.cluster_kinds for one in learned)


@pytest.mark.parametrize("way", ["connected again", "uploaded again"])
async def test_whoever_connects_a_cluster_again_has_it_teach_all_its_kinds_again(
    ask: Ask,
    caller: Caller,
    connection_id: UUID,
    learned: list[Any],
    sandbox_cluster: ClusterForTests,
    way: str,
) -> None:
    # Somebody may have deleted a model that the cluster taught: only the registry knows.
    await seen(ask, caller, connection_id, "components", "registered")
    taught = {one.group_version for one in learned}
    learned.clear()
    if way == "uploaded again":
        await ask(
            contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig), caller
        )
    else:
        for status in (ConnectionStatus.DISCONNECTED, ConnectionStatus.CONNECTED):
            await ask(contract.SET_STATUS, SetStatus(connection_id=connection_id, status=status), caller)
    await eventually(lambda: {one.group_version for one in learned} >= taught)
