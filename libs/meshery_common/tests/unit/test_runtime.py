"""The life of a process, as whoever runs it sees it: signals, exit codes, what it says."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshery_common.runtime import RESTARTS, supervise

_PROGRAM = """
    import asyncio, sys, time
    from contextlib import asynccontextmanager
    from meshery_common import runtime
    from meshery_common.runtime import supervise
    from meshery_common.telemetry import TelemetrySettings

    def say(text):
        print(text, flush=True)

    @asynccontextmanager
    async def running():
{body}

    runtime.run(
        "things", TelemetrySettings(log_format="json"), running, longest_stop_seconds={longest}, blocked_seconds=1.0
    )
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Run a program with this body of `running`; it has said its first line when this returns."""
    begun: list[subprocess.Popen[str]] = []

    def run(body: str, *, longest: float = 60.0) -> subprocess.Popen[str]:
        program = tmp_path / "program.py"
        indented = textwrap.indent(textwrap.dedent(body), " " * 8)
        program.write_text(textwrap.dedent(_PROGRAM.format(body=indented, longest=longest)))
        process = subprocess.Popen(
            [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_finish_in_order(start: Start, number: signal.Signals) -> None:
    process = start(
        """
        async with supervise("things") as tasks:
            tasks.start("work", lambda: asyncio.sleep(3600))
            say("started")
            yield
            await asyncio.sleep(0.2)
            say("finished what was in flight")
        say("closed")
        """
    )
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "finished what was in flight\nclosed\n"), err
    assert [word for word in ("ready", "stopping") if f'"event": "{word}"' in err] == ["ready", "stopping"]


def test_a_second_signal_ends_it_at_once_and_says_what_was_at_work(start: Start) -> None:
    process = start(
        """
        async with supervise("things") as tasks:
            tasks.start("counting", lambda: asyncio.sleep(3600))
            say("started")
            yield
            say("stopping")
            await asyncio.sleep(3600)
        """
    )
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "in the middle of stopping; still at work: " in err
    assert "things: counting" in err


def test_a_stop_that_takes_too_long_is_ended(start: Start) -> None:
    process = start(
        """
        say("started")
        yield
        await asyncio.sleep(3600)
        """,
        longest=0.3,
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "did not stop in 0 s" in err


def test_a_signal_while_it_starts_ends_it_without_waiting(start: Start) -> None:
    process = start(
        """
        say("started")
        try:
            await asyncio.sleep(3600)  # PostgreSQL is not there yet
        finally:
            say("cleaned up")
        yield
        """
    )
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "cleaned up\n")


def test_a_loop_that_is_held_up_tells_where(start: Start) -> None:
    process = start(
        """
        def hold_everything_up():
            time.sleep(2)

        say("started")
        yield
        hold_everything_up()
        """
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Timeout (0:00:01)!" in err
    assert "in hold_everything_up" in err


@pytest.mark.parametrize("where", ["before", "after"])
def test_what_cannot_start_or_stop_says_why_and_fails(start: Start, where: str) -> None:
    failing = 'raise RuntimeError("the schema is newer")'
    process = start(
        f"""
        say("started")
        {failing if where == "before" else "pass"}
        yield
        {failing if where == "after" else "pass"}
        """
    )
    if where == "after":
        process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "RuntimeError: the schema is newer"


def test_wrong_settings_are_named_by_their_variables() -> None:
    program = """
        from pydantic_settings import SettingsConfigDict
        from meshery_common import runtime
        from meshery_common.settings import ServiceSettings
        class ThingsSettings(ServiceSettings):
            model_config = SettingsConfigDict(env_prefix="THINGS_")
        runtime.main("things", ThingsSettings, None)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"THINGS_BUS__MAX_IN_FLIGHT": "many-secrets", "THINGS_DATABASE__POOL_MAX": "3"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "things: THINGS_DATABASE__APP_URL: Field required" in done.stderr
    assert "things: THINGS_BUS__MAX_IN_FLIGHT: " in done.stderr
    assert "many-secrets" not in done.stderr


async def test_a_worker_that_fails_or_ends_is_started_again() -> None:
    restarts = RESTARTS.labels("things", "work")  # the process counts for all tests
    before = restarts._value.get()
    calls = 0
    twice = asyncio.Event()

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            twice.set()
            await asyncio.Event().wait()
        raise ValueError

    async with supervise("things") as tasks:
        tasks.start("work", work)
        async with asyncio.timeout(10):
            await twice.wait()
    assert restarts._value.get() == before + 1
