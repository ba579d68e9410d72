"""What a person must know when Meshery cannot run."""

from __future__ import annotations

from collections.abc import Iterator


class CannotRunError(Exception):
    """Meshery cannot start, or go on; the message says why and what to do, in words for a person."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a group, and inside groups in it; the error itself when it is none."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error
