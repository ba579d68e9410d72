"""From a real API server to rows: whatever breaks in between, the picture becomes the cluster again.

The measure is the difference between a list of the whole cluster and the rows: kind, namespace, name, uid,
resourceVersion and labels of every object.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from pydantic import SecretStr

from meshery_common.database import EVERY_ORGANIZATION, Database, DatabaseSettings
from meshery_contracts.discovery import Resync, Unwatch, Watch, WatchReport, WatchStatus
from meshery_inventory import app as inventory
from meshery_inventory.settings import InventorySettings
from meshery_kube import AddressPolicy
from meshery_kube.clients import Client
from meshery_kube.errors import KubeError, NotFound
from meshery_kube.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Kind
from meshery_kube.kubeconfigs import UploadPolicy, self_contained, uploaded_kubeconfig
from meshery_kube.transports import Call, ClientSettings
from meshery_meshsync import app as meshsync
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.service import Agent
from meshery_meshsync.settings import MeshsyncSettings
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests
from meshery_testkit.postgres import DatabaseFactory

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

MIGRATIONS = files("meshery_inventory") / "migrations"
ALL = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=ALL)
SECRET = Kind("", "v1", "Secret", "secrets", namespaced=True, verbs=ALL)
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True, verbs=ALL)
TOKEN = "hunter2-the-very-secret-value"
#: What a person would call at once; the machine that runs the tests is busy.
SECONDS = 30.0

Key = tuple[str, str, str, str]
Fingerprint = tuple[str, str, str]


@dataclass
class World:
    """A cluster, an agent, NATS, inventory and PostgreSQL; the agent and inventory can be ended and begun."""

    kube: Client
    nats: NATSForTests
    database: DatabaseSettings
    db: Database
    kubeconfig: str
    namespace: str
    connection_id: UUID = field(default_factory=uuid4)
    organization_id: UUID = field(default_factory=uuid4)
    reports: list[WatchReport] = field(default_factory=list)
    _inventory: AsyncExitStack = field(default_factory=AsyncExitStack)
    _agent: AsyncExitStack = field(default_factory=AsyncExitStack)
    agent: Agent | None = None

    async def start_inventory(self) -> None:
        settings = InventorySettings(database=self.database, bus=self.nats.bus_settings("inventory"))
        await self._inventory.enter_async_context(hosted(inventory.running(settings)))

    async def stop_inventory(self) -> None:
        await self._inventory.aclose()
        self._inventory = AsyncExitStack()

    async def start_agent(self, **changes: Any) -> None:
        settings = MeshsyncSettings(bus=self.nats.bus_settings("meshsync"), **changes)

        @asynccontextmanager
        async def obeying() -> AsyncIterator[None]:
            async with meshsync.running(settings, self.reports.append) as self.agent:
                yield

        await self._agent.enter_async_context(hosted(obeying()))
        assert self.agent is not None
        await self.agent.obey(self.watch())

    async def stop_agent(self) -> None:
        await self._agent.aclose()
        self._agent = AsyncExitStack()

    def watch(self) -> Watch:
        return Watch(
            connection_id=self.connection_id,
            organization_id=self.organization_id,
            kubeconfig=SecretStr(self.kubeconfig),
            allow_loopback=True,
            digest_key=SecretStr("key of this installation"),
        )

    # --- the measure --------------------------------------------------------------------------------------

    async def in_cluster(self) -> dict[Key, Fingerprint]:
        found: dict[Key, Fingerprint] = {}
        for kind in (await self.kube.discovery.refresh()).watchable():
            if kind.plural in ("leases", "events"):
                continue
            try:
                async for one in self.kube.objects.list(kind):
                    metadata = one["metadata"]
                    key = (kind.api_version, kind.kind, metadata.get("namespace", ""), metadata["name"])
                    found[key] = (metadata["uid"], metadata["resourceVersion"], _text(metadata.get("labels")))
            except NotFound:
                continue  # a kind that is just going
        return found

    async def in_rows(self) -> dict[Key, Fingerprint]:
        rows = await self.db.fetch(
            EVERY_ORGANIZATION,
            "select api_version, kind, namespace, name, uid, resource_version, labels from resources",
        )
        return {tuple(row)[:4]: (row["uid"], row["resource_version"], _text(row["labels"])) for row in rows}

    async def difference(self) -> list[str]:
        cluster, rows = await self.in_cluster(), await self.in_rows()
        return [f"{key}: cluster {cluster.get(key)}, rows {rows.get(key)}" for key in cluster.keys() | rows.keys()
                if cluster.get(key) != rows.get(key)]  # fmt: skip

    async def converge(self, seconds: float = SECONDS) -> float:
        """Wait for no difference; how long that took."""
        started = time.monotonic()
        while True:
            difference = await self.difference()
            if not difference:
                return time.monotonic() - started
            assert time.monotonic() - started < seconds, "\n".join(difference[:20])
            await asyncio.sleep(0.1)

    async def row(self, name: str, kind: str = "ConfigMap") -> dict[str, Any] | None:
        row = await self.db.fetchrow(
            EVERY_ORGANIZATION,
            """
            select r.uid, r.labels, d.rest from resources r join documents d using (resource_id)
            where r.namespace = $1 and r.name = $2 and r.kind = $3
            """,
            self.namespace,
            name,
            kind,
        )
        return dict(row.items()) if row else None

    # --- the cluster --------------------------------------------------------------------------------------

    async def apply(self, name: str, data: dict[str, str] | None = None, **metadata: Any) -> str:
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "data": data or {"a": "1"},
        }
        written = await self.kube.objects.apply(CONFIG_MAP, document, force=True)
        uid: str = written.object["metadata"]["uid"]
        return uid

    async def delete(self, name: str) -> None:
        await self.kube.objects.delete(CONFIG_MAP, name, self.namespace)


def _text(labels: Any) -> str:
    return orjson.dumps(labels or {}, option=orjson.OPT_SORT_KEYS).decode()


@pytest.fixture
async def world(
    nats: NATSForTests, database_for: DatabaseFactory, sandbox_cluster: ClusterForTests
) -> AsyncIterator[World]:
    database = await database_for("inventory", MIGRATIONS)
    context = uploaded_kubeconfig(sandbox_cluster.kubeconfig, UploadPolicy()).context(None)
    namespace = f"discovery-{uuid4().hex[:8]}"
    async with (
        Client(context, ClientSettings(rate=1000, burst=1000), AddressPolicy(allow_loopback=True)) as kube,
        Database.open(database, schema="inventory", migrations=MIGRATIONS) as db,
    ):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await kube.objects.create(NAMESPACE, made)
        one = World(kube, nats, database, db, sandbox_cluster.kubeconfig, namespace)
        try:
            yield one
        finally:
            await one.stop_agent()
            await one.stop_inventory()
            await kube.objects.delete(NAMESPACE, namespace)


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Every frame that an agent sends, with the token of its kind."""
    sent: list[tuple[str, bytes]] = []
    publish = InventoryClient.publish

    async def recording(
        self: InventoryClient, connection_id: UUID, token: str, position: int, frame: bytes
    ) -> None:
        sent.append((token, frame))
        await publish(self, connection_id, token, position, frame)

    monkeypatch.setattr(InventoryClient, "publish", recording)
    return sent


