"""The least that could serve: PostgreSQL, NATS and a hello over aiohttp and uvloop, nothing of ours inside.

Argument: a folder for the data. Prints the address once it serves, and runs until SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from meshery_embedded import nats_server, postgres


async def main(data: Path) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/healthz/ready", hello)
    runner = web.AppRunner(app, access_log=None)
    async with (
        postgres(data / "postgresql"),
        nats_server(data=data / "nats", config="", port=0, monitor_port=0),
    ):
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"ready: http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
