"""The one place where children are started: logs, ends, deaths, orphans."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meshery_embedded.errors import StartError
from meshery_embedded.locks import process_alive
from meshery_embedded.process import Command, Process, StopStep

_HOLD = "import signal, sys; print('up', flush=True); signal.pause()"
_STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""


def _python(script: str, log: Path, **more: object) -> Command:
    return Command("child", [sys.executable, "-c", script], log, **more)  # type: ignore[arg-type]  # test data


async def _up(process: Process) -> None:
    async def says_up() -> bool:
        return "up" in process.log_tail()

    await process.ready(says_up, timeout_seconds=20)


async def test_stop_ends_the_process_and_died_stays_pending(tmp_path: Path) -> None:
    process = await Process.start(_python(_HOLD, tmp_path / "log"))
    await _up(process)
    await process.stop()
    assert process.exited.result() == -signal.SIGTERM
    assert not process.died.done()
    assert not process.running


async def test_stop_kills_a_process_that_ignores_sigterm(tmp_path: Path) -> None:
    steps = (StopStep(signal.SIGTERM, 0.1), StopStep(signal.SIGKILL, 10))
    process = await Process.start(_python(_STUBBORN, tmp_path / "log", stop=steps))
    await _up(process)
    await process.stop()
    assert process.exited.result() == -signal.SIGKILL


async def test_died_tells_an_unexpected_end(tmp_path: Path) -> None:
    process = await Process.start(_python(_HOLD, tmp_path / "log"))
    await _up(process)
    os.kill(process.pid, signal.SIGKILL)
    assert await asyncio.wait_for(process.died, 10) == -signal.SIGKILL
    await process.stop()


async def test_a_failed_start_says_which_process_and_its_last_lines(tmp_path: Path) -> None:
    process = await Process.start(_python("print('old tale'); raise SystemExit('no luck')", tmp_path / "log"))

    async def never() -> bool:
        return False

    with pytest.raises(StartError) as caught:
        await process.ready(never, timeout_seconds=20)
    assert caught.value.process == "child"
    assert "no luck" in caught.value.log_tail


async def test_a_missing_program_is_a_start_error(tmp_path: Path) -> None:
    process = await Process.start(Command("ghost", [str(tmp_path / "ghost")], tmp_path / "log"))
    with pytest.raises(StartError) as caught:
        await process.finish(timeout_seconds=20)
    assert "cannot start" in caught.value.log_tail


async def test_the_log_tail_is_of_this_run_only(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("from yesterday\n")
    process = await Process.start(_python("print('today')", tmp_path / "log"))
    await process.finish(timeout_seconds=20)
    assert process.log_tail() == "today"
    assert (tmp_path / "log").read_text() == "from yesterday\ntoday\n"


async def test_ctrl_c_of_the_terminal_does_not_reach_the_child(tmp_path: Path) -> None:
    process = await Process.start(_python(_HOLD, tmp_path / "log"))
    await _up(process)
    assert os.getsid(process.pid) == process.pid
    await process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent_script = f"""
import asyncio, os, signal, sys
from pathlib import Path
from meshery_embedded.process import Command, Process
async def main():
    log = Path({str(tmp_path / "log")!r})
    child = await Process.start(Command("child", [sys.executable, "-c", {_HOLD!r}], log))
    async def up():
        return "up" in child.log_tail()
    await child.ready(up, timeout_seconds=20)
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    parent = subprocess.run(
        [sys.executable, "-c", parent_script], capture_output=True, text=True, check=False
    )
    child = int(parent.stdout)
    # Reaped by init or a subreaper; a pidfd becomes readable at the end, so nothing is polled.
    try:
        fd = os.pidfd_open(child)
    except ProcessLookupError:
        return
    assert select.select([fd], [], [], 10)[0], "the child still runs"
    os.close(fd)
    assert not process_alive(child) or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
