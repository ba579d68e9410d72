"""Inventory over the bus: what agents send, what people read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database, DatabaseSettings
from meshery_contracts import connections, discovery, inventory
from meshery_contracts.caller import Caller
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.discovery import Action, CompareDigests, Entry, EpochEnd, Frame, KindDigest, KindName
from meshery_contracts.errors import Conflict, NotFound, Unauthenticated
from meshery_contracts.inventory import ListResources, ResourceId, ResourcesChanged, Summarize
from meshery_inventory.app import running
from meshery_inventory.settings import InventorySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_inventory") / "migrations"
RECORDED = Path(__file__).parent.parent / "unit/fixtures/go-meshsync-core.jsonl"


async def eventually(check: Callable[[], Awaitable[Any]], seconds: float = 10) -> None:
    """Return when the check holds."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


@dataclass
class Agent:
    """Speaks for a cluster as MeshSync does."""

    bus: Bus
    organization_id: UUID
    connection_id: UUID = field(default_factory=uuid4)
    cluster_id: str = "c1"
    session: int = 0
    position: int = 0

    async def open(self) -> list[str]:
        request = discovery.OpenSession(
            connection_id=self.connection_id, organization_id=self.organization_id, cluster_id=self.cluster_id
        )
        opened = await self.bus.request(discovery.OPEN_SESSION, request)
        self.session = self.position = opened.session
        return opened.kinds

    async def send(
        self, kind: str, *entries: Entry, epoch: bool = False, api_version: str = "v1", **changes: Any
    ) -> None:
        """One frame; `epoch` makes it a whole epoch."""
        self.position += 1
        plural = f"{kind.lower()}s"
        frame = Frame(
            organization_id=self.organization_id,
            cluster_id=self.cluster_id,
            session=self.session,
            position=self.position,
            kind=KindName(api_version=api_version, kind=kind, plural=plural, namespaced=True),
            epoch=self.position if epoch else 0,
            begin=epoch,
            end=EpochEnd(count=len(entries), digest="") if epoch else None,
            objects=list(entries),
        ).model_copy(update=changes)
        token = discovery.kind_token(plural, api_version)
        await self.bus.streams.publish(
            discovery.frame_subject(self.connection_id, token),
            frame.model_dump_json().encode(),
            message_id=discovery.message_id(self.connection_id, self.position),
            headers={},
        )

    async def compare(self, *claims: KindDigest, served: tuple[str, ...] = ()) -> discovery.Comparison:
        return await self.bus.request(
            discovery.COMPARE_DIGESTS,
            CompareDigests(
                connection_id=self.connection_id,
                organization_id=self.organization_id,
                cluster_id=self.cluster_id,
                session=self.session,
                kinds=list(claims),
                served=list(served),
            ),
        )


def set_(name: str, digest: int = 1, *, uid: str = "", kind: str = "Pod", **parts: Any) -> Entry:
    labels = parts.pop("labels", {"app": name})
    metadata = {"name": name, "namespace": "default", "uid": uid or name, "labels": labels}
    document = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}
    return Entry(
        action=Action.SET,
        uid=uid or name,
        resource_version=str(digest),
        digest=f"{digest:016x}",
        object=document,
    )


def drop(uid: str) -> Entry:
    return Entry(action=Action.DROP, uid=uid)


@dataclass
class World:
    """A running inventory, somebody who reads, and an agent that reports."""

    reader: Bus
    agent: Agent
    people: People
    caller: Caller
    database: DatabaseSettings
    settings: InventorySettings
    nats: NATSForTests

    async def listed(self, **wishes: Any) -> list[dict[str, Any]]:
        reply = await self.reader.request(
            inventory.LIST, ListResources(**wishes), assertion=self.people.assertion(self.caller)
        )
        return reply.resources

    async def names(self, **wishes: Any) -> list[str]:
        return [one["metadata"]["name"] for one in await self.listed(**wishes)]

    def showing(self, *names: str, **wishes: Any) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return await self.names(**wishes) == list(names)

        return check

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[list[ResourcesChanged]]:
        """What is told of the organisation meanwhile."""
        told: list[ResourcesChanged] = []

        async def hear(message: Any) -> None:
            told.append(ResourcesChanged.model_validate_json(message.data))

        await self.reader.subscribe(inventory.CHANGED.wildcard(self.caller.organization_id), hear)
        yield told
        await self.reader.unsubscribe(hear)


@pytest.fixture
async def world(nats: NATSForTests, people: People, database_for: DatabaseFactory) -> AsyncIterator[World]:
    database = await database_for("inventory", MIGRATIONS)
    settings = InventorySettings(database=database, bus=nats.bus_settings("inventory"))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(people.serving(nats))
        await stack.enter_async_context(hosted(running(settings)))
        reader = await stack.enter_async_context(Bus.connect(nats.bus_settings("gateway"), service="gateway"))
        meshsync = await stack.enter_async_context(
            Bus.connect(nats.bus_settings("meshsync"), service="meshsync")
        )
        caller = people.caller()
        agent = Agent(meshsync, caller.organization_id)
        await agent.open()
        yield World(reader, agent, people, caller, database, settings, nats)


