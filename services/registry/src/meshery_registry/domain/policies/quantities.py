"""Quantities as Kubernetes writes them: `500m`, `1.5Gi`, `2e3`."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])?)")
_FACTOR = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_MOST_CHARACTERS = 64


def quantity(value: object) -> float:
    """A quantity as a number. Raises ValueError when it is none; does not say what it was."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) <= _MOST_CHARACTERS else None
    if found is None:
        raise ValueError("this is no quantity such as 500m or 1Gi")
    return float(found[1] + (found[2] or "")) * _FACTOR[found[3] or ""]
