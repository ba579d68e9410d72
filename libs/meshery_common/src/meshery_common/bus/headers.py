"""The NATS headers of our messages. An integrator needs `Meshery-Caller` alone; the rest is optional."""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

#: `CallTerms` as we write it ourselves.
_WRITTEN = re.compile(
    r"timeout=([0-9]{1,18});deadline=([0-9]{1,18});request=([^;=]{0,64});take=([0-9]{1,18})"
)
_REFERENCE = re.compile(
    r"subject=(meshery\.body(?:\.[A-Za-z0-9_-]{1,128}){3,4});size=([0-9]{1,12});part=([0-9]{1,9});sha256=([0-9a-f]{64})"
)


class Header:
    """Header names, exactly as they stand on the wire (NATS compares them with their case)."""

    CALLER: Final = "Meshery-Caller"
    #: How long the caller waits and which request it is; see `CallTerms`.
    CALL: Final = "Meshery-Call"
    IDEMPOTENCY_KEY: Final = "Meshery-Idempotency-Key"
    #: In place of a body that is larger than a message; see `BodyReference`.
    BODY: Final = "Meshery-Body"
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
    """The header `Meshery-Call`: `timeout=5000;deadline=1790000000000;request=…;take=67108864`, each part optional.

    One header for four values, because nats-py spends more on reading a header than we on the rest of a call.
    """

    #: How long the caller still waits, in milliseconds: needs no common clock. 0: not said.
    timeout_ms: int = 0
    #: When the caller stops waiting, in milliseconds since the epoch: catches what lay in a queue. 0: not said.
    deadline_ms: int = 0
    request_id: str = ""
    #: The largest reply that the caller fetches, in bytes; 0: none that is larger than a message.
    take: int = 0

    def write(self) -> str:
        """The header's value."""
        return f"timeout={self.timeout_ms};deadline={self.deadline_ms};request={self.request_id};take={self.take}"

    @classmethod
    def read(cls, value: str) -> CallTerms:
        """The terms in a header's value; what cannot be read counts as not said."""
        written = _WRITTEN.fullmatch(value)
        if written is not None:
            return cls(int(written[1]), int(written[2]), written[3], int(written[4]))
        parts = dict(part.split("=", 1) for part in value.split(";") if "=" in part)
        timeout, deadline, take = (
            int(text) if text.isdecimal() else 0
            for text in (parts.get(name, "") for name in ("timeout", "deadline", "take"))
        )
        return cls(timeout, deadline, parts.get("request", "")[:64], take)


class BodyReference(NamedTuple):
    """The header `Meshery-Body`: `subject=meshery.body.…;size=9000000;part=1048576;sha256=…`.

    Parts are asked for on the subject by their number, from 0, as decimal text; each but the last has `part_bytes`.
    """

    subject: str
    size: int
    part_bytes: int
    #: Of the whole body, in hexadecimal.
    sha256: str

    @property
    def parts(self) -> int:
        """How many there are."""
        return -(-self.size // self.part_bytes)

    def write(self) -> str:
        """The header's value."""
        return f"subject={self.subject};size={self.size};part={self.part_bytes};sha256={self.sha256}"

    @classmethod
    def read(cls, value: str) -> BodyReference | None:
        """The reference in a header's value; none when it cannot be read."""
        written = _REFERENCE.fullmatch(value)
        return cls(written[1], int(written[2]), int(written[3]), written[4]) if written is not None else None


def new_request_id() -> str:
    """An id to find a request's traces by: unique enough, and no secret."""
    return f"{random.getrandbits(128):032x}"
