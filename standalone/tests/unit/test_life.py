"""How an end is told: the terminal gets words, the log gets everything."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from meshery_common.telemetry import TelemetrySettings, start_logging
from meshery_embedded import PortTakenError
from meshery_standalone.console import Console
from meshery_standalone.errors import CannotRunError
from meshery_standalone.life import _ended_by


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    start_logging(TelemetrySettings(log_format="json"), stream)
    return stream


def told(error: BaseException) -> str:
    terminal = io.StringIO()
    assert _ended_by(error, Console(terminal), Path("/data/logs/meshery.log")) == 1
    return terminal.getvalue()


def test_what_nobody_foresaw_is_in_the_log_and_the_terminal_names_it(log: io.StringIO) -> None:
    def deep() -> None:
        raise KeyError("secret-word")

    try:
        deep()
    except KeyError as error:
        words = told(ExceptionGroup("unhandled errors", [error]))
    assert words.splitlines() == [
        "✗ Meshery ended by an error that nobody foresaw.",
        "  Details: /data/logs/meshery.log",
    ]
    assert "secret-word" in log.getvalue()
    assert "in deep" in log.getvalue()


@pytest.mark.parametrize(
    "error",
    [
        CannotRunError("Port 9081 is taken."),
        PortTakenError("Port 9081 is taken."),
        BaseExceptionGroup("group", [ExceptionGroup("group", [CannotRunError("Port 9081 is taken.")])]),
    ],
)
def test_what_is_foreseen_is_told_as_it_is(error: BaseException, log: io.StringIO) -> None:
    assert told(error) == "✗ Port 9081 is taken.\n"
    assert "Port 9081 is taken." in log.getvalue()
