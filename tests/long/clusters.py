"""A connected cluster under the long tests: what is in it, what the inventory shows of it, and what can befall it."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from tests.long.children import kill_by_command
from tests.long.nemesis import Blow
from tests.long.records import Records
from tests.system.installation import Installation
from tests.system.waiting import until

from meshery_kube import Client, Selection
from meshery_kube.errors import Conflict, KubeError, NotFound
from meshery_kube.kinds import Kind
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.faults import Drop, ErrorEvent, Reset, Slow, expired, too_many, unavailable
from meshery_testkit.faults.proxy import FaultProxy

_ALL = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=_ALL)
_LEFT_OUT = {"leases", "events"}

Key = tuple[str, str, str, str]
Fingerprint = tuple[str, str, str]


async def connect(meshery: Installation, kubeconfig: str) -> str:
    """Connect the cluster of a kubeconfig; gives the connection's id."""

    async def upload() -> Any:
        form = aiohttp.FormData()
        form.add_field("k8sfile", kubeconfig, filename="kubeconfig")
        reply = await meshery.rest().call("POST", "/api/system/kubernetes", form=form)
        return reply["connected_contexts"]

    [context] = await until("the cluster is connected", upload, seconds=60)
    return str(context["connection_id"])


@dataclass
class Picture:
    """The measure: what the cluster has and the inventory lacks, and the other way round."""

    kube: Client
    meshery: Installation

    async def in_cluster(self) -> dict[Key, Fingerprint]:
        """Every object that is watched by default."""
        found: dict[Key, Fingerprint] = {}
        for kind in (await self.kube.discovery.refresh()).watchable():
            if kind.plural in _LEFT_OUT:
                continue
            with suppress(NotFound):
                async with aclosing(self.kube.objects.list(kind, Selection(metadata_only=True))) as objects:
                    async for one in objects:
                        metadata = one["metadata"]
                        key = (kind.api_version, kind.kind, metadata.get("namespace", ""), metadata["name"])
                        labels = _text(metadata.get("labels"))
                        found[key] = (metadata["uid"], metadata["resourceVersion"], labels)
        return found

    async def in_inventory(self) -> dict[Key, Fingerprint]:
        """Every row of the inventory."""
        async with Records.of(self.meshery) as records:
            assert await records.has("inventory.resources"), "the inventory has no tables yet"
            rows = await records.rows(
                "select api_version, kind, namespace, name, uid, resource_version, labels::text as labels"
                " from inventory.resources"
            )
        return {
            (one["api_version"], one["kind"], one["namespace"], one["name"]): (
                one["uid"],
                one["resource_version"],
                _text(orjson.loads(one["labels"] or "{}")),
            )
            for one in rows
        }

    async def equal(self, *, seconds: float) -> tuple[int, float]:
        """Wait until there is no difference; gives the number of objects and how long it took."""
        started = time.monotonic()

        async def differences() -> tuple[int, list[str]]:
            cluster, rows = await self.in_cluster(), await self.in_inventory()
            return len(cluster), [
                f"{key}: cluster {cluster.get(key)}, inventory {rows.get(key)}"
                for key in sorted(cluster.keys() | rows.keys())
                if cluster.get(key) != rows.get(key)
            ][:10]

        count, _ = await until(
            "the inventory equals the cluster",
            differences,
            lambda found: not found[1],
            seconds=seconds,
            pause=0.5,
        )
        return count, time.monotonic() - started


@dataclass
class Changer:
    """Somebody who changes ConfigMaps all the time."""

    kube: Client
    namespaces: list[str]
    seed: int
    names: int = 40
    changes: int = 0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"changer {self.seed}")

    async def work(self, calm: asyncio.Event) -> None:
        """Until told to stop; what the API server refuses or does not answer is not asked again."""
        while not calm.is_set():
            with suppress(KubeError, OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await self._change()
                    self.changes += 1
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))

    async def _change(self) -> None:
        namespace = self._chance.choice(self.namespaces)
        name = f"c{self._chance.randrange(self.names)}"
        deed = self._chance.choices(("apply", "label", "delete", "again"), (5, 3, 2, 2))[0]
        if deed in ("delete", "again"):
            with suppress(NotFound):
                await self.kube.objects.delete(CONFIG_MAP, name, namespace)
        if deed != "delete":
            labels = {"n": str(self._chance.randrange(100))} if deed == "label" else {}
            with suppress(Conflict):
                await self.kube.objects.apply(
                    CONFIG_MAP, config_map(namespace, name, str(self._chance.random()), labels), force=True
                )


def config_map(namespace: str, name: str, value: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A ConfigMap with one value."""
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


class ClusterFaults:
    """What can befall the way to a cluster, as kinds of blows."""

    def __init__(self, cluster: ClusterForTests, proxy: FaultProxy, mark: str) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._mark = mark

    @property
    def kinds(self) -> dict[str, Callable[[Blow], Awaitable[Any]]]:
        """For the `Nemesis`."""
        return {
            "api-server": self._api_server,
            "reset": self._reset,
            "freeze": self._freeze,
            "refuse": self._refuse,
            "meshsync": self._meshsync,
        }

    def lane(self, seed: int, seconds: float, kinds: dict[str, int]) -> list[Blow]:
        """Blows of these kinds by weight."""
        chance = random.Random(f"cluster {seed}")
        blows: list[Blow] = []
        total = 0.0
        while total < seconds:
            kind = chance.choices(list(kinds), list(kinds.values()))[0]
            blow = Blow(chance.uniform(0.5, 5.0), kind, "cluster", chance.uniform(0.5, 5.0))
            blows.append(blow)
            total += blow.after + blow.seconds
        return blows

    async def _api_server(self, blow: Blow) -> None:
        await self._cluster.kill_api_server()
        await asyncio.sleep(blow.seconds)
        await self._cluster.start_api_server()

    async def _reset(self, blow: Blow) -> None:
        self._proxy.reset(verb="watch" if blow.seconds < 3 else "")

    async def _freeze(self, blow: Blow) -> None:
        self._proxy.freeze()
        await asyncio.sleep(blow.seconds)
        self._proxy.thaw()

    async def _refuse(self, blow: Blow) -> None:
        faults = (expired(), too_many(1), unavailable(), ErrorEvent(1), Drop(), Reset(200), Slow(0.5, 20_000))
        fault = faults[int(blow.seconds * 1000) % len(faults)]
        for verb in ("watch",) if isinstance(fault, ErrorEvent) else ("list", "watch"):
            self._proxy.inject(fault, verb=verb, times=5)
        self._proxy.reset(verb="watch")
        await asyncio.sleep(blow.seconds)

    async def _meshsync(self, blow: Blow) -> None:
        kill_by_command(self._mark, "meshery_meshsync", signal.SIGKILL)
        await asyncio.sleep(blow.seconds)


def _text(labels: Any) -> str:
    return orjson.dumps(labels or {}, option=orjson.OPT_SORT_KEYS).decode()
