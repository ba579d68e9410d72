"""What can be done to a request. All of it happens to real API servers, load balancers and networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Answer:
    """This status instead of the API server's answer; the API server never hears of the request."""

    status: int
    reason: str
    message: str = "a fault of the test"
    retry_after_seconds: int | None = None

    def document(self) -> dict[str, object]:
        """The `Status` object of the body."""
        details = {} if self.retry_after_seconds is None else {"retryAfterSeconds": self.retry_after_seconds}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.status,
        }


def expired() -> Answer:
    """410: a `continue` token or a resource version that is too old."""
    return Answer(410, "Expired", "The provided continue parameter is too old.")


def too_many(retry_after_seconds: int = 1) -> Answer:
    """429, as priority and fairness says it."""
    return Answer(429, "TooManyRequests", "too many requests", retry_after_seconds)


def unavailable(retry_after_seconds: int | None = None) -> Answer:
    """503, as a load balancer says while nobody is behind it."""
    return Answer(503, "ServiceUnavailable", "the server is currently unable", retry_after_seconds)


@dataclass(frozen=True)
class ErrorEvent:
    """A watch lets so many whole events pass, then has an ERROR event (410 unless told) and ends."""

    after_events: int = 0
    status: Answer = expired()  # noqa: RUF009 -- frozen, so it may be shared


@dataclass(frozen=True)
class Hang:
    """Bytes stop, the connection stays: before the answer, or after so many bytes of its body."""

    after_bytes: int | None = None


@dataclass(frozen=True)
class Reset:
    """The connection is reset after so many bytes of the body, in the middle of a chunk."""

    after_bytes: int = 0


@dataclass(frozen=True)
class Drop:
    """The connection is reset without an answer. `done`: after the API server has done what was asked."""

    done: bool = False


@dataclass(frozen=True)
class Slow:
    """The answer begins late, and comes at so many bytes a second (0: as fast as it can)."""

    delay_seconds: float = 0.0
    bytes_per_second: int = 0


Fault: TypeAlias = Answer | ErrorEvent | Hang | Reset | Drop | Slow
