"""Which process holds something, so that it is taken back the moment that process is dead.

An incarnation names one process from its start to its end, for all time: the boot of its machine, its namespace of
process ids, its id there, and when it started. Whoever runs in the same place can tell for certain whether it has
ended; everybody else waits until its leases run out. What must not be in here: what was held.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
#: In /proc/<pid>/stat after the name, which may hold anything but ends with the last bracket.
_STATE, _START = 0, 19
#: A zombie runs no more; it only waits to be asked how it ended.
_ENDED = frozenset("ZX")


@cache
def incarnation() -> str:
    """Of this process; empty on a system that tells too little (no Linux)."""
    process_id = os.getpid()
    seen = _look_at(process_id)
    place = _place()
    return f"{place}/{process_id}/{seen[1]}" if place and seen else ""


def is_dead(one: str) -> bool:
    """Whether the process has certainly ended; False where that cannot be known from here."""
    place, _, rest = one.rpartition("/")
    place, _, process_id = place.rpartition("/")
    if not place or place != _place() or not process_id.isdecimal():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # somebody else's process: it is there
    seen = _look_at(int(process_id))
    # The id may be another process's by now.
    return seen is not None and (seen[0] in _ENDED or seen[1] != rest)


@cache
def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _look_at(process_id: int) -> tuple[str, str] | None:
    """State and start of a process; None when it cannot be seen."""
    try:
        told = (_PROC / str(process_id) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return told[_STATE], told[_START]
