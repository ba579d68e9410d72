"""The laptop mode from its start to its end, as a person at a terminal has it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from functools import partial

import aiohttp
import pytest

from meshery_testkit.installations import Installation, Installations

pytestmark = pytest.mark.timeout(180)

#: Eight interpreters a start: the same story in separate processes is for the long run.
MODES = pytest.mark.parametrize(
    "separate", ["false", pytest.param("true", marks=pytest.mark.long)], ids=["one-process", "separate"]
)


async def save(running: Installation, name: str) -> str:
    """Save a design; its id once it was acknowledged."""
    body = {"pattern_data": {"name": name, "pattern_file": f'{{"name": "{name}", "components": []}}'}}
    async with (
        aiohttp.ClientSession(running.url, raise_for_status=True) as session,
        session.post("/api/pattern", json=body) as reply,
    ):
        return str((await reply.json())[0]["id"])


async def names(running: Installation) -> set[str]:
    """The names of all designs."""
    async with (
        aiohttp.ClientSession(running.url, raise_for_status=True) as session,
        session.get("/api/pattern?pagesize=100") as reply,
    ):
        return {one["name"] for one in (await reply.json())["patterns"]}


def assert_clean(running: Installation) -> None:
    """Nothing but words for people on the terminal."""
    assert "Traceback" not in running.output
    assert "\033" not in running.output


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield other.getsockname()[1]


@MODES
async def test_what_was_saved_is_found_after_each_kind_of_end(
    installations: Installations, separate: str
) -> None:
    running = await installations(MESHERY_SEPARATE=separate)
    await running.ready()
    mode = stat.S_IMODE(running.home.parent.stat().st_mode)
    await save(running, "one")
    running.press_ctrl_c()
    assert await running.ended(timeout_seconds=20) == 0
    assert running.processes() == {}
    assert running.lines[-1].strip() == "Stopped."
    assert_clean(running)

    running = await installations(MESHERY_SEPARATE=separate)
    await running.ready()
    assert await names(running) == {"one"}
    await save(running, "two")
    running.signal(signal.SIGTERM)
    assert await running.ended(timeout_seconds=20) == 0
    assert running.processes() == {}
    assert_clean(running)

    running = await installations(MESHERY_SEPARATE=separate)
    await running.ready()
    saved = {"one", "two"}
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(save(running, f"n{number}"))
    saved |= {f"n{number}" for number in range(20)}
    await running.kill()

    running = await installations(MESHERY_SEPARATE=separate)
    await running.ready()
    assert await names(running) == saved
    await save(running, "after")
    assert await names(running) == saved | {"after"}
    assert stat.S_IMODE(running.home.parent.stat().st_mode) == mode
    assert stat.S_IMODE((running.home / "logs" / "meshery.log").stat().st_mode) == 0o600
    for key in (running.home / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    # The terminal is closed.
    running.signal(signal.SIGHUP)
    assert await running.ended(timeout_seconds=20) == 0
    assert running.processes() == {}
    assert_clean(running)


@MODES
@pytest.mark.parametrize("after", ["PostgreSQL", "identity"])
async def test_ctrl_c_while_it_starts(installations: Installations, separate: str, after: str) -> None:
    running = await installations(MESHERY_SEPARATE=separate)
    await running.says(after)
    running.press_ctrl_c()
    assert await running.ended(timeout_seconds=20) == 0
    assert running.processes() == {}
    assert_clean(running)


@pytest.mark.parametrize("seconds", [0.4, 1.2])
async def test_ctrl_c_before_it_has_said_anything(installations: Installations, seconds: float) -> None:
    running = await installations()
    # A moment is what is tested here, not a condition: while modules are loaded, or just after.
    await asyncio.sleep(seconds)
    running.press_ctrl_c()
    assert await running.ended(timeout_seconds=20) == 0
    await running.until_gone()
    assert_clean(running)


@MODES
async def test_when_only_the_first_process_is_killed_nothing_stays(
    installations: Installations, separate: str
) -> None:
    running = await installations(MESHERY_SEPARATE=separate)
    await running.ready()
    await save(running, "one")
    running.signal(signal.SIGKILL)
    await running.ended()
    # At once, as an impatient person would.
    again = await installations(MESHERY_SEPARATE=separate)
    await again.ready()
    assert await names(again) == {"one"}
    again.press_ctrl_c()
    assert await again.ended() == 0
    await again.until_gone()


async def test_a_home_that_only_its_owner_may_enter(installations: Installations) -> None:
    """As root's is; PostgreSQL runs under another account then."""
    running = await installations(own_mode=0o700)
    await running.ready()
    await save(running, "one")
    running.press_ctrl_c()
    assert await running.ended() == 0
    assert stat.S_IMODE(running.home.parent.stat().st_mode) == 0o700
    again = await installations(own_mode=0o700)
    await again.ready()
    assert await names(again) == {"one"}


