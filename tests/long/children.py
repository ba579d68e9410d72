"""The processes of an installation, as the operating system sees them (Linux): to pause them, and to find leaks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

#: In the environment of every process that is started while it is set, and of those they start.
_MARK = "LONG_TEST_MARK"
_PROC = Path("/proc")


@dataclass(frozen=True)
class Child:
    """A living process."""

    pid: int
    parent: int
    command: str


@contextmanager
def marked() -> Iterator[str]:
    """Mark every process started in the block; gives the mark."""
    mark = uuid4().hex
    os.environ[_MARK] = mark
    try:
        yield mark
    finally:
        del os.environ[_MARK]


def with_mark(mark: str) -> list[Child]:
    """The living processes with this mark, but for this one."""
    wanted = f"{_MARK}={mark}".encode()
    return [one for one in _living() if one.pid != os.getpid() and wanted in _environment(one.pid)]


def orphans(mark: str) -> list[Child]:
    """Marked processes whose parent is none of ours any more."""
    ours = with_mark(mark)
    known = {os.getpid(), *(one.pid for one in ours)}
    return [one for one in ours if one.parent not in known]


def with_descendants(pid: int) -> list[int]:
    """A process and all that it started, itself first."""
    children: dict[int, list[int]] = {}
    for one in _living():
        children.setdefault(one.parent, []).append(one.pid)
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


@contextmanager
def paused(pids: Iterable[int]) -> Iterator[None]:
    """Processes that do not turn for the time of the block, as on an overloaded machine."""
    stopped = list(pids)
    try:
        _send(stopped, signal.SIGSTOP)
        yield
    finally:
        _send(stopped, signal.SIGCONT)


def kill_by_command(mark: str, words: str, number: signal.Signals) -> int:
    """Signal the marked processes whose command has these words; how many they were."""
    chosen = [one.pid for one in with_mark(mark) if words in one.command]
    _send(chosen, number)
    return len(chosen)


def resident_megabytes(pid: int) -> float:
    """Memory of a process; 0 when it has ended."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _living() -> list[Child]:
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            # The name in parentheses may hold anything.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(Child(int(folder.name), int(parent), command.strip()))
    return found


def _environment(pid: int) -> bytes:
    with suppress(OSError):
        return (_PROC / str(pid) / "environ").read_bytes()
    return b""
