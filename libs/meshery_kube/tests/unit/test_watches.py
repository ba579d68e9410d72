"""Watches against servers that behave well, badly and not at all."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshery_kube import (
    Bookmark,
    Change,
    Client,
    Interrupted,
    Refused,
    Selection,
    SnapshotEnded,
    SnapshotMode,
    SnapshotStarted,
    Watch,
    WatchEvent,
    WatchOptions,
    errors,
)
from meshery_kube.kinds import POD

FAST = WatchOptions(first_pause=0.01, longest_pause=0.02, idle=0.2, first_idle=0.2, refused=0.02)


def pod(name: str, version: int | str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "resourceVersion": str(version)},
    }


def line(kind: str, thing: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "object": thing}) + b"\n"


def added(name: str, version: int | str) -> bytes:
    return line("ADDED", pod(name, version))


def bookmark(version: int | str, *, end: bool = False) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return line("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": metadata})


def failed(code: int, **more: Any) -> bytes:
    return line("ERROR", {"kind": "Status", "code": code, "message": "m", **more})


Part = bytes | float
Answer = list[Part] | web.Response


class Script:
    """An API server that gives one prepared answer per request; the last one again and again.

    Bytes are sent, numbers are pauses in seconds.
    """

    def __init__(self, *answers: Answer, minor: str = "36", lists: Any = None) -> None:
        self.answers = list(answers)
        self.minor = minor
        self.lists = lists
        self.queries: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": self.minor})
        self.queries.append(dict(request.query))
        if "watch" not in request.query:
            assert self.lists is not None, "nobody should list"
            result = self.lists(request)
            assert isinstance(result, web.Response)
            return result
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        response = web.StreamResponse()
        await response.prepare(request)
        for part in answer:
            if isinstance(part, bytes):
                await response.write(part)
            else:
                await asyncio.sleep(part)
        return response

    @property
    def versions(self) -> list[str | None]:
        return [query.get("resourceVersion") for query in self.queries]


async def collect(
    kube: Client, until: Callable[[WatchEvent], bool], options: WatchOptions = FAST, **selection: Any
) -> list[WatchEvent]:
    found: list[WatchEvent] = []
    async with asyncio.timeout(10):
        async with aclosing(kube.watch(POD, Selection(**selection), options)) as events:
            async for event in events:
                found.append(event)
                if until(event):
                    break
    return found


def times(count: int, kind: type[object]) -> Callable[[WatchEvent], bool]:
    left = count

    def until(event: WatchEvent) -> bool:
        nonlocal left
        left -= isinstance(event, kind)
        return left == 0

    return until


def names(events: list[WatchEvent]) -> list[str]:
    return [e.object["metadata"]["name"] for e in events if isinstance(e, Change)]


HOLD = 5.0


async def test_a_streamed_snapshot_then_changes(serve: Any) -> None:
    server = Script(
        [added("a", 3), added("b", 1), bookmark(7, end=True), line("MODIFIED", pod("a", 8)),
         line("DELETED", pod("b", 9)), bookmark(10), HOLD],
    )  # fmt: skip
    kube = await serve(server)
    found = await collect(kube, times(1, Bookmark), label_selector="a=b", namespace="ns")
    assert found[0] == SnapshotStarted(SnapshotMode.STREAMED)
    assert found[3] == SnapshotEnded("7", 2)
    assert [e.type for e in found if isinstance(e, Change)] == [
        "ADDED", "ADDED", "MODIFIED", "DELETED",
    ]  # fmt: skip
    assert found[-1] == Bookmark("10")
    query = server.queries[0]
    assert 300 <= int(query.pop("timeoutSeconds")) <= 600
    assert query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "labelSelector": "a=b",
    }


async def test_it_goes_on_from_the_last_version_it_saw(serve: Any) -> None:
    server = Script(
        [bookmark(7, end=True), added("a", 8)],
        [bookmark(11)],
        [added("b", 12), 0.01],
        [HOLD],
    )
    kube = await serve(server)
    found = await collect(kube, times(2, Change))
    assert names(found) == ["a", "b"]
    assert server.versions == [None, "8", "11"]
    assert not any(isinstance(e, Interrupted) for e in found)


async def test_a_cut_in_the_middle_of_a_line_loses_nothing(serve: Any) -> None:
    whole = added("a", 8)
    server = Script([bookmark(7, end=True), 0.02, whole[:30]], [whole, HOLD])
    kube = await serve(server)
    assert names(await collect(kube, times(1, Change))) == ["a"]
    assert server.versions == [None, "7"]


async def test_410_takes_a_new_snapshot_whether_as_answer_or_event(serve: Any) -> None:
    gone = web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
    server = Script(
        [bookmark(7, end=True), added("a", 8), failed(410, reason="Expired")],
        [added("b", 9), bookmark(10, end=True)],
        gone,
        [bookmark(20, end=True), HOLD],
    )
    kube = await serve(server)
    found = await collect(kube, times(3, SnapshotEnded))
    assert server.versions == [None, None, "10", None]
    broken = [e for e in found if isinstance(e, Interrupted) and isinstance(e.error, errors.Expired)]
    assert len(broken) == 2
    assert all(e.relist for e in broken)


async def test_429_waits_as_long_as_the_server_says(serve: Any) -> None:
    busy = web.Response(status=429, headers={"Retry-After": "1"})
    server = Script(busy, [bookmark(7, end=True), HOLD])
    kube = await serve(server)
    began = asyncio.get_running_loop().time()
    found = await collect(kube, times(1, SnapshotEnded))
    assert asyncio.get_running_loop().time() - began >= 1
    first = found[0]
    assert isinstance(first, Interrupted)
    assert isinstance(first.error, errors.TooManyRequests)


async def test_silence_is_a_dead_connection(serve: Any) -> None:
    server = Script([bookmark(7, end=True), added("a", 8), HOLD], [added("b", 9), HOLD])
    kube = await serve(server)
    found = await collect(kube, times(2, Change))
    assert server.versions == [None, "8"]
    broken = [e for e in found if isinstance(e, Interrupted)]
    assert isinstance(broken[0].error, errors.Timeout)
    assert not broken[0].relist


def listing(*pages: list[str]) -> Callable[[web.Request], web.Response]:
    def answer(request: web.Request) -> web.Response:
        number = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": "50"}
        if number + 1 < len(pages):
            metadata["continue"] = str(number + 1)
        items = [{"metadata": {"name": name}} for name in pages[number]]
        return web.json_response({"metadata": metadata, "items": items})

    return answer


@pytest.mark.parametrize("code", [400, 422])
async def test_a_server_that_refuses_to_stream_is_listed_and_not_asked_again(serve: Any, code: int) -> None:
    refusal = web.json_response(
        {"kind": "Status", "code": code, "message": "sendInitialEvents: Forbidden"}, status=code
    )
    server = Script(refusal, [added("c", 51), HOLD], lists=listing(["a"], ["b"]))
    kube = await serve(server)
    found = await collect(kube, times(3, Change))
    assert found[0] == SnapshotStarted(SnapshotMode.LISTED)
    assert names(found) == ["a", "b", "c"]
    assert SnapshotEnded("50", 2) in found
    assert server.versions == [None, None, None, "50"]
    await collect(kube, times(1, SnapshotEnded))
    assert "sendInitialEvents" not in server.queries[-1]


async def test_old_servers_are_not_asked_to_stream(serve: Any) -> None:
    server = Script([HOLD], minor="26", lists=listing(["a"]))
    kube = await serve(server)
    await collect(kube, times(1, SnapshotEnded))
    assert len(server.queries) == 1
    assert "watch" not in server.queries[0]


async def test_a_snapshot_without_an_end_is_taken_by_listing(serve: Any) -> None:
    server = Script([added("a", 1), HOLD], [HOLD], lists=listing(["a"]))
    kube = await serve(server)
    found = await collect(kube, times(1, SnapshotEnded))
    assert [e.mode for e in found if isinstance(e, SnapshotStarted)] == [
        SnapshotMode.STREAMED,
        SnapshotMode.LISTED,
    ]


async def test_a_snapshot_that_goes_on_for_ever_is_taken_by_listing(serve: Any) -> None:
    endless: list[Part] = [part for n in range(200) for part in (added("a", n), 0.02)]
    server = Script(endless, [HOLD], lists=listing(["a"]))
    kube = await serve(server)
    found = await collect(kube, times(1, SnapshotEnded), replace(FAST, snapshot=0.2))
    assert found[-1] == SnapshotEnded("50", 1)


async def test_a_snapshot_cut_off_is_void_and_taken_again(serve: Any) -> None:
    server = Script([added("a", 1)], [added("a", 1), bookmark(7, end=True), HOLD])
    kube = await serve(server)
    found = await collect(kube, times(1, SnapshotEnded))
    assert [type(e) for e in found] == [
        SnapshotStarted, Change, Interrupted, SnapshotStarted, Change, SnapshotEnded,
    ]  # fmt: skip


async def test_listing_is_the_last_resort_for_snapshots_cut_off_again_and_again(serve: Any) -> None:
    server = Script([added("a", 1)], [added("a", 1)], [HOLD], lists=listing(["a"]))
    kube = await serve(server)
    assert (await collect(kube, times(1, SnapshotEnded)))[-1] == SnapshotEnded("50", 1)


async def test_a_list_that_outlives_its_token_asks_for_larger_pages(serve: Any) -> None:
    limits: list[str | None] = []

    def answer(request: web.Request) -> web.Response:
        limits.append(request.query.get("limit"))
        if "continue" in request.query:
            return web.json_response({"kind": "Status", "code": 410}, status=410)
        more = {"continue": "x"} if request.query.get("limit") else {}
        return web.json_response({"metadata": {"resourceVersion": "5", **more}, "items": []})

    kube = await serve(Script([HOLD], lists=answer))
    options = replace(FAST, streaming=False, page_size=2_000)
    found = await collect(kube, times(1, SnapshotEnded), options)
    assert limits == ["2000", "2000", "8000", "8000", None]
    assert all(e.relist for e in found if isinstance(e, Interrupted))


@pytest.mark.parametrize(
    ("code", "expected"),
    [(401, errors.Unauthorized), (403, errors.Forbidden), (404, errors.KindNotFound),
     (405, errors.MethodNotAllowed), (406, errors.NotAcceptable)],
)  # fmt: skip
async def test_a_refusal_is_told_and_asked_again_seldom(
    serve: Any, code: int, expected: type[errors.ApiError]
) -> None:
    server = Script(web.Response(status=code), [bookmark(7, end=True), HOLD])
    kube = await serve(server)
    found = await collect(kube, times(1, SnapshotEnded))
    first = found[0]
    assert isinstance(first, Refused)
    assert isinstance(first.error, expected)
    assert 0.018 <= first.retry_seconds <= 0.022


async def test_a_kind_that_comes_back_gets_a_new_snapshot(serve: Any) -> None:
    server = Script([bookmark(7, end=True)], web.Response(status=404), [bookmark(9, end=True), HOLD])
    kube = await serve(server)
    await collect(kube, times(2, SnapshotEnded))
    assert server.versions == [None, "7", None]


async def test_an_error_event_keeps_the_version_until_it_proves_useless(serve: Any) -> None:
    server = Script([bookmark(7, end=True)], [failed(500)])
    kube = await serve(server)
    found = await collect(kube, lambda e: isinstance(e, Interrupted) and e.relist)
    assert server.versions == [None, "7", "7", "7", "7"]
    assert sum(isinstance(e, Interrupted) for e in found) == 4


async def test_a_restored_etcd_is_noticed(serve: Any) -> None:
    large = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    future = web.json_response({"kind": "Status", "code": 504, "details": {"causes": large}}, status=504)
    server = Script(
        [bookmark(70, end=True)], future, [bookmark(60, end=True), bookmark(50)],
        [bookmark(51, end=True), HOLD],
    )  # fmt: skip
    kube = await serve(server)
    await collect(kube, times(3, SnapshotEnded))
    assert server.versions == [None, "70", None, None]


async def test_a_watch_that_ends_at_once_is_not_hammered(serve: Any) -> None:
    server = Script([bookmark(7, end=True)], [])
    kube = await serve(server)
    found = await collect(kube, times(3, Interrupted))
    assert all(e.retry_seconds > 0 for e in found if isinstance(e, Interrupted))


async def test_a_dead_server_is_waited_for(serve: Any) -> None:
    kube = await serve(Script([HOLD]))
    context = kube.transport.context
    dead = replace(context, server=replace(context.server, url="http://127.0.0.1:1"))
    async with Client(dead) as gone:
        found = await collect(gone, times(3, Interrupted))
    assert all(isinstance(e.error, errors.Unreachable) for e in found if isinstance(e, Interrupted))


async def test_a_line_beyond_the_limit_is_told(serve: Any) -> None:
    server = Script([added("a" * 500, 1), HOLD])
    kube = await serve(server)
    found = await collect(kube, times(1, Interrupted), replace(FAST, max_line_bytes=100))
    assert isinstance(found[-1], Interrupted)
    assert isinstance(found[-1].error, errors.ProtocolError)


async def test_unusual_lines(serve: Any) -> None:
    """Other key order, spaces, empty lines and unknown types: all within the API's rules."""
    odd = b'{"object": ' + orjson.dumps(pod("a", 8)) + b' , "type": "ADDED"}\n'
    server = Script(
        [bookmark(7, end=True), b"\n \n", odd, line("SOMETHING", pod("b", 9)), added("c", 10), HOLD]
    )
    kube = await serve(server)
    assert names(await collect(kube, times(2, Change))) == ["a", "c"]


