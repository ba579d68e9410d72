"""Whatever happens to a cluster, to the way to it and to everything that looks at it: the picture becomes the cluster.

By seed: ConfigMaps of several namespaces are made, changed, deleted and made again while services, NATS, PostgreSQL,
MeshSync and the API server are hit; a while after the last blow there is not one difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.long.children import marked, orphans, with_mark
from tests.long.clusters import Changer, ClusterFaults, Picture, connect
from tests.long.nemesis import Nemesis, on_servers, on_services
from tests.long.seeds import fault_seconds, seeds
from tests.long.separate import all_answer, separate_processes
from tests.system.waiting import until

from meshery_kube import Client
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.faults import FaultProxy

_QUIET_SECONDS = 60.0
_KINDS = {"meshsync": 3, "reset": 2, "refuse": 3, "freeze": 2, "api-server": 1}


@pytest.mark.long
@pytest.mark.timeout(400, func_only=True)
@pytest.mark.parametrize("seed", seeds(1, 2))
async def test_the_picture_becomes_the_cluster(
    seed: int,
    sandbox_cluster: ClusterForTests,
    fault_proxy: FaultProxy,
    kube: Client,
    namespaces: Callable[[], Awaitable[str]],
    tmp_path: Path,
) -> None:
    seconds = fault_seconds(45)
    changer = Changer(kube, [await namespaces() for _ in range(3)], seed)
    with marked() as mark:
        async with separate_processes(tmp_path / "home") as meshery:
            await connect(meshery, fault_proxy.kubeconfig)
            picture = Picture(kube, meshery)
            await picture.equal(seconds=60)
            faults = ClusterFaults(sandbox_cluster, fault_proxy, mark)
            nemesis = Nemesis(meshery, faults.kinds)
            try:
                calm = asyncio.Event()
                async with asyncio.TaskGroup() as group:
                    group.create_task(changer.work(calm))
                    await nemesis.deal(
                        on_services(seed, seconds, ("inventory", "connections", "events")),
                        on_servers(seed, seconds),
                        faults.lane(seed, seconds, _KINDS),
                    )
                    await fault_proxy.clear()
                    calm.set()
                count, took = await picture.equal(seconds=_QUIET_SECONDS)
                print(
                    f"seed {seed}: {changer.changes} changes, {len(nemesis.done)} faults; "
                    f"{count} objects equal {took:.1f} s after the last"
                )
                await all_answer(meshery)
                await meshery.forget("inventory")
                count, took = await picture.equal(seconds=90)
                print(f"seed {seed}: {count} objects again {took:.1f} s after all tables were dropped")
                assert count > 100, "the cluster is not empty"
                assert orphans(mark) == [], "processes whose parent died must end"
            except AssertionError as error:
                error.add_note(f"seed {seed}\n" + "\n".join(nemesis.done))
                raise

        async def left() -> list[str]:
            return [one.command for one in with_mark(mark)]

        await until("no process outlives the installation", left, lambda found: not found, seconds=10)
