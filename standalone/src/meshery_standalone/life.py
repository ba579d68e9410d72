"""The life of the process: settings, folder, log file, signals, and the order of the end.

The terminal gets words for people and never a stack trace: standard error goes into the log file, also that of
libraries and of worker processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import structlog
import uvloop
from pydantic import ValidationError

from meshery_common.background import alongside
from meshery_common.runtime import tell_when_blocked
from meshery_common.telemetry import TelemetrySettings, exporting, start_logging
from meshery_embedded import EmbeddedError
from meshery_standalone.app import running
from meshery_standalone.console import Console
from meshery_standalone.errors import CannotRunError, causes
from meshery_standalone.homes import claimed
from meshery_standalone.log_files import log_file
from meshery_standalone.settings import StandaloneSettings, variables

log = structlog.get_logger()

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Requests in flight may end; then everything is cancelled, and after as long again left behind.
_STOP_SECONDS = 20.0
_WRONG_SETTING = 2


def live(started: float) -> int:
    """Run until told to stop; `started` is when the process did, by the monotonic clock. Gives the exit code."""
    console = Console(started=started)
    try:
        settings = StandaloneSettings()
        home = settings.home.expanduser().absolute()
        with claimed(home):
            return _logged(settings, home, console)
    except ValidationError as error:
        for line in variables("MESHERY", error):
            console.fail(line)
        return _WRONG_SETTING
    except CannotRunError as error:
        console.fail(str(error))
    except Exception as error:  # noqa: BLE001 -- there is no log file yet, and a trace is no message
        console.fail(f"Meshery cannot start: {type(error).__name__}: {error}")
    return 1


def _logged(settings: StandaloneSettings, home: Path, console: Console) -> int:
    telemetry = TelemetrySettings(
        log_level=settings.log_level, log_format="json", otlp_endpoint=settings.otlp_endpoint
    )
    path = home / "logs" / "meshery.log"
    with log_file(path) as file:
        start_logging(telemetry, file)
        try:
            with exporting(telemetry, "standalone"):
                uvloop.run(_live(settings, home, console, path))
        except BaseException as error:  # noqa: BLE001 -- the very end: told, logged, and the process goes
            return _ended_by(error, console, path)
    console.say("Stopped.")
    return 0


def _ended_by(error: BaseException, console: Console, path: Path) -> int:
    for cause in causes(error):
        if isinstance(cause, (CannotRunError, EmbeddedError)):
            log.error("ended", reason=str(cause))
            console.fail(str(cause))
            break
    else:
        log.error("ended by an error that nobody foresaw", exc_info=error)
        console.fail(f"Meshery ended by an error that nobody foresaw.\nDetails: {path}")
    return 1


async def _live(settings: StandaloneSettings, home: Path, console: Console, path: Path) -> None:
    loop = asyncio.get_running_loop()
    stop, ready = asyncio.Event(), asyncio.Event()

    def give_up(words: str) -> None:
        console.fail(words)
        # Children end with us: the kernel tells them.
        os._exit(1)

    def on_signal() -> None:
        if stop.is_set():
            give_up("Ended in the middle of stopping.")
        stop.set()
        console.say("Stopping …")
        loop.call_later(_STOP_SECONDS * 2, give_up, f"Not everything stopped in time. Details: {path}")

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)

    async def serve() -> None:
        async with running(settings, home, console) as started:
            ready.set()
            console.welcome(started.url, started.servers.nats.url, str(home), str(path))
            await stop.wait()

    async with alongside(tell_when_blocked()), asyncio.TaskGroup() as group:
        serving = group.create_task(serve())
        asked = group.create_task(stop.wait())
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            await asyncio.wait({serving}, timeout=_STOP_SECONDS)
        # Still starting, or stuck.
        serving.cancel()
        asked.cancel()
