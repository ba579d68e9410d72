"""The log file of the laptop mode, which also takes what anybody writes to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from meshery_standalone.errors import CannotRunError

_KEPT_BYTES = 16 * 1024 * 1024


@contextmanager
def log_file(path: Path) -> Iterator[TextIO]:
    """Append to the file for the time of the block; one that has grown large becomes `<name>.1` first.

    Raises CannotRunError when it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.stat().st_size > _KEPT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a", buffering=1
        )
    except OSError as error:
        raise CannotRunError(f"The log file {path} cannot be written: {error.strerror}.") from error
    with file, _standard_error_to(file):
        yield file


@contextmanager
def _standard_error_to(file: TextIO) -> Iterator[None]:
    """By descriptor: worker processes and C libraries write there, too."""
    sys.stderr.flush()
    terminal = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
