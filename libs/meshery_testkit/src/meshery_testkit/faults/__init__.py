"""Faults of an API server, from a proxy in front of the real one."""

from meshery_testkit.faults.injections import Injection
from meshery_testkit.faults.kinds import (
    Answer,
    Drop,
    ErrorEvent,
    Fault,
    Hang,
    Reset,
    Slow,
    expired,
    too_many,
    unavailable,
)
from meshery_testkit.faults.proxy import FaultProxy, proxied
from meshery_testkit.faults.requests import Passed, Target

__all__ = [
    "Answer",
    "Drop",
    "ErrorEvent",
    "Fault",
    "FaultProxy",
    "Hang",
    "Injection",
    "Passed",
    "Reset",
    "Slow",
    "Target",
    "expired",
    "proxied",
    "too_many",
    "unavailable",
]