@pytest.mark.parametrize("junk", [b"not json\n", b'{"type":5}\n', b'{"type":"ADDED","object":\n'])
async def test_junk_is_told_and_survived(serve: Any, junk: bytes) -> None:
    server = Script([bookmark(7, end=True), junk], [bookmark(8), added("a", 9), HOLD],
                    [bookmark(8, end=True), added("a", 9), HOLD])  # fmt: skip
    kube = await serve(server)
    found = await collect(kube, lambda e: isinstance(e, Change) and b"metadata" in e.raw)
    assert names(found[-1:]) == ["a"]


async def test_it_starts_from_a_version_when_told_so(serve: Any) -> None:
    server = Script([added("a", 8), HOLD])
    kube = await serve(server)
    found = await collect(kube, times(1, Change), replace(FAST, resume_from="5"))
    assert len(found) == 1
    assert server.versions == ["5"]


async def test_metadata_only_watches_ask_for_nothing_else(serve: Any) -> None:
    accepted: list[str] = []
    script = Script([bookmark(7, end=True), HOLD])

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path != "/version":
            accepted.append(request.headers["Accept"])
        return await script(request)

    kube = await serve(handler)
    await collect(kube, times(1, SnapshotEnded), metadata_only=True)
    assert accepted == ["application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"]