async def test_an_epoch_is_stored_and_swept(world: World) -> None:
    await world.agent.send("Pod", set_("a"), set_("b"), epoch=True)
    await eventually(world.showing("a", "b"))
    await world.agent.send("Pod", set_("b"), set_("c"), epoch=True)
    await eventually(world.showing("b", "c"))


async def test_changes_are_stored_and_told_after_the_commit(world: World) -> None:
    async with world.changes() as told:
        await world.agent.send("Pod", set_("a"))
        await eventually(world.showing("a"))
        await world.agent.send("Pod", set_("a", 2, labels={"app": "other"}), set_("b", kind="Pod"))
        await eventually(world.showing("a", labels={"app": "other"}))
        await world.agent.send("Pod", drop("b"))

        async def heard() -> bool:
            return any(change.change == "DELETED" for one in told for change in one.changes)

        await eventually(heard)
    heard_changes = [(change.change, change.name) for one in told for change in one.changes]
    assert heard_changes[0] == ("ADDED", "a")
    assert ("MODIFIED", "a") in heard_changes
    assert told[0].connection_id == world.agent.connection_id
    assert await world.names(labels={"app": "a"}) == [], "labels are replaced, not merged"


async def test_an_object_made_again_under_its_name_replaces_the_former_one(world: World) -> None:
    await world.agent.send("Pod", set_("a", uid="u1"))
    await world.agent.send("Pod", drop("u1"), set_("a", 2, uid="u2"))
    await world.agent.send("Pod", drop("u1"))

    async def replaced() -> bool:
        return [one["metadata"]["uid"] for one in await world.listed()] == ["u2"]

    await eventually(replaced)


async def test_a_resource_is_read_whole_and_lists_are_light(world: World) -> None:
    spec = {"containers": [{"name": "c"}]}
    await world.agent.send("Pod", set_("a", spec=spec, status={"phase": "Running"}, data={"k": "v"}))
    await eventually(world.showing("a"))
    (light,) = await world.listed()
    assert "spec" not in light
    assert light["metadata"].get("labels") is None
    (heavy,) = await world.listed(with_spec=True, with_status=True, with_labels=True)
    assert json.loads(heavy["spec"]["attribute"]) == spec
    reply = await world.reader.request(
        inventory.GET, ResourceId(resource_id=light["id"]), assertion=world.people.assertion(world.caller)
    )
    assert json.loads(reply.resource["status"]["attribute"]) == {"phase": "Running"}
    assert json.loads(reply.resource["data"]) == {"k": "v"}


async def test_lists_filter_search_sort_and_page(world: World) -> None:
    await world.agent.send("Pod", *(set_(f"web-{number}") for number in range(5)))
    await world.agent.send("Service", set_("web", kind="Service"))
    await eventually(world.showing(*(f"web-{number}" for number in range(5)), kinds=["Pod"]))
    assert await world.names(search="eb-3") == ["web-3"]
    assert await world.names(kinds=["Service"]) == ["web"]
    assert await world.names(namespaces=["other"]) == []
    assert await world.names(cluster_ids=["c1"], kinds=["Service"]) == ["web"]
    assert await world.names(cluster_ids=["c2"]) == []
    assert await world.names(cluster_ids=[]) == [], "no cluster is not every cluster"
    assert await world.names(connection_ids=[uuid4()]) == []
    assert await world.names(order="name desc", page_size=2, kinds=["Pod"]) == ["web-4", "web-3"]
    first = await world.reader.request(
        inventory.LIST, ListResources(page_size=4), assertion=world.people.assertion(world.caller)
    )
    assert first.total_count == 6
    rest = await world.names(page_size=4, cursor=first.next_cursor)
    assert len(rest) == 2


async def test_a_summary_counts(world: World) -> None:
    await world.agent.send("Pod", set_("a"), set_("b", labels={"app": "a"}), epoch=True)
    await world.agent.send("Namespace", set_("default", kind="Namespace"), epoch=True)
    await eventually(world.showing("a", "b", "default"))
    reply = await world.reader.request(
        inventory.SUMMARIZE, Summarize(), assertion=world.people.assertion(world.caller)
    )
    assert {(one.kind, one.count) for one in reply.kinds} == {("Pod", 2), ("Namespace", 1)}
    assert reply.namespaces == ["default"]
    assert reply.total_count == 3
    assert {"key": "app", "value": "a", "count": 2} in reply.labels


async def test_another_organisation_sees_nothing(world: World) -> None:
    await world.agent.send("Pod", set_("a"))
    await eventually(world.showing("a"))
    (one,) = await world.listed()
    stranger = world.people.assertion(world.people.caller())
    reply = await world.reader.request(inventory.LIST, ListResources(), assertion=stranger)
    assert reply.resources == []
    with pytest.raises(NotFound):
        await world.reader.request(inventory.GET, ResourceId(resource_id=one["id"]), assertion=stranger)
    with pytest.raises(Unauthenticated):
        await world.reader.request(inventory.LIST, ListResources())


