"""Requests and replies that are larger than a message, over a real NATS server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import nats as nats_client
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from prometheus_client import REGISTRY

from meshery_common.bus import Bus, BusSettings, Header
from meshery_common.bus.headers import BodyReference, CallTerms
from meshery_common.idempotency import Repeated
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.errors import DeadlineExceeded, TooLarge, Unavailable, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.telemetry import Collector

MIB = 1024 * 1024
#: More than one message, and not a whole number of parts.
SIZE = 9 * MIB + 12_345


class Ask(Message):
    text: str = ""
    number: int = 0


class Answer(Message):
    long_text: str


_BODY = public("A test.")
ECHO = Endpoint("meshery.rpc.designs.v1.echo_text", Ask, Answer, key=_BODY, large_requests=True)
SMALL = Endpoint("meshery.rpc.designs.v1.echo_small", Ask, Answer, key=_BODY)
KEYED = Endpoint("meshery.rpc.designs.v1.echo_keyed", Ask, Answer, key=Key.VIEW_DESIGNS, large_requests=True)
CHANGE = Endpoint("meshery.rpc.designs.v1.change_text", Ask, Answer, key=_BODY, command=True)
TAKES = {Header.CALL: f"take={64 * MIB}"}


@asynccontextmanager
async def official(nats: NATSForTests, name: str) -> AsyncIterator[Client]:
    """The official client with a service's rights."""
    raw = await nats_client.connect(
        nats.server.url,
        nkeys_seed_str=nats.seeds[name],
        inbox_prefix=f"_INBOX_{name}".encode(),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0,
    )
    try:
        yield raw
    finally:
        await raw.close()


async def echo(request: Ask, _caller: Caller) -> Answer:
    return Answer(long_text=request.text)


async def swell(request: Ask, _caller: Caller) -> Answer:
    return Answer(long_text="x" * request.number)


def bodies(service: str, way: str, outcome: str) -> float:
    labels = {"service": service, "way": way, "outcome": outcome}
    return REGISTRY.get_sample_value("meshery_bus_large_bodies_total", labels) or 0.0


def taken(service: str) -> float:
    return REGISTRY.get_sample_value("meshery_bus_large_bytes_taken", {"service": service}) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def reference_of(headers: dict[str, str] | None) -> BodyReference:
    found = BodyReference.read((headers or {})[Header.BODY])
    assert found is not None
    return found


async def fetch(raw: Client, place: BodyReference) -> bytes:
    parts = [await raw.request(place.subject, str(one).encode(), timeout=5) for one in range(place.parts)]
    return b"".join(one.data for one in parts)


Part = Callable[[int], Awaitable[bytes | None]]


@asynccontextmanager
async def holding(
    raw: Client, name: str, body: bytes, part: Part, said: list[bytes] | None = None
) -> AsyncIterator[str]:
    """Hold a body as another program would; gives the header. `said` takes what is said at the end."""
    subject = f"meshery.body.{name}.other.{hashlib.md5(body).hexdigest()}"

    async def give(message: Msg) -> None:
        if message.data.isdigit():
            data = await part(int(message.data))
            if data is not None:
                await message.respond(data)
        elif said is not None:
            said.append(message.data)

    await raw.subscribe(subject, cb=give)
    await raw.flush()
    yield BodyReference(subject, len(body), MIB, hashlib.sha256(body).hexdigest()).write()


def cut(body: bytes) -> Part:
    async def part(number: int) -> bytes:
        return body[number * MIB : (number + 1) * MIB]

    return part


