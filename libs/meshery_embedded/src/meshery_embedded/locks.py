"""One living server per data folder.

The lock is a flock on a file in the folder. Server processes inherit its descriptor, so it stays
held while either this process or a child that outlived its parent is alive.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from meshery_embedded.errors import DataInUseError

_POLL_SECONDS = 0.05


@dataclass
class DataLock:
    """A held lock: `fd` goes into `Command.kept_fds`, started children are told by `note`."""

    path: Path
    fd: int
    children: list[int] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The locked folder, absolute and without symbolic links."""
        return self.path.parent

    def note(self, *children: int) -> None:
        """Write down who holds the lock, for the next one who wants it."""
        self.children = list(children)
        self._write(os.getpid())

    def give_up(self) -> None:
        """Write down that the owner is done; children that are just ending may hold it longer."""
        self._write(0)

    def _write(self, owner: int) -> None:
        text = json.dumps({"owner": owner, "children": self.children}).encode()
        os.pwrite(self.fd, text.ljust(256), 0)


@asynccontextmanager
async def data_lock(
    data: Path,
    server: str,
    *,
    wait_seconds: float = 10.0,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> AsyncIterator[DataLock]:
    """Hold the folder `data` (made when missing) for one `server`.

    A child left behind by a parent that was killed is stopped by `stop_signal`, after
    `wait_seconds` by SIGKILL. Raises DataInUseError when the holder has a living owner.
    """
    path = await asyncio.to_thread(_prepare, data)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try(fd):
            await _take_over(fd, path, server, wait_seconds, stop_signal)
        lock = DataLock(path, fd)
        lock.note()
        try:
            yield lock
        finally:
            lock.give_up()
    finally:
        # Not unlocked: a child that still lives keeps the lock by its own descriptor.
        os.close(fd)


def _prepare(data: Path) -> Path:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data.resolve() / ".lock"


def process_alive(pid: int) -> bool:
    """Whether a process of this id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _take_over(
    fd: int, path: Path, server: str, wait_seconds: float, stop_signal: signal.Signals
) -> None:
    owner, children = _read_note(fd)
    if owner and process_alive(owner):
        raise _in_use(server, path, owner)
    loop = asyncio.get_running_loop()
    for number in (stop_signal, signal.SIGKILL):
        for child in children:
            if await asyncio.to_thread(_holds, child, path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)
        deadline = loop.time() + wait_seconds
        while loop.time() < deadline:
            if _try(fd):
                return
            await asyncio.sleep(_POLL_SECONDS)
    raise _in_use(server, path, children[0] if children else owner)


def _in_use(server: str, path: Path, pid: int) -> DataInUseError:
    return DataInUseError(
        f"the data of {server} are in use by process {pid}",
        pid=pid,
        where=str(path.parent),
        mend=f"stop process {pid}, or use another data folder",
    )


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_note(fd: int) -> tuple[int, list[int]]:
    try:
        note = json.loads(os.pread(fd, 4096, 0) or b"{}")
        return int(note["owner"]), [int(child) for child in note["children"]]
    except (ValueError, KeyError, TypeError):
        # Held, but the note is not written yet: its owner lives and is about to write it.
        return os.getpid(), []


def _holds(pid: int, path: Path) -> bool:
    """Whether the process has the lock file open; its id may have been given to somebody else."""
    if sys.platform != "linux":
        # No cheap proof there; a child of a dead parent is left to the person who reads the error.
        return False
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if entry.readlink() == path:
                    return True
    return False
