"""The data folder of an installation: one process at a time, written by no newer version."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshery_standalone.errors import CannotRunError

#: Counts changes of the folder's own layout; the databases count theirs.
FORMAT = 1


@contextmanager
def claimed(home: Path) -> Iterator[Path]:
    """Hold the folder for the time of the block.

    Raises CannotRunError when it cannot be written, another process has it, or a newer version wrote it.
    """
    with _writing(home):
        home.mkdir(parents=True, exist_ok=True)
        # Never removed, so that two starters lock the very same file.
        lock = os.open(home / "meshery.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock, home)
        with _writing(home):
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            _check_format(home / "format")
        yield home
    finally:
        os.close(lock)


@contextmanager
def _writing(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotRunError(
            f"The data folder {home} cannot be written: {error.strerror}.\n"
            "Name another one with MESHERY_HOME=/path, or mend its permissions."
        ) from error


def _lock(lock: int, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
        raise CannotRunError(
            f"The data folder {home} is in use by process {holder or 'of another Meshery'}.\n"
            "Stop that one, or name another folder with MESHERY_HOME=/path."
        ) from None


def _check_format(file: Path) -> None:
    if file.exists():
        text = file.read_text().strip()
        if not text.isdigit() or int(text) > FORMAT:
            raise CannotRunError(
                f"The data folder {file.parent} was written by a newer version (format {text}, this is {FORMAT}).\n"
                "Use that version, or name another folder with MESHERY_HOME=/path."
            )
    file.write_text(f"{FORMAT}\n")