async def test_the_gate_lets_few_snapshots_in_at_once_and_is_free_afterwards(serve: Any) -> None:
    open_now = most = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal open_now, most
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "36"})
        open_now += 1
        most = max(most, open_now)
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(0.03)
        open_now -= 1
        await response.write(bookmark(7, end=True))
        await asyncio.sleep(HOLD)
        return response

    kube = await serve(handler)
    gate = asyncio.Semaphore(2)
    options = replace(FAST, snapshot_gate=gate, idle=60)
    ready = asyncio.Barrier(7)

    async def follow() -> None:
        async with aclosing(kube.watch(POD, None, options)) as events:
            async for event in events:
                if isinstance(event, SnapshotEnded):
                    await ready.wait()

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(follow()) for _ in range(6)]
        await ready.wait()
        for task in followers:
            task.cancel()
    assert most == 2
    async with asyncio.timeout(1):
        await gate.acquire()
        await gate.acquire()


async def test_events_come_in_batches_too(serve: Any) -> None:
    many = b"".join(added(f"p{n}", n) for n in range(500)) + bookmark(900, end=True)
    kube = await serve(Script([many, HOLD]))
    watch: Watch = kube.watching(POD, None, FAST)
    sizes: list[int] = []
    async with aclosing(watch.batches()) as batches:
        async for batch in batches:
            sizes.append(len(batch))
            if isinstance(batch[-1], SnapshotEnded):
                break
    assert sum(sizes) == 502
    assert len(sizes) < 50
    assert watch.resource_version == "900"


