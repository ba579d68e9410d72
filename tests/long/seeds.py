"""Seeds of the long tests: fixed, so that a failure can be had again; `TEST_SEEDS="5 6"` chooses others."""

from __future__ import annotations

import os


def seeds(*usual: int) -> list[int]:
    """The seeds to run with."""
    return [int(one) for one in os.environ.get("TEST_SEEDS", "").split()] or list(usual)


def fault_seconds(usual: float) -> float:
    """How long faults go on; `TEST_FAULT_SECONDS` chooses another time."""
    return float(os.environ.get("TEST_FAULT_SECONDS", usual))
