"""A folder for everything that a benchmark starts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def throw_away_home() -> Iterator[Path]:
    """An empty folder for the time of the block.

    As root PostgreSQL runs as nobody, who must reach it; elsewhere its data would stay for good.
    """
    with tempfile.TemporaryDirectory(prefix="meshery-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        yield home