async def test_what_is_added_changed_and_removed(world: World) -> None:
    await world.apply("before")
    await world.start_inventory()
    await world.start_agent()
    await world.converge()
    await world.apply("added", labels={"app": "a", "tier": "web"})
    await world.apply("before", {"a": "2"})
    await world.converge(10)
    await world.apply("added", labels={"app": "b"})
    await world.delete("before")
    await world.converge(10)
    row = await world.row("added")
    assert row is not None
    assert row["labels"] == {"app": "b"}, "labels are replaced, not merged"
    assert world.reports[-1].status is WatchStatus.SYNCED
    assert world.reports[-1].kinds > 40


async def test_made_again_under_the_same_name(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    former = await world.apply("again")
    await world.converge()
    await world.delete("again")
    uid = await world.apply("again", {"b": "2"})
    assert uid != former
    await world.converge(10)
    row = await world.row("again")
    assert row is not None
    assert row["uid"] == uid


async def test_a_kind_that_comes_and_goes(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.converge()
    group = f"g{uuid4().hex[:6]}.example.com"
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    await world.kube.objects.create(CUSTOM_RESOURCE_DEFINITION, definition)
    widget = Kind(group, "v1", "Widget", "widgets", namespaced=True, verbs=ALL)
    manifest = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w1", "namespace": world.namespace},
        "spec": {"size": 3},
    }
    async with asyncio.timeout(20):
        while True:
            try:
                await world.kube.objects.create(widget, manifest)
                break
            except KubeError:
                await asyncio.sleep(0.2)
    await world.converge()
    assert await world.row("w1", "Widget") is not None
    await world.kube.objects.delete(CUSTOM_RESOURCE_DEFINITION, f"widgets.{group}")
    await world.converge()
    assert await world.row("w1", "Widget") is None


async def test_the_agent_was_away(world: World, frames: list[tuple[str, bytes]]) -> None:
    await world.start_inventory()
    for number in range(20):
        await world.apply(f"c{number}")
    await world.start_agent()
    await world.converge()
    await world.stop_agent()
    await world.apply("c0", {"a": "changed"}, labels={"x": "y"})
    await world.delete("c1")
    await world.apply("new")
    frames.clear()
    await world.start_agent()
    await world.converge()
    tokens = {token for token, _ in frames}
    assert "configmaps_v1_core" in tokens
    assert len(tokens) < 5, "only kinds that differ are sent anew"


async def test_inventory_was_away(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.apply("kept")
    await world.converge()
    await world.stop_inventory()
    await world.apply("kept", {"a": "changed"})
    await world.apply("new")
    await world.delete("kept")
    await world.start_inventory()
    await world.converge()


async def test_nats_was_away(world: World) -> None:
    await world.start_inventory()
    await world.start_agent(waiting_bytes=20_000)
    await world.apply("kept")
    await world.converge()
    await world.nats.server.kill()
    for number in range(100):
        await world.apply(f"meanwhile-{number}", {"pad": "x" * 2000})
    await world.delete("kept")
    await asyncio.sleep(2)
    await world.nats.server.restart()
    await world.converge()


async def test_the_tables_were_dropped(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.apply("kept")
    await world.converge()
    await world.stop_inventory()
    assert world.database.owner_url is not None
    owner = await asyncpg.connect(world.database.owner_url.get_secret_value())
    await owner.execute("drop table inventory.resources, inventory.kinds, inventory.clusters")
    await owner.close()
    await world.start_inventory()
    await world.converge()


async def test_the_api_server_was_away(world: World, sandbox_cluster: ClusterForTests) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.apply("kept")
    await world.converge()
    await sandbox_cluster.restart_api_server()
    await world.apply("new")
    await world.delete("kept")
    await world.converge(60)


async def test_a_resync_and_an_end(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.converge()
    await world.db.execute(EVERY_ORGANIZATION, "delete from resources where kind = 'Namespace'")
    assert world.agent is not None
    await world.agent.obey(Resync(connection_id=world.connection_id))
    await world.converge()
    await world.agent.obey(Unwatch(connection_id=world.connection_id))
    assert world.reports[-1].status is WatchStatus.ENDED


async def test_a_storm_of_everything(world: World) -> None:
    await world.start_inventory()
    await world.start_agent()
    await world.converge()

    async def stir(number: int) -> None:
        for turn in range(15):
            await world.apply(f"s{number}", {"a": str(turn)}, labels={"turn": str(turn)})
            if turn % 4 == 3:
                await world.delete(f"s{number}")

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(stir(number))
        await asyncio.sleep(0.3)
        await world.nats.server.kill()
        await asyncio.sleep(0.5)
        await world.nats.server.restart()
        await asyncio.sleep(2)
        await world.stop_inventory()
        await world.start_inventory()
        await world.stop_agent()
        await world.start_agent()
    await world.converge()


async def test_secret_values_are_in_no_frame_and_no_row(
    world: World, frames: list[tuple[str, bytes]]
) -> None:
    await world.start_inventory()
    encoded = base64.b64encode(TOKEN.encode()).decode()
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "namespace": world.namespace,
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"t":"{encoded}"}}}}'
            },
        },
        "stringData": {"token": TOKEN},
    }
    await world.kube.objects.create(SECRET, manifest)
    await world.start_agent()
    await world.converge()
    before = await world.row("s", "Secret")
    assert before is not None
    assert orjson.loads(before["rest"])["data"]["token"].startswith("digest:")
    changed = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": world.namespace}}
    await world.kube.objects.apply(SECRET, {**changed, "stringData": {"token": TOKEN + "!"}}, force=True)
    await world.converge(10)
    after = await world.row("s", "Secret")
    assert after is not None
    assert after["rest"] != before["rest"], "drift of a secret shows"
    seen = b"".join(payload for _, payload in frames)
    assert b'"name":"s"' in seen
    assert TOKEN.encode() not in seen
    assert encoded[:-4].encode() not in seen
    rows = await world.db.fetch(EVERY_ORGANIZATION, "select d::text as whole from documents d")
    assert not any(TOKEN in row["whole"] or encoded[:-4] in row["whole"] for row in rows)


