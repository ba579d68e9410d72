"""The same path written by hand with nothing around it: aiohttp, nats-py, asyncpg, uvloop, no reset.

`http PORT NATS_URL SEED` and `service NATS_URL SEED DSN` as arguments make its two processes.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import asyncpg
import nats
import uvloop
from aiohttp import web

SUBJECT = "meshery.rpc.designs.v1.bare_read"


async def serve_http(port: int, url: str, seed: str) -> None:
    """HTTP in, NATS out."""
    client = await nats.connect(url, nkeys_seed_str=seed, inbox_prefix="_INBOX_gateway")

    async def read(request: web.Request) -> web.Response:
        reply = await client.request(SUBJECT, request.match_info["id"].encode(), timeout=5)
        return web.Response(body=reply.data, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/pattern/{id}", read)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def serve_rows(url: str, seed: str, dsn: str) -> None:
    """NATS in, PostgreSQL out."""

    async def no_reset(_connection: Any) -> None:
        return None

    pool = await asyncpg.create_pool(dsn, min_size=8, max_size=8, reset=no_reset)
    client = await nats.connect(url, nkeys_seed_str=seed, inbox_prefix="_INBOX_designs")
    live: set[asyncio.Task[None]] = set()

    async def answer(message: Any) -> None:
        row = await pool.fetchrow("select body from bare_designs where id = $1", message.data.decode())
        await message.respond(row["body"])

    async def receive(message: Any) -> None:
        task = asyncio.create_task(answer(message))  # noqa: TID251 -- the baseline has no runtime around it
        live.add(task)
        task.add_done_callback(live.discard)

    await client.subscribe(SUBJECT, queue="designs", cb=receive)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "http":
        uvloop.run(serve_http(int(sys.argv[2]), sys.argv[3], sys.argv[4]))
    else:
        uvloop.run(serve_rows(sys.argv[2], sys.argv[3], sys.argv[4]))