async def test_large_requests_and_replies_arrive_whole(server: Bus, client: Bus) -> None:
    await server.serve(ECHO, echo)
    text = "".join(f"{number:08x}" for number in range(SIZE // 8))
    assert (await client.request(ECHO, Ask(text=text))).long_text == text
    await until(lambda: taken("designs") == taken("gateway") == 0)
    for service, way in [(one, way) for one in ("designs", "gateway") for way in ("sent", "received")]:
        assert bodies(service, way, "done") >= 1


async def test_what_fits_into_a_message_goes_in_one(server: Bus, client: Bus, nats: NATSForTests) -> None:
    await server.serve(SMALL, swell)
    before = bodies("designs", "sent", "done")
    size = 4 * MIB - len('{"longText":""}')
    assert len((await client.request(SMALL, Ask(number=size))).long_text) == size
    async with official(nats, "gateway") as raw:
        reply = await raw.request(SMALL.subject, Ask(number=size).model_dump_json().encode(), timeout=5)
        assert len(reply.data) == 4 * MIB
    assert bodies("designs", "sent", "done") == before
    assert len((await client.request(SMALL, Ask(number=size + 1))).long_text) == size + 1
    await until(lambda: bodies("designs", "sent", "done") == before + 1)


async def test_only_endpoints_that_say_so_take_large_requests(
    server: Bus, client: Bus, nats: NATSForTests
) -> None:
    await server.serve(SMALL, echo)
    body = json.dumps({"text": "x" * SIZE}).encode()
    with pytest.raises(TooLarge) as caught:
        await client.request_bytes(SMALL, body)
    assert caught.value.problem.code == "request_too_large"
    async with official(nats, "gateway") as raw, holding(raw, "gateway", body, cut(body)) as reference:
        reply = await raw.request(SMALL.subject, b"", timeout=5, headers={Header.BODY: reference})
    assert json.loads(reply.data)["code"] == "body_too_large"


async def test_beyond_the_limit_nothing_is_sent(nats: NATSForTests, people: People, client: Bus) -> None:
    small = {"max_large_bytes": 6 * MIB}
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("designs", **small), service="designs") as server,
        Bus.connect(nats.bus_settings("gateway", **small), service="gateway") as modest,
    ):
        await server.serve(ECHO, swell)
        with pytest.raises(TooLarge) as caught:
            await modest.request(ECHO, Ask(text="x" * 7 * MIB))
        assert caught.value.problem.code == "request_too_large"
        with pytest.raises(TooLarge) as caught:
            await client.request(ECHO, Ask(text="x" * 7 * MIB))
        assert caught.value.problem.code == "body_too_large"
        with pytest.raises(TooLarge) as caught:
            await client.request(ECHO, Ask(number=7 * MIB))
        assert caught.value.problem.code == "answer_too_large"
        assert f"{6 * MIB:,} are given" in caught.value.problem.title


async def test_who_does_not_say_that_he_takes_large_answers_gets_none(
    server: Bus, nats: NATSForTests
) -> None:
    await server.serve(SMALL, swell)
    ask = Ask(number=SIZE).model_dump_json().encode()
    async with official(nats, "gateway") as raw:
        reply = await raw.request(SMALL.subject, ask, timeout=5)
        assert json.loads(reply.data)["code"] == "answer_too_large"
        reply = await raw.request(SMALL.subject, ask, timeout=5, headers={Header.CALL: f"take={5 * MIB}"})
        assert json.loads(reply.data)["code"] == "answer_too_large"


async def test_an_answer_is_forgotten_once_it_is_read(server: Bus, nats: NATSForTests) -> None:
    await server.serve(SMALL, swell)
    ask = Ask(number=SIZE).model_dump_json().encode()
    async with official(nats, "gateway") as raw:
        reply = await raw.request(SMALL.subject, ask, timeout=5, headers=TAKES)
        assert reply.data == b""
        place = reference_of(reply.headers)
        body = await fetch(raw, place)
        assert json.loads(body) == {"longText": "x" * SIZE}
        assert hashlib.sha256(body).hexdigest() == place.sha256
        for nonsense in (str(place.parts).encode(), b"-1", b"first", b"", b"9" * 100):
            refused = await raw.request(place.subject, nonsense, timeout=5)
            assert refused.headers is not None
            assert (refused.data, refused.headers[Header.ERROR]) == (b"", Word.NOT_FOUND)
        await raw.publish(place.subject, b"done")
        refused = await raw.request(place.subject, b"0", timeout=5)
        assert refused.headers is not None
        assert refused.headers[Header.ERROR] == Word.NOT_FOUND
    await until(lambda: taken("designs") == 0)


