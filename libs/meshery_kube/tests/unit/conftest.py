"""Small real HTTP servers that play an API server, well or badly."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshery_kube import Client, ClientSettings, Context
from meshery_kube.kubeconfigs import Server, User

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

QUICK = ClientSettings(retry_pause=0.005, timeout=5.0, rate=10_000, burst=1_000)


class Serve(Protocol):
    """Start a server with one handler and give an open client of it."""

    async def __call__(self, handler: Handler, *, token: str | None = None, **client: Any) -> Client: ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, *, token: str | None = None, **client: Any) -> Client:
            async def entry(request: web.Request) -> web.StreamResponse:
                return await handler(request)

            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", entry)
            server = TestServer(app, shutdown_timeout=0.1)
            await server.start_server()
            stack.push_async_callback(server.close)
            context = Context(
                "test", Server("test", str(server.make_url("")).rstrip("/")), User("u", token=token)
            )
            return await stack.enter_async_context(Client(context, client.pop("settings", QUICK), **client))

        yield start
