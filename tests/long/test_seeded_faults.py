"""Nothing that was acknowledged is lost and nothing is done twice, whatever dies: by seed, a load of design changes
while services, NATS and PostgreSQL are killed, paused and restarted.

`TEST_SEEDS="7 8" make test-long T=tests/long/test_seeded_faults.py` runs with other seeds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from tests.long.children import marked, orphans, with_mark
from tests.long.load import Customer, History
from tests.long.nemesis import Blow, Nemesis, on_servers, on_services
from tests.long.records import Fact, Records
from tests.long.seeds import fault_seconds, seeds
from tests.long.separate import all_answer, separate_processes
from tests.system.installation import Installation
from tests.system.waiting import until

_CUSTOMERS = 6


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", seeds(1, 2, 3))
async def test_nothing_is_lost_and_nothing_is_done_twice(seed: int, tmp_path: Path) -> None:
    seconds = fault_seconds(45)
    lanes = on_services(seed, seconds), on_servers(seed, seconds)
    history = History()
    with marked() as mark:
        async with separate_processes(tmp_path / "home") as meshery:
            customers = [Customer(n, seed, meshery.running.url, history) for n in range(_CUSTOMERS)]
            nemesis = Nemesis(meshery)
            try:
                await _storm(nemesis, lanes, customers)
                healed = time.monotonic()
                await all_answer(meshery)
                print(
                    f"seed {seed}: all services answered {time.monotonic() - healed:.1f} s after the last fault"
                )
                await _what_was_acknowledged_is_there(meshery, customers, history)
                await _facts_are_told_once(meshery)
                assert history.wrong == [], "nobody should have been told this"
                assert orphans(mark) == [], "processes whose parent died must end"
            except AssertionError as error:
                error.add_note(f"seed {seed}\n" + "\n".join(nemesis.done) + f"\n{history.seen}")
                raise
            finally:
                print(f"seed {seed}: {history.acknowledged} acknowledged, {len(history.unknown)} given up,")
                print(
                    f"  longest wait {history.longest:.1f} s, {len(nemesis.done)} faults, seen {dict(history.seen)}"
                )
        assert with_mark(mark) == [], "processes outlive the installation"


async def _storm(nemesis: Nemesis, lanes: tuple[list[Blow], list[Blow]], customers: list[Customer]) -> None:
    """The load, with blows; at its end every client has been answered."""
    calm = asyncio.Event()
    async with aiohttp.ClientSession() as http, asyncio.timeout(220), asyncio.TaskGroup() as group:
        for one in customers:
            group.create_task(one.work(calm, http))
        await nemesis.deal(*lanes)
        calm.set()


async def _what_was_acknowledged_is_there(
    meshery: Installation, customers: list[Customer], history: History
) -> None:
    async with aiohttp.ClientSession() as http:
        for customer in customers:
            for known in customer.designs:
                await customer.read(http, known)
    async with Records.of(meshery) as records:
        stored = await records.designs()
    made = {one.id: one for customer in customers for one in customer.designs}
    lost = [one for one in made.values() if one.id not in stored]
    assert lost == [], "designs whose creation was acknowledged"
    for design_id, one in made.items():
        found = stored[design_id]
        expected = (one.name, one.version, one.deleted, list(range(1, one.version + 1)))
        seen = (found["name"], found["version"], found["deleted"], found["versions"])
        assert seen == expected, f"name, version, deleted and versions of {design_id}"
    names = Counter(one["name"] for one in stored.values())
    assert [name for name, count in names.items() if count > 1] == [], "designs made twice for one key"
    unexpected = set(names) - {one.name for one in made.values()} - set(history.unknown)
    assert unexpected == set(), "designs that nobody asked for"


async def _facts_are_told_once(meshery: Installation) -> None:
    async with Records.of(meshery) as records:
        await until("no fact waits", records.waiting_facts, lambda waiting: not waiting, seconds=30)
        expected: set[Fact] = set()
        for one in (await records.designs()).values():
            expected |= {(one["id"], "update" if n > 1 else "create", n) for n in one["versions"]}
            if one["deleted"]:
                expected.add((one["id"], "delete", 0))

        async def differences() -> tuple[list[Fact], list[Fact]]:
            told = await records.design_events()
            twice = [fact for fact, count in told.items() if count > 1]
            return sorted(expected - set(told)), sorted([*(set(told) - expected), *twice])

        await until(
            "each save and deletion is told once (first what is missing, then what is too much)",
            differences,
            lambda found: found == ([], []),
            seconds=30,
        )
        assert await records.other_events() == [], "events that tell of errors"
