"""The fetcher against small real servers on localhost, well-behaved and not."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshery_web import AddressPolicy, Fetcher, FetchError, FetchPolicy, Reason

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]
LAPTOP = FetchPolicy(addresses=AddressPolicy(allow_loopback=True), allow_http=True, ports=None)
STRANGER = replace(LAPTOP, addresses=AddressPolicy())


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server that answers every request by one handler; its base URL."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> str:
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", handler)
            server = TestServer(app, shutdown_timeout=0.1)
            await server.start_server()
            stack.push_async_callback(server.close)
            return str(server.make_url("")).rstrip("/")

        yield start


async def refused(policy: FetchPolicy, url: str) -> FetchError:
    async with Fetcher.open(policy) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url)
    return caught.value


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_a_file_is_fetched_with_its_name(serve: Serve) -> None:
    async def named(request: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Disposition": 'attachment; filename="a/../b.tgz"'})

    plain, disposed = await serve(hello), await serve(named)
    async with Fetcher.open(LAPTOP) as fetcher:
        fetched = await fetcher.get(f"{plain}/charts/web%20shop.tgz?token=1#part")
        assert (fetched.body, fetched.file_name) == (b"hello", "web shop.tgz")
        assert (await fetcher.get(disposed)).file_name == "b.tgz"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x",
        "file:///etc/passwd",
        "https://",
        "https://user:hush@example.com/",
        "https://user@example.com/",
        "http://[::1",
        "https://example.com:8443/",
        "http://example.com/",
        "https://example.com/" + "x" * 2048,
        "nonsense",
    ],
)
async def test_urls_that_are_not_even_looked_up(url: str) -> None:
    error = await refused(FetchPolicy(), url)
    assert error.reason is Reason.URL
    assert "hush" not in str(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_our_own_loopback_is_not_asked(serve: Serve, host: str) -> None:
    base = await serve(hello)
    assert (await refused(STRANGER, base.replace("127.0.0.1", host))).reason is Reason.ADDRESS


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1"])
async def test_other_spellings_of_our_loopback(serve: Serve, host: str) -> None:
    base = await serve(hello)
    error = await refused(STRANGER, base.replace("127.0.0.1", host))
    assert error.reason in (Reason.ADDRESS, Reason.UNREACHABLE, Reason.URL)


async def test_redirects_are_followed_and_checked_anew(serve: Serve) -> None:
    seen: list[str | None] = []

    async def moving(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        targets = {
            "/near": "/file",
            "/far": elsewhere,
            "/back": f"{elsewhere}/return",
            "/return": f"{base}/file",
            "/metadata": "http://169.254.169.254/latest/meta-data",
            "/inside": "http://10.0.0.1/",
            "/scheme": "gopher://example.com/",
            "/for-ever": "/for-ever",
            "/broken": "http://[::1",
        }
        if request.path in targets:
            return web.Response(status=302, headers={"Location": targets[request.path]})
        return web.Response(text="hello")

    elsewhere = await serve(moving)
    base = await serve(moving)
    async with Fetcher.open(LAPTOP) as fetcher:
        assert (await fetcher.get(f"{base}/near")).url == f"{base}/file"
        for path, expected in (
            ("/metadata", Reason.ADDRESS),
            ("/inside", Reason.ADDRESS),
            ("/scheme", Reason.URL),
            ("/for-ever", Reason.REDIRECTS),
            ("/broken", Reason.URL),
        ):
            with pytest.raises(FetchError) as caught:
                await fetcher.get(base + path)
            assert caught.value.reason is expected, path
        seen.clear()
        await fetcher.request("GET", f"{base}/far", authorization="Bearer secret")
        # Another port is another host: what was meant for the first is not for it.
        assert seen == ["Bearer secret", None]
        seen.clear()
        await fetcher.request("GET", f"{base}/near", authorization="Bearer secret")
        assert seen == ["Bearer secret", "Bearer secret"]
        seen.clear()
        await fetcher.request("GET", f"{base}/back", authorization="Bearer secret")
        # Nor is it for what another host sends us back to.
        assert seen == ["Bearer secret", None, None]


async def test_too_much_is_not_read(serve: Serve) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async def bomb(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})

    small = replace(LAPTOP, max_bytes=1_000_000)
    for handler in (endless, bomb):
        error = await refused(small, await serve(handler))
        assert (error.reason, error.passing) == (Reason.TOO_LARGE, False)


async def test_slow_bodies_end(serve: Serve) -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    error = await refused(replace(LAPTOP, total_seconds=0.2), await serve(dripping))
    assert (error.reason, error.passing) == (Reason.TIMEOUT, True)


async def test_compressed_transfers(serve: Serve) -> None:
    async def packed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        encoding = request.path.strip("/")
        return web.Response(body=gzip.compress(b"hello"), headers={"Content-Encoding": encoding})

    async def damaged(request: web.Request) -> web.Response:
        return web.Response(body=b"not gzip", headers={"Content-Encoding": "gzip"})

    base = await serve(packed)
    async with Fetcher.open(LAPTOP) as fetcher:
        assert (await fetcher.get(f"{base}/gzip")).body == b"hello"
        assert (await fetcher.get(f"{base}/identity")).body == gzip.compress(b"hello")
    assert (await refused(LAPTOP, f"{base}/br")).reason is Reason.ENCODING
    assert (await refused(LAPTOP, await serve(damaged))).reason is Reason.ENCODING


async def test_what_the_other_side_says_is_not_repeated(serve: Serve) -> None:
    async def leaking(request: web.Request) -> web.Response:
        return web.Response(status=500, text="secret of the inside", reason="secret")

    error = await refused(LAPTOP, await serve(leaking))
    assert (error.reason, error.status, error.passing) == (Reason.STATUS, 500, True)
    assert "secret" not in str(error)


async def test_nobody_there() -> None:
    assert (await refused(LAPTOP, "http://127.0.0.1:1/")).reason is Reason.UNREACHABLE
    assert (await refused(LAPTOP, "http://does-not-exist.invalid/")).reason is Reason.UNREACHABLE
    assert "127" not in str(await refused(STRANGER, "http://localhost:1/"))