async def test_a_comparison_names_what_differs(world: World) -> None:
    pods = "pods_v1_core"
    await world.agent.send("Pod", set_("a", 5), set_("b", 6), epoch=True)
    position = world.agent.position
    await eventually(world.showing("a", "b"))

    def claim(count: int, digest: int, position: int = position) -> KindDigest:
        return KindDigest(token=pods, count=count, digest=f"{digest:016x}", position=position)

    assert (await world.agent.compare(claim(2, 5 ^ 6))).differing == []
    assert (await world.agent.compare(claim(2, 5))).differing == [pods]
    assert (await world.agent.compare(claim(1, 5 ^ 6))).differing == [pods]
    behind = await world.agent.compare(claim(2, 5 ^ 6, position + 1))
    assert (behind.differing, behind.pending, behind.position) == ([], [pods], position)
    unknown = KindDigest(token="new", count=0, digest="0" * 16)
    assert (await world.agent.compare(unknown)).differing == []
    await world.agent.compare(served=("other_v1_core",))
    assert await world.names() == [], "kinds that the cluster no longer serves are dropped"


async def test_a_new_session_ends_the_one_before(world: World) -> None:
    former = Agent(world.agent.bus, world.agent.organization_id, world.agent.connection_id)
    former.session, former.position = world.agent.session, world.agent.position
    await former.send("Pod", set_("a"))
    await eventually(world.showing("a"))
    assert await world.agent.open() == ["pods_v1_core"]
    await former.send("Pod", set_("late"))
    await world.agent.send("Pod", set_("b"))
    await eventually(world.showing("a", "b"))
    with pytest.raises(Conflict):
        await former.compare()


async def test_an_agent_speaks_for_its_own_connections_only(world: World) -> None:
    thief = Agent(world.agent.bus, uuid4(), world.agent.connection_id)
    with pytest.raises(Conflict):
        await thief.open()


async def fact(world: World, status: ConnectionStatus, **metadata: Any) -> None:
    """Connections tells something about the agent's connection."""
    one = ConnectionFact(
        organization_id=world.caller.organization_id,
        occurred_at=datetime.now(UTC),
        category="connection",
        action="update",
        description="",
        connection_id=world.agent.connection_id,
        name="c",
        kind="kubernetes",
        status=status,
        metadata=metadata,
    )
    async with Bus.connect(world.nats.bus_settings("connections"), service="connections") as bus:
        await bus.streams.ensure_own_stream()
        subject = connections.CHANGED.subject_for(one.organization_id, one.connection_id)
        await bus.streams.publish(
            subject, one.model_dump_json().encode(), message_id=str(uuid4()), headers={}
        )


async def test_a_deleted_connection_takes_its_picture_with_it(world: World) -> None:
    await world.agent.send("Pod", set_("a"))
    await eventually(world.showing("a"))
    await fact(world, ConnectionStatus.DELETED)
    await eventually(world.showing())
    await world.agent.send("Pod", set_("b"))
    with pytest.raises(NotFound):
        await world.agent.open()
    assert await world.names() == []


async def test_frames_of_a_go_meshsync_are_taken(world: World) -> None:
    lines = RECORDED.read_text().splitlines()
    cluster_id = json.loads(lines[0])["Object"]["cluster_id"]
    world.agent.connection_id = uuid4()
    await fact(
        world,
        ConnectionStatus.CONNECTED,
        kubernetes_server_id=cluster_id,
        meshsync_deployment_mode="operator",
    )

    async def known() -> bool:
        await world.agent.bus.publish("meshery.meshsync.core", lines[0].encode())
        return await world.names() == ["kubernetes"]

    await eventually(known)
    for line in lines:
        await world.agent.bus.publish("meshery.meshsync.core", line.encode())
    present = {
        json.loads(line)["Object"]["metadata"]["name"]
        for line in lines
        if '"EventType":"DELETED"' not in line
    }

    async def stored() -> bool:
        return set(await world.names()) >= present - {"cm1"}

    await eventually(stored)
    (web,) = await world.listed(kinds=["Deployment"], with_spec=True)
    assert json.loads(web["spec"]["attribute"])["selector"]
    assert web["cluster_id"] == cluster_id


async def test_dropped_tables_come_back_and_take_the_running_session(world: World) -> None:
    await world.agent.send("Pod", set_("a"))
    await eventually(world.showing("a"))
    async with (
        Database.open(world.database, schema="inventory", migrations=MIGRATIONS) as db,
        db.transaction(EVERY_ORGANIZATION) as tx,
    ):
        await tx.execute("delete from resources")
        await tx.execute("delete from documents")
        await tx.execute("delete from kinds")
        await tx.execute("delete from clusters")
    await world.agent.send("Pod", set_("b"))
    await eventually(world.showing("b"))
    claim = KindDigest(token="pods_v1_core", count=2, digest="0" * 16, position=world.agent.position)
    assert (await world.agent.compare(claim)).differing == ["pods_v1_core"]
