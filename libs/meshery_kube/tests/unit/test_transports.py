"""Retries, limits, identities and faults on the way to a server."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from meshery_kube import AddressPolicy, Client, ClientSettings, Context, Impersonation, errors
from meshery_kube.kinds import POD
from meshery_kube.kubeconfigs import Server, User
from meshery_kube.transports import Call

GET = Call("GET", "/x", repeatable=True)
POST = Call("POST", "/x", body=b"{}")
TOKEN = "s3cr3t-t0ken-value"


def status(code: int, reason: str = "", message: str = "", **details: Any) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response({**body, "details": details}, status=code)


async def test_429_is_retried_after_the_time_that_the_server_names(serve: Any) -> None:
    seen: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(asyncio.get_running_loop().time())
        if len(seen) < 3:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.Response(body=b"{}", status=201)

    kube = await serve(handler)
    assert (await kube.transport.request(POST)).code == 201
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("call", "code", "tries"), [(GET, 503, 4), (POST, 503, 1), (GET, 500, 1), (POST, 429, 4)]
)
async def test_what_is_retried(serve: Any, call: Call, code: int, tries: int) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.method)
        return status(code)

    kube = await serve(handler)
    with pytest.raises(errors.ApiError):
        await kube.transport.request(call)
    assert len(seen) == tries


async def test_a_pause_beyond_the_deadline_is_not_waited_for(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "60"})

    kube = await serve(handler)
    with pytest.raises(errors.TooManyRequests) as caught:
        async with asyncio.timeout(1):
            await kube.transport.request(GET)
    assert caught.value.retry_after == 60


async def test_a_broken_connection_is_retried_only_where_repeating_is_safe(serve: Any) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.method)
        if len(seen) in (2, 3):
            assert request.transport is not None
            request.transport.close()
        return web.Response(body=b"{}")

    kube = await serve(handler)
    await kube.transport.request(GET)
    with pytest.raises(errors.Unreachable) as caught:
        await kube.transport.request(POST)
    assert caught.value.fault is errors.Fault.RESET
    assert caught.value.__cause__ is not None
    assert (await kube.transport.request(GET)).body == b"{}"
    assert seen == ["GET", "POST", "GET", "GET"]


async def test_silence_ends_with_the_time_given(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    kube = await serve(handler)
    with pytest.raises(errors.Timeout):
        await kube.transport.request(GET, timeout=0.05)
    with pytest.raises(errors.Timeout):
        async with kube.transport.stream(GET, timeout=0.05):
            pass


async def test_a_redirect_is_not_followed_and_says_so(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    kube = await serve(handler, token=TOKEN)
    with pytest.raises(errors.ProtocolError):
        await kube.transport.request(GET)


async def test_a_body_is_limited_after_decompression(serve: Any) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    kube = await serve(handler, settings=ClientSettings(max_body_bytes=1_000_000))
    with pytest.raises(errors.ProtocolError):
        await kube.transport.request(GET)
    assert len(bomb) < 10_000


async def test_our_token_is_blanked_in_what_the_server_says(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return status(401, "Unauthorized", f"bad token {TOKEN}", causes=[{"message": TOKEN}])

    kube = await serve(handler, token=TOKEN)
    with pytest.raises(errors.Unauthorized) as caught:
        await kube.transport.request(GET)
    assert TOKEN not in f"{caught.value!s} {caught.value!r} {caught.value.status!r}"
    assert "***" in str(caught.value)


async def test_a_401_renews_the_token_once(serve: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    async def handler(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer new":
            file.write_text("new")
            return status(401)
        return web.Response(body=b"ok")

    base = await serve(handler)
    server = base.transport.context.server
    async with Client(Context("t", server, User("u", token_file=file))) as kube:
        assert (await kube.transport.request(GET)).body == b"ok"
        file.write_text("old")
        await kube.transport._credentials.renew()
        async with kube.transport.stream(GET) as stream:
            assert await stream.read() == b"ok"


async def test_impersonation_is_a_view_on_the_same_pool(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(
            {"gitVersion": request.headers.get("Impersonate-User", ""), "major": "1", "minor": "31+"}
        )

    kube = await serve(handler)
    bob = kube.impersonating(Impersonation("bob"))
    assert (await bob.version()).git_version == "bob"
    assert (await kube.version()).git_version == ""
    assert (await kube.version()).at_least(1, 31)
    assert not (await kube.version()).at_least(1, 32)


async def test_warnings_are_collected(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=b"{}")
        response.headers.add("Warning", '299 - "one, \\"quoted\\"", 299 - "two"')
        response.headers.add("Warning", '299 - "two"')
        response.headers.add("Warning", '199 - "other"')
        return response

    kube = await serve(handler)
    assert (await kube.transport.request(GET)).warnings == ('one, "quoted"', "two")


async def test_the_address_policy_stands_before_the_first_byte(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        raise AssertionError("must not be reached")

    for name in ("127.0.0.1", "localhost"):
        base = await serve(handler, addresses=AddressPolicy(allow_private=True))
        url = base.transport.context.server.url.replace("127.0.0.1", name)
        context = Context("t", Server("t", url), User("u"))
        async with Client(context, addresses=AddressPolicy(allow_private=True)) as kube:
            with pytest.raises(errors.AddressRefused):
                await kube.version()


async def test_an_allowed_address_works(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"ok")

    kube = await serve(handler, addresses=AddressPolicy(allow_loopback=True))
    assert (await kube.transport.request(GET)).body == b"ok"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://does-not-exist.invalid", errors.Fault.DNS),
        ("http://127.0.0.1:1", errors.Fault.REFUSED),
    ],
)
async def test_no_conversation(url: str, fault: errors.Fault) -> None:
    async with Client(Context("t", Server("t", url), User("u"))) as kube:
        with pytest.raises(errors.Unreachable) as caught:
            await kube.version()
        assert caught.value.fault is fault


@pytest.mark.parametrize("answer", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n"])
async def test_what_speaks_no_http_is_a_protocol_error(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Client(Context("t", Server("t", f"http://127.0.0.1:{port}"), User("u"))) as kube:
        with pytest.raises(errors.ProtocolError):
            await kube.version()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"major":"x"}', b"{}"])
async def test_what_is_no_kubernetes_says_so(serve: Any, body: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body)

    kube = await serve(handler)
    with pytest.raises(errors.ProtocolError, match="not as a Kubernetes"):
        await kube.version()


async def test_the_rate_is_limited_over_all_callers(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    kube = await serve(handler, settings=ClientSettings(rate=100, burst=5))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(15):
            tasks.create_task(kube.transport.request(GET))
    assert loop.time() - began >= 0.09


async def test_a_server_that_queues_by_itself_is_asked_as_fast_as_it_answers(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Kubernetes-PF-FlowSchema-UID": "b1f6d3c2"})

    kube = await serve(handler, settings=ClientSettings(rate=1, burst=1))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(10):
        await kube.transport.request(GET)
    assert loop.time() - began < 5, "ten requests at one a second"


async def test_short_requests_in_flight_are_limited(serve: Any) -> None:
    now = most = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.Response()

    kube = await serve(handler, settings=ClientSettings(max_in_flight=3))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(12):
            tasks.create_task(kube.transport.request(GET))
    assert most == 3


async def test_a_client_that_is_not_open_says_so() -> None:
    kube = Client(Context("t", Server("t", "http://127.0.0.1:1"), User("u")))
    with pytest.raises(errors.KubeError, match="not open"):
        await kube.version()


async def test_a_consumers_own_error_is_not_taken_for_one_of_the_network(serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"line")

    kube = await serve(handler)

    async def consume() -> None:
        async with kube.transport.stream(GET) as stream:
            await stream.read()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await consume()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb", "../../secrets/x"])
async def test_a_name_cannot_lead_to_another_path(name: str) -> None:
    with pytest.raises(errors.NameRefused):
        POD.object_path(name, "default")
    with pytest.raises(errors.NameRefused):
        POD.object_path("a", name)


def test_paths() -> None:
    assert POD.object_path("a b", "ns", "log") == "/api/v1/namespaces/ns/pods/a%20b/log"
    assert POD.collection_path() == "/api/v1/pods"
    with pytest.raises(errors.NameRefused):
        POD.object_path("a")
