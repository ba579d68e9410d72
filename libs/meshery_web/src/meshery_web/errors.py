"""What can go wrong on the way out. Never holds what the other side answered: that would let anybody look around."""

from __future__ import annotations

from enum import StrEnum


class AddressRefused(Exception):
    """The host resolves to an address that the policy forbids."""

    def __init__(self, host: str, address: str, reason: str) -> None:
        super().__init__(f"{host} is at {address}, which is not allowed: {reason}")
        self.host = host
        self.address = address
        self.reason = reason


class Reason(StrEnum):
    """Why nothing was fetched."""

    #: No proper URL, or one of a scheme, port or form that is not allowed.
    URL = "url"
    #: The host is at an address that is not allowed.
    ADDRESS = "address"
    REDIRECTS = "redirects"
    TOO_LARGE = "too_large"
    #: It took longer than allowed, in all.
    TIMEOUT = "timeout"
    #: No connection, broken off, or no HTTP.
    UNREACHABLE = "unreachable"
    #: The answer's status is not 2xx; `status` has it.
    STATUS = "status"
    #: The body is packed in a way that is not understood, or is damaged.
    ENCODING = "encoding"


class FetchError(Exception):
    """Nothing was fetched. The text names the host and what is wrong, for people."""

    def __init__(self, reason: Reason, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether another attempt, later, may go better."""
        if self.reason is Reason.STATUS:
            return self.status in (408, 429) or self.status >= 500
        return self.reason in (Reason.TIMEOUT, Reason.UNREACHABLE)
