"""The NATS headers of our messages. An integrator needs `Meshery-Caller` alone; the rest is optional."""

from __future__ import annotations

from typing import Final


class Header:
    """Header names, exactly as they stand on the wire (NATS compares them with their case)."""

    CALLER: Final = "Meshery-Caller"
    #: How long the caller still waits, in milliseconds: needs no common clock.
    TIMEOUT: Final = "Meshery-Timeout-Ms"
    #: When the caller stops waiting, in milliseconds since the epoch: catches what lay in a queue.
    DEADLINE: Final = "Meshery-Deadline-Ms"
    REQUEST_ID: Final = "Meshery-Request-Id"
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
