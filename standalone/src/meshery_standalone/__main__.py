"""`python -m meshery_standalone` (`make up`): Meshery on a laptop. Ctrl-C stops everything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop
from pydantic import ValidationError

from meshery_common.telemetry import TelemetrySettings, exporting, start_logging
from meshery_embedded import EmbeddedError
from meshery_standalone.app import running
from meshery_standalone.console import Console
from meshery_standalone.homes import HomeError, claimed
from meshery_standalone.settings import StandaloneSettings


def main() -> int:
    """Run until told to stop; the exit code says whether it ran."""
    console = Console()
    try:
        settings = StandaloneSettings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            console.fail(f"MESHERY_{'_'.join(str(part) for part in one['loc']).upper()}: {one['msg']}")
        return 2
    home = settings.home.expanduser().absolute()
    try:
        with claimed(home):
            telemetry = TelemetrySettings(
                log_level=settings.log_level, log_format="json", otlp_endpoint=settings.otlp_endpoint
            )
            log_file = home / "logs" / "meshery.log"
            log_file.parent.mkdir(exist_ok=True)
            with log_file.open("a", buffering=1) as log:
                start_logging(telemetry, log)
                with exporting(telemetry, "standalone"):
                    uvloop.run(_run(settings, home, console, log_file))
    except (HomeError, EmbeddedError) as error:
        console.fail(str(error))
        return 1
    return 0


async def _run(settings: StandaloneSettings, home: Path, console: Console, log_file: Path) -> None:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            console.fail("Ended in the middle of stopping.")
            os._exit(1)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)

    async def serve() -> None:
        try:
            async with running(settings, home, console) as started:
                console.welcome(started.url, started.servers.nats.url, str(home), str(log_file))
                await stop.wait()
                console.say("Stopping …")
        finally:
            stop.set()

    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(serve())
            await stop.wait()
            if not serving.done():
                await asyncio.wait([serving], timeout=30)
                serving.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    console.say("Stopped.")


if __name__ == "__main__":
    sys.exit(main())
