"""Requests and endpoints over a real NATS server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import nats as nats_client
import pytest

from meshery_common.bus import Bus, BusSettings, Header
from meshery_common.context import RequestContext, current_request, serving
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.errors import (
    DeadlineExceeded,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
    Word,
)
from meshery_contracts.keys import LOCAL_BITS, Key
from meshery_contracts.messages import Message
from meshery_testkit.nats import NATSForTests, People


class Ask(Message):
    """A request."""

    text: str
    number: int = 0


class Answer(Message):
    """A reply."""

    long_text: str


OPEN = Endpoint("meshery.rpc.designs.v1.echo_text", Ask, Answer, key=public("A test."))
KEYED = Endpoint("meshery.rpc.designs.v1.echo_keyed", Ask, Answer, key=Key.VIEW_DESIGNS)
CHANGE = Endpoint("meshery.rpc.designs.v1.change_text", Ask, Answer, key=public("A test."), command=True)
FAST = Endpoint("meshery.rpc.designs.v1.echo_fast", Ask, Answer, key=public("A test."), timeout_seconds=0.3)
Handler = Callable[[Ask, Caller], Awaitable[Answer]]


async def echo(request: Ask, _caller: Caller) -> Answer:
    return Answer(long_text=request.text)


async def test_a_request_gets_its_typed_reply(server: Bus, client: Bus) -> None:
    await server.serve(OPEN, echo)
    assert await client.request(OPEN, Ask(text="hello")) == Answer(long_text="hello")
    raw = await client.request_bytes(OPEN, b'{"text": "hello"}')
    assert json.loads(raw) == {"longText": "hello"}


async def test_handlers_run_side_by_side(server: Bus, client: Bus) -> None:
    together = asyncio.Barrier(10)

    async def meet(request: Ask, _caller: Caller) -> Answer:
        await together.wait()
        return Answer(long_text=request.text)

    await server.serve(OPEN, meet)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.request(OPEN, Ask(text=str(one)))) for one in range(10)]
    assert {task.result().long_text for task in tasks} == {str(one) for one in range(10)}


async def test_more_than_the_limit_is_refused_at_once(
    nats: NATSForTests, client: Bus, people: People
) -> None:
    gate = asyncio.Event()

    async def wait(request: Ask, _caller: Caller) -> Answer:
        await gate.wait()
        return Answer(long_text=request.text)

    settings = nats.bus_settings("designs", max_in_flight=2)
    async with people.serving(nats), Bus.connect(settings, service="designs") as server:
        await server.serve(OPEN, wait)

        async def ask() -> str:
            try:
                return (await client.request(OPEN, Ask(text="x"))).long_text
            except Unavailable as error:
                return error.problem.code

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask()) for _ in range(5)]
            while sum(task.done() for task in tasks) < 3:
                await asyncio.sleep(0.01)
            gate.set()
    assert sorted(task.result() for task in tasks) == ["overloaded"] * 3 + ["x"] * 2


async def test_a_wrong_request_is_told_where_it_is_wrong(server: Bus, client: Bus) -> None:
    await server.serve(OPEN, echo)
    with pytest.raises(Invalid) as caught:
        await client.request_bytes(OPEN, b'{"text": "x", "number": "many"}')
    assert caught.value.problem.fields[0].path == "number"
    with pytest.raises(Invalid):
        await client.request_bytes(OPEN, b"{ this is no JSON")


async def test_an_unforeseen_error_tells_nothing_but_its_id(server: Bus, client: Bus) -> None:
    async def fail(_request: Ask, _caller: Caller) -> Answer:
        raise KeyError("password=hunter2")

    await server.serve(OPEN, fail)
    with pytest.raises(Internal) as caught:
        await client.request(OPEN, Ask(text="x"))
    assert "hunter2" not in caught.value.problem.model_dump_json()
    assert len(caught.value.problem.trace_id) == 32


async def test_a_typed_error_arrives_whole(server: Bus, client: Bus) -> None:
    async def miss(_request: Ask, _caller: Caller) -> Answer:
        raise NotFound("It is gone.", code="gone", cause="Somebody took it.", remedy="Look elsewhere.")

    await server.serve(OPEN, miss)
    with pytest.raises(NotFound) as caught:
        await client.request(OPEN, Ask(text="x"))
    assert (caught.value.problem.code, caught.value.problem.remediation) == ("gone", ("Look elsewhere.",))


async def test_who_has_no_assertion_or_no_key_is_refused(server: Bus, client: Bus, people: People) -> None:
    await server.serve(KEYED, echo)
    with pytest.raises(Unauthenticated):
        await client.request(KEYED, Ask(text="x"))
    nobody = people.assertion(people.caller(key_bits=0))
    with pytest.raises(Forbidden) as caught:
        await client.request(KEYED, Ask(text="x"), assertion=nobody)
    assert caught.value.problem.code == "key_missing"
    somebody = people.assertion(people.caller(key_bits=LOCAL_BITS))
    assert (await client.request(KEYED, Ask(text="x"), assertion=somebody)).long_text == "x"


async def test_a_forged_or_expired_assertion_is_refused(server: Bus, client: Bus, people: People) -> None:
    await server.serve(KEYED, echo)
    head, body, signature = people.assertion(people.caller()).split(".")
    expired, _ = people.signer.sign(people.caller(), now=time.time() - 3600)
    for bad in (f"{head}.{body}.{signature[::-1]}", "not an assertion", "a.b.c", expired):
        with pytest.raises(Unauthenticated):
            await client.request(KEYED, Ask(text="x"), assertion=bad)


async def test_the_deadline_and_the_caller_are_handed_on(server: Bus, client: Bus, people: People) -> None:
    seen: list[RequestContext] = []

    async def look(request: Ask, _caller: Caller) -> Answer:
        context = current_request()
        assert context is not None
        seen.append(context)
        return Answer(long_text=request.text)

    await server.serve(KEYED, look)
    caller = people.caller()
    context = RequestContext(
        caller=caller, assertion=people.assertion(caller), deadline=time.monotonic() + 1.5, request_id="abc"
    )
    with serving(context):
        await client.request(KEYED, Ask(text="x"), timeout_seconds=60)
    assert seen[0].caller == caller
    assert seen[0].request_id == "abc"
    assert 0 < seen[0].remaining_seconds <= 1.5


async def test_a_handler_is_ended_at_the_deadline(server: Bus, client: Bus) -> None:
    ended = asyncio.Event()

    async def hang(_request: Ask, _caller: Caller) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("unreachable")

    await server.serve(FAST, hang)
    with pytest.raises(DeadlineExceeded):
        await client.request(FAST, Ask(text="x"))
    await asyncio.wait_for(ended.wait(), 2)


async def test_what_comes_after_its_deadline_is_not_done(server: Bus, nats: NATSForTests) -> None:
    done: list[str] = []

    async def note(request: Ask, _caller: Caller) -> Answer:
        done.append(request.text)
        return Answer(long_text=request.text)

    await server.serve(OPEN, note)
    raw = await nats_client.connect(
        nats.server.url, nkeys_seed_str=nats.seeds["gateway"], inbox_prefix="_INBOX_gateway"
    )
    try:
        late = {Header.CALL: f"deadline={int((time.time() - 5) * 1000)}"}
        reply = await raw.request(OPEN.subject, b'{"text": "late"}', timeout=2, headers=late)
    finally:
        await raw.close()
    assert reply.headers is not None
    assert reply.headers[Header.ERROR] == Word.TIMEOUT
    assert done == []


async def test_nobody_there_is_unavailable_quickly(client: Bus) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await client.request(OPEN, Ask(text="x"))
    assert caught.value.problem.code == "no_responder"
    assert time.monotonic() - started < 3


async def test_a_stop_answers_what_is_in_flight(nats: NATSForTests, client: Bus, people: People) -> None:
    begun = asyncio.Semaphore(0)
    gate = asyncio.Event()

    async def slow(request: Ask, _caller: Caller) -> Answer:
        begun.release()
        await gate.wait()
        return Answer(long_text=request.text)

    async with (
        people.serving(nats),
        asyncio.TaskGroup() as group,
        Bus.connect(nats.bus_settings("designs"), service="designs") as server,
    ):
        await server.serve(OPEN, slow)
        tasks = [group.create_task(client.request(OPEN, Ask(text=str(one)))) for one in range(20)]
        for _ in range(20):
            await begun.acquire()
        asyncio.get_running_loop().call_later(0.2, gate.set)
    assert sorted(int(task.result().long_text) for task in tasks) == list(range(20))


async def test_a_command_carries_an_idempotency_key(server: Bus, client: Bus) -> None:
    keys: list[str] = []

    async def note(request: Ask, _caller: Caller) -> Answer:
        context = current_request()
        assert context is not None
        keys.append(context.idempotency_key)
        return Answer(long_text=request.text)

    await server.serve(CHANGE, note)
    await server.serve(OPEN, note)
    await client.request(CHANGE, Ask(text="x"), idempotency_key="mine")
    await client.request(CHANGE, Ask(text="x"))
    await client.request(OPEN, Ask(text="x"), idempotency_key="ignored")
    assert keys[0] == "mine"
    assert len(keys[1]) == 32
    assert keys[2] == ""


async def test_while_nats_is_away_nothing_is_sent_and_afterwards_all_goes_on(
    server: Bus, client: Bus, nats: NATSForTests
) -> None:
    done: list[str] = []

    async def note(request: Ask, _caller: Caller) -> Answer:
        done.append(request.text)
        return Answer(long_text=request.text)

    await server.serve(OPEN, note)
    await client.request(OPEN, Ask(text="before"))
    await nats.server.kill()
    while client.connected():
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable) as caught:
        await client.request(OPEN, Ask(text="meanwhile"))
    assert caught.value.problem.code == "bus_unreachable"
    await nats.server.restart()
    async with asyncio.timeout(15):
        while True:
            try:
                await client.request(OPEN, Ask(text="after"), timeout_seconds=1)
                break
            except (Unavailable, DeadlineExceeded):
                await asyncio.sleep(0.05)
    assert "meanwhile" not in done
    assert done[-1] == "after"


async def test_a_client_closed_for_good_is_replaced_with_its_subscriptions(server: Bus, client: Bus) -> None:
    await server.serve(OPEN, echo)
    await server._connection.client.close()
    async with asyncio.timeout(10):
        while True:
            try:
                await client.request(OPEN, Ask(text="again"), timeout_seconds=1)
                break
            except (Unavailable, DeadlineExceeded):
                await asyncio.sleep(0.05)


async def test_a_subject_that_the_user_may_not_use_is_forbidden(nats: NATSForTests, people: People) -> None:
    stranger = Endpoint(
        "meshery.rpc.gateway.v1.echo_text", Ask, Answer, key=public("A test."), timeout_seconds=0.5
    )
    async with Bus.connect(nats.bus_settings("events"), service="events") as bus:
        with pytest.raises(Forbidden) as caught:
            await bus.request(stranger, Ask(text="x"))
    assert caught.value.problem.code == "subject_forbidden"
    assert "wiring.py" in caught.value.problem.remediation[0]


async def test_nats_tools_find_the_service(server: Bus, client: Bus) -> None:
    await server.serve(OPEN, echo)
    await server.announce()
    await client.request(OPEN, Ask(text="x"))
    info = json.loads((await client._connection.client.request("$SRV.INFO.meshery-designs", timeout=2)).data)
    assert info["type"] == "io.nats.micro.v1.info_response"
    assert info["endpoints"][0]["subject"] == OPEN.subject
    stats = json.loads(
        (await client._connection.client.request("$SRV.STATS.meshery-designs", timeout=2)).data
    )
    assert stats["endpoints"][0]["num_requests"] == 1
    assert isinstance(stats["endpoints"][0]["data"], dict)


async def test_once_announced_every_request_is_heard(server: Bus, client: Bus) -> None:
    for number in range(30):
        endpoint = Endpoint(f"meshery.rpc.designs.v1.echo_text_{number}", Ask, Answer, key=public("A test."))
        await server.serve(endpoint, echo)
        await server.announce()
        # Without the bus' patience with subjects that nobody serves.
        reply = await client._connection.client.request(endpoint.subject, b'{"text": "x"}', timeout=5)
        assert json.loads(reply.data) == {"longText": "x"}


async def test_waiting_for_nats_that_comes_later(nats: NATSForTests) -> None:
    await nats.server.kill()

    async def connect() -> bool:
        async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
            return bus.connected()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(connect())
        await asyncio.sleep(0.3)
        assert not task.done()
        await nats.server.restart()
    assert task.result()


def test_settings_keep_the_seed_to_themselves() -> None:
    settings = BusSettings(nkey_seed="SUSECRET" + uuid4().hex)
    assert "SUSECRET" not in repr(settings)


async def test_a_stop_while_nats_is_away_ends_quietly(nats: NATSForTests) -> None:
    async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        await bus.serve(OPEN, echo)
        await nats.server.kill()
