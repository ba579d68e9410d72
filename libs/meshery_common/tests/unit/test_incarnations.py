"""A process is known by its name from start to end, and said to be dead only when it certainly is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from meshery_common.incarnations import incarnation, is_dead

_PROGRAM = "from meshery_common.incarnations import incarnation; print(incarnation(), flush=True); input()"


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_we_live() -> None:
    assert incarnation() == incarnation()
    assert not is_dead(incarnation())


def test_another_lives_until_it_is_killed(other: subprocess.Popen[str]) -> None:
    theirs = told(other)
    assert theirs != incarnation()
    assert not is_dead(theirs)
    os.kill(other.pid, signal.SIGSTOP)
    assert not is_dead(theirs), "one that is stopped may go on"
    other.kill()
    # Not waited for: its id is still taken, by what is left of it.
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(theirs)
    other.wait()
    assert is_dead(theirs)


def test_another_process_under_the_same_id_is_not_the_same() -> None:
    place, _, start = incarnation().rpartition("/")
    assert is_dead(f"{place}/{int(start) - 1}")


@pytest.mark.parametrize("one", ["", "//", "1/1", "nonsense", "boot/pid:[1]/1/1", "boot/pid:[1]/x/1"])
def test_what_cannot_be_known_is_not_dead(one: str) -> None:
    assert not is_dead(one)
    _, process_id, start = incarnation().rsplit("/", 2)
    assert not is_dead(f"another-boot/pid:[1]/{process_id}/{int(start) - 1}")