async def test_an_answer_that_nobody_fetches_is_forgotten_at_the_deadline(
    server: Bus, nats: NATSForTests
) -> None:
    await server.serve(SMALL, swell)
    lost = bodies("designs", "sent", "lost")
    ask = Ask(number=SIZE).model_dump_json().encode()
    async with official(nats, "gateway") as raw:
        terms = CallTerms(timeout_ms=600, take=64 * MIB).write()
        reply = await raw.request(SMALL.subject, ask, timeout=5, headers={Header.CALL: terms})
        place = reference_of(reply.headers)
        assert (await raw.request(place.subject, b"0", timeout=5)).data
        await until(lambda: bodies("designs", "sent", "lost") == lost + 1)
        refused = await raw.request(place.subject, b"0", timeout=5)
        assert refused.headers is not None
        assert refused.headers[Header.ERROR] == Word.NOT_FOUND


async def test_a_body_is_fetched_only_for_who_may_ask(
    server: Bus, nats: NATSForTests, people: People
) -> None:
    await server.serve(KEYED, echo)
    body = json.dumps({"text": "x" * SIZE}).encode()
    asked: list[int] = []

    async def part(number: int) -> bytes:
        asked.append(number)
        return body[number * MIB : (number + 1) * MIB]

    async with official(nats, "gateway") as raw, holding(raw, "gateway", body, part) as reference:
        headers = {Header.BODY: reference}
        reply = await raw.request(KEYED.subject, b"", timeout=5, headers=headers)
        assert json.loads(reply.data)["word"] == "unauthenticated"
        headers[Header.CALLER] = people.assertion(people.caller(key_bits=0))
        reply = await raw.request(KEYED.subject, b"", timeout=5, headers=headers)
        assert json.loads(reply.data)["word"] == "forbidden"
        assert asked == []
        headers[Header.CALLER] = people.assertion(people.caller())
        reply = await raw.request(KEYED.subject, b"", timeout=5, headers=headers | TAKES)
        assert reference_of(reply.headers).size > SIZE
        assert sorted(asked) == list(range(10))


async def test_a_damaged_body_is_refused(server: Bus, nats: NATSForTests) -> None:
    done: list[Ask] = []

    async def note(request: Ask, _caller: Caller) -> Answer:
        done.append(request)
        return Answer(long_text="")

    await server.serve(ECHO, note)
    body = json.dumps({"text": "x" * SIZE}).encode()
    other, short = body.replace(b"x", b"y", 1), body[:-1]
    async with official(nats, "gateway") as raw:
        for damaged in (other, short):
            async with holding(raw, "gateway", damaged, cut(damaged)) as reference:
                told = reference.partition(";sha256=")[0].replace(str(len(damaged)), str(len(body)))
                told += f";sha256={hashlib.sha256(body).hexdigest()}"
                reply = await raw.request(ECHO.subject, b"", timeout=5, headers={Header.BODY: told})
                assert json.loads(reply.data)["code"] == "body_damaged"
    assert done == []


GOOD = BodyReference(f"meshery.body.gateway.other.{'a' * 32}", SIZE, MIB, "0" * 64)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "size=5",
        GOOD._replace(subject="meshery.rpc.identity.v1.get_user").write(),
        GOOD._replace(subject="$JS.API.STREAM.DELETE.EVT_DESIGNS").write(),
        GOOD._replace(subject="meshery.body.gateway.*.>").write(),
        GOOD._replace(subject="meshery.body.gateway").write(),
        GOOD._replace(size=0).write(),
        GOOD._replace(size=-1).write(),
        GOOD._replace(part_bytes=1).write(),
        GOOD._replace(part_bytes=0).write(),
        GOOD._replace(part_bytes=64 * MIB).write(),
        GOOD._replace(sha256="0").write(),
    ],
)
async def test_a_broken_reference_is_invalid(server: Bus, nats: NATSForTests, reference: str) -> None:
    await server.serve(ECHO, echo)
    async with official(nats, "gateway") as raw:
        # A value may not be empty on the wire.
        headers = {Header.BODY: reference or "nothing"}
        reply = await raw.request(ECHO.subject, b"", timeout=5, headers=headers)
    assert json.loads(reply.data)["code"] == "body_reference_invalid"


