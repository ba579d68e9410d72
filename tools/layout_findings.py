"""What a layout rule has to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """Where, what is wrong there, and how to mend it. A note is no error yet."""

    where: str
    what: str
    mend: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what} Mend: {self.mend}"