STREAM = b"".join(
    [added("a", 1), line("MODIFIED", pod("ä" * 50, 2)), bookmark(7, end=True), added("c", 8),
     b"\n", bookmark(9), line("DELETED", pod("d", 10))]
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    """Through the same code as a real connection, fed by hand: no socket, no clock."""

    async def run() -> None:
        places = sorted({0, len(STREAM), *cuts})
        chunks = [STREAM[a:b] for a, b in pairwise(places)]
        watch = Watch(FakeTransport(chunks), None, POD, Selection(), FAST)  # type: ignore[arg-type]
        found: list[WatchEvent] = []
        async for batch in watch._stream(None):
            found += batch
        assert [type(e).__name__ for e in found] == [
            "SnapshotStarted", "Change", "Change", "SnapshotEnded", "Change", "Bookmark", "Change",
        ]  # fmt: skip
        assert names(found) == ["a", "ä" * 50, "c", "d"]
        assert watch.resource_version == "10"

    asyncio.run(run())


class FakeTransport:
    """Gives prepared chunks as the only stream."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def stream(self, call: object) -> "FakeTransport":
        return self

    async def __aenter__(self) -> "FakeTransport":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, idle: float | None = None) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""


async def test_a_slow_consumer_is_no_fault(serve: Any) -> None:
    many = b"".join(added(f"p{n}", n) for n in range(300))
    kube = await serve(Script([many, bookmark(900, end=True), HOLD]))
    found = 0
    async with aclosing(kube.watch(POD, None, FAST)) as events:
        async for event in events:
            assert not isinstance(event, Interrupted)
            if found == 0:
                await asyncio.sleep(0.5)  # longer than the idle limits
            found += 1
            if isinstance(event, SnapshotEnded):
                break
    assert found == 302