async def test_a_kind_that_may_not_be_listed_is_reported(world: World) -> None:
    account = {"metadata": {"name": "reader", "namespace": world.namespace}}
    await world.kube.objects.create(
        SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", **account}
    )
    role = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False, verbs=ALL)
    binding = Kind(
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        namespaced=False,
        verbs=ALL,
    )
    name = f"reader-{world.namespace}"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    await world.kube.objects.create(
        role,
        {"apiVersion": role.api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
    )
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": world.namespace}
    reference = {"apiGroup": role.group, "kind": "ClusterRole", "name": name}
    await world.kube.objects.create(
        binding,
        {
            "apiVersion": role.api_version,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": reference,
            "subjects": [subject],
        },
    )
    path = SERVICE_ACCOUNT.object_path("reader", world.namespace, "token")
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    reply = await world.kube.transport.request(Call("POST", path, body=body))
    token = orjson.loads(reply.body)["status"]["token"]
    world.kubeconfig = self_contained(world.kube.transport.context, token=token)
    await world.apply("seen")
    await world.start_inventory()
    await world.start_agent()
    async with asyncio.timeout(30):
        while not world.reports or world.reports[-1].status is not WatchStatus.FORBIDDEN:
            await asyncio.sleep(0.1)
    report = world.reports[-1]
    assert "secrets_v1_core" in report.forbidden
    assert "configmaps_v1_core" not in report.forbidden
    assert report.cluster_id == "", "kube-system may not be read"
    assert await world.row("seen") is not None
    rows = await world.in_rows()
    assert {key[1] for key in rows} == {"ConfigMap"}
    await world.kube.objects.delete(binding, name)
    await world.kube.objects.delete(role, name)
