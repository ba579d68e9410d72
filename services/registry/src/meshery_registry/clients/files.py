"""What the clients bring home."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was fetched, under the name that its server gives it."""

    name: str
    body: bytes