@asynccontextmanager
async def answering(nats: NATSForTests, body: bytes, part: Part) -> AsyncIterator[tuple[Client, list[bytes]]]:
    """A service that answers with a large body, part by part as it is told; and what it was told at the end."""
    said: list[bytes] = []
    async with official(nats, "designs") as raw, holding(raw, "designs", body, part, said) as reference:

        async def answer(message: Msg) -> None:
            await raw.publish(message.reply, b"", headers={Header.BODY: reference})

        await raw.subscribe(ECHO.subject, queue="designs", cb=answer)
        await raw.flush()
        yield raw, said


async def test_a_transfer_goes_on_when_nats_was_lost_in_the_middle(nats: NATSForTests, client: Bus) -> None:
    body = json.dumps({"longText": "x" * SIZE}).encode()
    lost = asyncio.Event()

    async def part(number: int) -> bytes | None:
        if number == 4 and not lost.is_set():
            lost.set()
            await nats.server.kill()
            await nats.server.restart()
            return None
        return body[number * MIB : (number + 1) * MIB]

    async with answering(nats, body, part):
        assert await client.request_bytes(ECHO, b"{}", timeout_seconds=30) == body
    assert lost.is_set()


async def test_a_holder_that_dies_in_the_middle_is_told_soon(nats: NATSForTests, client: Bus) -> None:
    body = b"x" * SIZE
    raw: Client

    async def part(number: int) -> bytes | None:
        if number == 4:
            await raw.close()
            return None
        return body[number * MIB : (number + 1) * MIB]

    async with answering(nats, body, part) as (raw, _):
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await client.request_bytes(ECHO, b"{}", timeout_seconds=30)
    assert caught.value.problem.code == "body_gone"
    assert time.monotonic() - started < 10


async def test_the_deadline_counts_over_the_transfer(nats: NATSForTests, client: Bus) -> None:
    async def part(_number: int) -> bytes | None:
        return None

    async with answering(nats, b"x" * SIZE, part) as (_, said):
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await client.request_bytes(ECHO, b"{}", timeout_seconds=0.5)
        assert time.monotonic() - started < 5
        await until(lambda: said == [b"gone"])
    assert taken("gateway") == 0


async def test_who_waits_no_more_says_so(nats: NATSForTests, client: Bus) -> None:
    begun = asyncio.Event()

    async def part(_number: int) -> bytes | None:
        begun.set()
        return None

    async with answering(nats, b"x" * SIZE, part) as (_, said):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(client.request_bytes(ECHO, b"{}", timeout_seconds=30))
            await begun.wait()
            task.cancel()
        await until(lambda: said == [b"gone"])


async def test_a_request_ends_at_its_deadline_while_its_body_is_fetched(
    server: Bus, nats: NATSForTests
) -> None:
    await server.serve(ECHO, echo)

    async def part(_number: int) -> bytes | None:
        return None

    async with official(nats, "gateway") as raw, holding(raw, "gateway", b"x" * SIZE, part) as reference:
        headers = {Header.BODY: reference, Header.CALL: "timeout=400"}
        reply = await raw.request(ECHO.subject, b"", timeout=5, headers=headers)
    assert json.loads(reply.data)["code"] == "deadline_passed"


async def test_memory_is_bounded(nats: NATSForTests, people: People, client: Bus) -> None:
    gate = asyncio.Event()
    begun = asyncio.Event()

    async def wait(request: Ask, _caller: Caller) -> Answer:
        begun.set()
        await gate.wait()
        return Answer(long_text=request.text)

    settings = nats.bus_settings("designs", max_large_bytes=12 * MIB, large_bytes_at_once=12 * MIB)
    async with people.serving(nats), Bus.connect(settings, service="designs") as server:
        await server.serve(ECHO, wait)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.request(ECHO, Ask(text="x" * 7 * MIB)))
            await begun.wait()
            assert taken("designs") > 7 * MIB
            with pytest.raises(Unavailable) as caught:
                await client.request(ECHO, Ask(text="x" * 7 * MIB))
            assert caught.value.problem.code == "overloaded"
            gate.set()
        assert len(first.result().long_text) == 7 * MIB
        await until(lambda: taken("designs") == 0)
        assert len((await client.request(ECHO, Ask(text="x" * 7 * MIB))).long_text) == 7 * MIB


