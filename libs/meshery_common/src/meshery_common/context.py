"""The request that is being served: who asks, until when, under which idempotency key, how much he takes.

Set by the bus for the time of one handler and read by whatever sends on or writes. The only ambient state of
the runtime; a worker sets its own (`serving`). What must not be in here: anything a service decides by.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Final

from meshery_contracts.caller import Caller

#: What one message carries unless settings say otherwise.
MESSAGE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What belongs to one request."""

    caller: Caller
    #: The signed form of `caller`, handed on with nested requests.
    assertion: str = ""
    #: `time.monotonic()` at which the caller stops waiting.
    deadline: float = float("inf")
    request_id: str = ""
    #: Empty unless the request is a command.
    idempotency_key: str = ""
    #: Subject and payload hash, to tell a repeat from another use of the same key.
    fingerprint: bytes = b""
    #: The largest answer that the caller can be given, in bytes.
    answer_bytes: int = MESSAGE_BYTES

    @property
    def remaining_seconds(self) -> float:
        """What is left of the caller's patience; negative when it ran out."""
        return self.deadline - time.monotonic()


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current_request() -> RequestContext | None:
    """The request being served, or None outside of one."""
    return _current.get()


def answer_bytes() -> int:
    """How many bytes the answer to the request being served may have; for what gives as much as fits."""
    context = _current.get()
    return MESSAGE_BYTES if context is None else context.answer_bytes


class serving:
    """Serve this request for the time of the block."""

    __slots__ = ("_context", "_token")
    _token: Token[RequestContext | None]

    def __init__(self, context: RequestContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = _current.set(self._context)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