async def test_a_taken_port(installations: Installations, taken: int) -> None:
    running = await installations(MESHERY_PORT=str(taken))
    assert await running.ended() == 1
    assert f"Port {taken} on 127.0.0.1 cannot be used" in running.output
    assert "MESHERY_PORT=" in running.output
    assert running.processes() == {}
    assert_clean(running)


async def test_a_folder_in_use_and_taken_ports_of_nats(installations: Installations, taken: int) -> None:
    running = await installations(MESHERY_NATS_PORT=str(taken))
    await running.ready()
    assert f"Port {taken} is taken: NATS listens on " in running.output
    assert running.nats_url != f"nats://127.0.0.1:{taken}"
    second = await installations()
    assert await second.ended() == 1
    assert f"is in use by process {running.pid}." in second.output
    assert_clean(second)
    async with aiohttp.ClientSession(running.url) as session, session.get("/healthz/ready") as reply:
        assert reply.status == 200


@pytest.mark.long
async def test_separate_services_end_in_order_while_their_servers_are_away(
    installations: Installations,
) -> None:
    running = await installations(MESHERY_SEPARATE="true")
    await running.ready()
    await save(running, "one")
    # Whoever would bring the servers back is stopped first.
    running.signal(signal.SIGSTOP)
    services = {}
    for pid, command in running.processes().items():
        if "postgres -D" in command or "nats-server" in command:
            os.kill(pid, signal.SIGKILL)
        elif "-m meshery_" in command and pid != running.pid:
            services[pid] = command
    assert len(services) >= 7
    for pid in services:
        os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(10):
        while services.keys() & running.processes().keys():
            await asyncio.sleep(0.05)
    for log in (running.home / "logs").glob("*.log"):
        assert "Traceback" not in log.read_text(), log.name


async def test_servers_that_die_come_back(installations: Installations) -> None:
    running = await installations()
    await running.ready()
    await save(running, "one")
    for name, word in (("postgres -D", "PostgreSQL ended"), ("nats-server", "NATS ended")):
        (pid, *_) = [pid for pid, command in running.processes().items() if name in command]
        os.kill(pid, signal.SIGKILL)
        await running.says(word)
        await until_it_works(running, partial(save, name=name))
    assert {"one", "postgres -D", "nats-server"} <= await names(running)


@pytest.mark.parametrize(
    "killed",
    [
        ["designs", "gateway"],
        pytest.param(["identity", "registry", "inventory", "connections", "events"], marks=pytest.mark.long),
    ],
)
async def test_a_separate_service_that_dies_comes_back(
    installations: Installations, killed: list[str]
) -> None:
    running = await installations(MESHERY_SEPARATE="true")
    await running.ready()
    await save(running, "one")

    def living(name: str) -> list[int]:
        return [pid for pid, line in running.processes().items() if line.endswith(f"meshery_{name} ")]

    before = {name: living(name) for name in killed}
    for (pid,) in before.values():
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while any(living(name) in ([], before[name]) for name in killed):
            await asyncio.sleep(0.1)
    await until_it_works(running, names)
    assert await names(running) == {"one"}
    for name in killed:
        assert f"! The service {name} ended with signal SIGKILL and is started again." in running.lines
    running.press_ctrl_c()
    assert await running.ended() == 0
    assert running.processes() == {}


async def until_it_works(running: Installation, ask: Callable[[Installation], Awaitable[object]]) -> None:
    """Ask until there is an answer: what was away is back."""
    async with asyncio.timeout(60):
        while True:
            try:
                await ask(running)
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
            else:
                return
