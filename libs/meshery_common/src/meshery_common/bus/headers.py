"""The NATS headers of our messages. An integrator needs `Meshery-Caller` alone; the rest is optional."""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

#: `CallTerms` as we write it ourselves.
_WRITTEN = re.compile(r"timeout=([0-9]{1,18});deadline=([0-9]{1,18});request=([^;=]{0,64})")


class Header:
    """Header names, exactly as they stand on the wire (NATS compares them with their case)."""

    CALLER: Final = "Meshery-Caller"
    #: How long the caller waits and which request it is; see `CallTerms`.
    CALL: Final = "Meshery-Call"
    IDEMPOTENCY_KEY: Final = "Meshery-Idempotency-Key"
    #: The error word of a reply; absent on success.
    ERROR: Final = "Meshery-Error"
    #: Both demanded of error replies by ADR-32.
    SERVICE_ERROR: Final = "Nats-Service-Error"
    SERVICE_ERROR_CODE: Final = "Nats-Service-Error-Code"
    MESSAGE_ID: Final = "Nats-Msg-Id"
    TRACEPARENT: Final = "traceparent"
    #: Counts what one publisher sent on one live subject, so that a listener sees a gap.
    SEQUENCE: Final = "Meshery-Sequence"
    #: The subject of a fact that is repeated on a plain one.
    REPEATED_SUBJECT: Final = "Meshery-Subject"


class CallTerms(NamedTuple):
    """The header `Meshery-Call`: `timeout=5000;deadline=1790000000000;request=…`, each part optional.

    One header for three values, because nats-py spends more on reading a header than we on the rest of a call.
    """

    #: How long the caller still waits, in milliseconds: needs no common clock. 0: not said.
    timeout_ms: int = 0
    #: When the caller stops waiting, in milliseconds since the epoch: catches what lay in a queue. 0: not said.
    deadline_ms: int = 0
    request_id: str = ""

    def write(self) -> str:
        """The header's value."""
        return f"timeout={self.timeout_ms};deadline={self.deadline_ms};request={self.request_id}"

    @classmethod
    def read(cls, value: str) -> CallTerms:
        """The terms in a header's value; what cannot be read counts as not said."""
        written = _WRITTEN.fullmatch(value)
        if written is not None:
            return cls(int(written[1]), int(written[2]), written[3])
        parts = dict(part.split("=", 1) for part in value.split(";") if "=" in part)
        timeout, deadline = parts.get("timeout", ""), parts.get("deadline", "")
        return cls(
            int(timeout) if timeout.isdecimal() else 0,
            int(deadline) if deadline.isdecimal() else 0,
            parts.get("request", "")[:64],
        )


def new_request_id() -> str:
    """An id to find a request's traces by: unique enough, and no secret."""
    return f"{random.getrandbits(128):032x}"
