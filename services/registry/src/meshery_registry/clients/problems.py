"""Why something could not be fetched, as a problem that its reader can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshery_contracts.errors import Invalid, ProblemError, TooLarge, Unavailable
from meshery_web import FetchError, Reason

_REMEDIES = {
    Reason.URL: "Give an address without user name and password: credentials are a field of their own.",
    Reason.ADDRESS: "Use a public address, or have whoever runs the installation allow this one.",
    Reason.REDIRECTS: "Give the address that it redirects to in the end.",
    Reason.STATUS: "Check the address, and send credentials if it needs a login; or upload the file instead.",
    Reason.ENCODING: "Upload the file instead.",
    Reason.UNREACHABLE: "Check the address, or upload the file instead.",
    Reason.TIMEOUT: "Try again, or upload the file instead.",
    Reason.TOO_LARGE: "Import a smaller part, such as one folder or one chart.",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise Invalid, TooLarge, or Unavailable for what may go better at another attempt."""
    try:
        yield
    except FetchError as error:
        kind: type[ProblemError] = Unavailable if error.passing else Invalid
        if error.reason is Reason.TOO_LARGE:
            kind = TooLarge
        raise kind(str(error), code=f"source_{error.reason.value}", remedy=_REMEDIES[error.reason]) from error