async def test_a_stop_lets_a_large_answer_be_fetched(nats: NATSForTests, people: People) -> None:
    ask = Ask(number=SIZE).model_dump_json().encode()

    async def stopping() -> None:
        async with Bus.connect(nats.bus_settings("designs"), service="designs") as server:
            await server.serve(SMALL, swell)
            await server.announce()
            served.set()
            await stop.wait()

    served, stop = asyncio.Event(), asyncio.Event()
    async with people.serving(nats), official(nats, "gateway") as raw, asyncio.TaskGroup() as group:
        task = group.create_task(stopping())
        await served.wait()
        reply = await raw.request(SMALL.subject, ask, timeout=5, headers=TAKES)
        stop.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    await raw.request(SMALL.subject, b"{}", timeout=5)
                except NoRespondersError:
                    break
        assert not task.done()
        place = reference_of(reply.headers)
        assert len(await fetch(raw, place)) == place.size
        await raw.publish(place.subject, b"done")
        async with asyncio.timeout(5):
            await task


async def test_the_kept_answer_of_a_command_may_be_large(server: Bus, client: Bus) -> None:
    kept = json.dumps({"longText": "x" * SIZE}).encode()

    async def repeated(_request: Ask, _caller: Caller) -> Answer:
        raise Repeated(kept)

    await server.serve(CHANGE, repeated)
    assert await client.request_bytes(CHANGE, b"{}", idempotency_key="once") == kept


async def test_spans_tell_of_large_bodies(server: Bus, client: Bus, collector: Collector) -> None:
    await server.serve(ECHO, echo)
    await server.announce()
    await client.request(ECHO, Ask(text="x" * SIZE))
    await client.request(ECHO, Ask(text="x"))
    spans = await asyncio.to_thread(collector.spans)
    sizes = {
        (one.kind, name): size
        for one in spans
        for name in ("meshery.bus.large_bytes_sent", "meshery.bus.large_bytes_received")
        if (size := one.attributes.get(name))
    }
    request, reply = SIZE + len('{"text":""}'), SIZE + len('{"longText":""}')
    assert sizes == {
        ("client", "meshery.bus.large_bytes_sent"): request,
        ("server", "meshery.bus.large_bytes_received"): request,
        ("server", "meshery.bus.large_bytes_sent"): reply,
        ("client", "meshery.bus.large_bytes_received"): reply,
    }


async def test_nats_tools_show_who_takes_large_requests(server: Bus, nats: NATSForTests) -> None:
    await server.serve(ECHO, echo)
    await server.serve(SMALL, echo)
    await server.announce()
    async with official(nats, "gateway") as raw:
        info = json.loads((await raw.request("$SRV.INFO.meshery-designs", timeout=2)).data)
    assert [one["metadata"]["large_requests"] for one in info["endpoints"]] == ["true", "false"]


def test_the_largest_body_must_find_room() -> None:
    with pytest.raises(ValueError, match="large_bytes_at_once"):
        BusSettings(max_large_bytes=64 * MIB, large_bytes_at_once=MIB)


def test_the_terms_of_older_and_newer_callers_are_read() -> None:
    terms = CallTerms(5000, 1_790_000_000_000, "abc", 64 * MIB)
    assert CallTerms.read(terms.write()) == terms
    assert CallTerms.read("timeout=5;deadline=6;request=abc") == CallTerms(5, 6, "abc")
    assert CallTerms.read("take=7") == CallTerms(take=7)
    assert CallTerms.read("take=many;timeout=²;other") == CallTerms()
