"""GraphQL over WebSocket: the protocol, its close codes, subscriptions, revocation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from meshery_contracts import connections, deployments, designs, events, identity, inventory
from meshery_contracts.caller import Caller
from meshery_contracts.designs import DesignCloned, DesignDeleted, DesignSaved
from meshery_contracts.errors import NotFound, Unavailable
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.messages import Severity
from meshery_gateway.app import running
from meshery_gateway.graphql import inventory as graphql_inventory
from meshery_gateway.graphql import sockets
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.sockets import Wire, wired
from meshery_testkit.stubs import Stubs

PATH = "/api/system/graphql/query"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DESIGN_CHANGES = "subscription { designChanges { sequence resync change designId version } }"


@pytest.fixture
async def wire(http: ClientSession) -> AsyncIterator[Wire]:
    async with wired(http) as one:
        yield one


def saved(person: Caller, version: int = 1, **values: Any) -> DesignSaved:
    """The fact that a design was saved."""
    return DesignSaved(
        **{
            "organization_id": person.organization_id, "user_id": person.user_id, "occurred_at": NOW,
            "category": "design", "action": "update", "description": "saved", "design_id": uuid4(),
            "name": "shop", "version": version, **values,
        }
    )  # fmt: skip


def an_event(person: Caller, **values: Any) -> events.Event:
    """An event as it is stored."""
    return events.Event(
        **{
            "id": uuid4(), "user_id": person.user_id, "organization_id": person.organization_id,
            "acted_upon": uuid4(), "operation_id": uuid4(), "system_id": uuid4(),
            "severity": Severity.SUCCESS, "category": "design", "action": "create", "description": "made",
            "created_at": NOW, "updated_at": NOW, **values,
        }
    )  # fmt: skip


# --- the protocol -------------------------------------------------------------------------------------------


async def test_queries_and_mistakes_over_a_socket(wire: Wire) -> None:
    await wire.init()
    await wire.send("ping")
    assert await wire.get() == {"type": "pong"}
    await wire.send("pong")
    await wire.send("subscribe", "1", {"query": "{ __typename }"})
    assert await wire.get() == {"id": "1", "type": "next", "payload": {"data": {"__typename": "Query"}}}
    assert await wire.get() == {"id": "1", "type": "complete"}
    # The id is free again, and no mistake ends the socket.
    mistakes: tuple[Any, ...] = (
        {"query": "{ nothing }"},
        {"query": "{"},
        {"query": 7},
        "x",
        None,
        [],
        {"variables": 1},
    )
    for payload in mistakes:
        await wire.send("subscribe", "1", payload)
        told = await wire.get()
        assert (told["id"], told["type"]) == ("1", "error"), told
        assert told["payload"][0]["extensions"]["word"] == "invalid"
    await wire.send("complete", "never-there")
    await wire.send("subscribe", "1", {"query": "{ __typename }"})
    assert (await wire.get())["type"] == "next"


@pytest.mark.parametrize(
    "sent", ["{", "7", "[]", "{}", '{"type":7}', '{"type":"unheard"}', '{"type":"start","id":"1"}']
)
async def test_what_is_no_message_closes_this_socket_alone(http: ClientSession, sent: str) -> None:
    async with wired(http) as broken, wired(http) as other:
        await other.init()
        await broken.init()
        await broken.socket.send_str(sent)
        assert await broken.closed() == 4400
        await other.send("ping")
        assert await other.get() == {"type": "pong"}


async def test_binary_and_ids_that_are_none(http: ClientSession) -> None:
    async with wired(http) as wire:
        await wire.init()
        await wire.socket.send_bytes(b"{}")
        assert await wire.closed() == 4400
    async with wired(http) as wire:
        await wire.init()
        await wire.send("subscribe", "", {"query": "{ __typename }"})
        assert await wire.closed() == 4400


async def test_too_large_a_message_closes(wire: Wire) -> None:
    await wire.init()
    await wire.send("subscribe", "1", {"query": "#" * sockets.MAX_MESSAGE_BYTES})
    assert await wire.closed() == 1009


async def test_an_unknown_sub_protocol_is_4406(http: ClientSession) -> None:
    async with wired(http, "something-else") as wire:
        assert await wire.closed() == 4406
    async with http.ws_connect(PATH) as socket:
        assert await Wire(socket).closed() == 4406


async def test_subscribing_before_the_acknowledgement_is_4401(wire: Wire) -> None:
    await wire.send("subscribe", "1", {"query": "{ __typename }"})
    assert await wire.closed() == 4401


async def test_a_second_init_is_4429(wire: Wire) -> None:
    await wire.init()
    await wire.send("connection_init")
    assert await wire.closed() == 4429


async def test_silence_is_4408(http: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "INIT_SECONDS", 0.05)
    async with wired(http) as wire:
        assert await wire.closed() == 4408


async def test_an_id_in_use_is_4409(wire: Wire) -> None:
    await wire.init()
    await wire.subscribe(DESIGN_CHANGES)
    await wire.send("subscribe", "1", {"query": DESIGN_CHANGES})
    assert await wire.closed() == 4409


async def test_a_token_comes_with_the_init_or_the_upgrade(
    http: ClientSession, people: People, stubs: Stubs
) -> None:
    people.tokens["secret"] = somebody = people.caller()
    user = identity.User(id=somebody.user_id, user_id="ada", first_name="Ada", created_at=NOW, updated_at=NOW)
    asked = await stubs.answer(identity.GET_USER, user)

    async def me(wire: Wire) -> None:
        await wire.send("subscribe", "1", {"query": "{ me { firstName } }"})
        assert await wire.next() == {"me": {"firstName": "Ada"}}

    for payload in ({"token": "secret"}, {"Authorization": "Bearer secret"}):
        async with wired(http) as wire:
            await wire.init(payload)
            await me(wire)
    for headers in ({"Authorization": "Bearer secret"}, {"Cookie": "token=secret"}):
        async with wired(http, **headers) as wire:
            await wire.init()
            await me(wire)
    assert [caller.user_id for _, caller in asked] == [somebody.user_id] * 4
    async with wired(http) as wire:
        await wire.send("connection_init", payload={"token": "wrong"})
        assert await wire.closed() == 4403


async def test_a_page_of_another_site_gets_no_socket(http: ClientSession) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(WSServerHandshakeError) as refused:
            async with wired(http, **headers):
                pass
        assert refused.value.status == 403


async def test_the_older_protocol_of_apollo(
    http: ClientSession, stubs: Stubs, person: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wired(http, "graphql-ws") as wire:
        await wire.init()
        assert await wire.get() == {"type": "ka"}
        await wire.send("start", "1", {"query": DESIGN_CHANGES})
        await wire.send("start", "2", {"query": "{ __typename }"})
        told = {"id": "2", "type": "data", "payload": {"data": {"__typename": "Query"}}}
        assert await wire.get() == told
        assert await wire.get() == {"id": "2", "type": "complete"}
        await stubs.tell(designs.SAVED, saved(person), person.organization_id, uuid4())
        assert (await wire.get())["payload"]["data"]["designChanges"]["change"] == "saved"
        await wire.send("start", "3", {"query": "{ nothing }"})
        assert (await wire.get())["payload"]["extensions"]["code"] == "graphql_validation"
        await wire.send("stop", "1")
        await wire.send("connection_terminate")
        assert await wire.closed() == 1000


# --- subscriptions ------------------------------------------------------------------------------------------


async def test_changes_of_designs_until_completed(wire: Wire, stubs: Stubs, person: Caller) -> None:
    await wire.init()
    await wire.subscribe(DESIGN_CHANGES)
    fact = saved(person, version=2)
    await stubs.tell(designs.SAVED, fact, uuid4(), fact.design_id)  # another organisation's
    await stubs.tell(designs.SAVED, fact, person.organization_id, fact.design_id)
    told = {"sequence": 1, "resync": False, "change": "saved", "designId": str(fact.design_id), "version": 2}
    assert await wire.next() == {"designChanges": told}
    gone = DesignDeleted(**fact.model_dump(exclude={"version"}))
    await stubs.tell(designs.DELETED, gone, person.organization_id, fact.design_id)
    assert (await wire.next())["designChanges"]["change"] == "deleted"
    await wire.send("complete", "1")
    await wire.subscribe(DESIGN_CHANGES)  # in the place of the first
    await stubs.tell(designs.SAVED, fact, person.organization_id, fact.design_id)
    assert (await wire.next())["designChanges"]["sequence"] == 1


async def test_clones_are_told_to_the_organisation(wire: Wire, stubs: Stubs, person: Caller) -> None:
    gone = await stubs.answer(designs.GET, NotFound("not for you"))
    await wire.init()
    query = """subscription { designCloned {
        sequence resync designId originalId userId design { name } original { name } } }"""
    await wire.subscribe(query)
    fact = DesignCloned(**saved(person).model_dump(exclude={"version"}), original_id=uuid4())
    await stubs.tell(designs.SAVED, saved(person), person.organization_id, fact.design_id)  # no clone
    await stubs.tell(designs.CLONED, fact, uuid4(), fact.design_id)  # another organisation's
    await stubs.tell(designs.CLONED, fact, person.organization_id, fact.design_id)
    assert await wire.next() == {
        "designCloned": {
            "sequence": 1, "resync": False, "designId": str(fact.design_id), "userId": str(person.user_id),
            "originalId": str(fact.original_id), "design": None, "original": None,
        }
    }  # fmt: skip
    assert {request.design_id for request, _ in gone} == {fact.design_id, fact.original_id}
    await wire.send("complete", "1")
    await wire.subscribe(DESIGN_CHANGES)
    await stubs.tell(designs.CLONED, fact, person.organization_id, fact.design_id)
    told = {"sequence": 1, "resync": False, "change": "saved", "designId": str(fact.design_id), "version": 1}
    assert await wire.next() == {"designChanges": told}


async def test_a_design_of_others_is_read_under_ones_own_rights(
    wire: Wire, stubs: Stubs, person: Caller
) -> None:
    asked = await stubs.answer(designs.GET, NotFound("not for you"))
    await wire.init()
    await wire.subscribe("subscription { designChanges { design { name } } }")
    for _ in range(2):
        await stubs.tell(designs.SAVED, saved(person), person.organization_id, uuid4())
        assert await wire.next() == {"designChanges": {"design": None}}
    assert [caller.user_id for _, caller in asked] == [person.user_id] * 2


async def test_events_that_concern_the_caller(wire: Wire, stubs: Stubs, person: Caller) -> None:
    await wire.init()
    query = """subscription ($f: EventFilter) { events(filter: $f) {
        sequence event { description severity exactSeverity userID } } }"""
    await wire.subscribe(query, f={"categories": ["design"]})
    for event in (
        an_event(person, user_id=uuid4(), description="somebody else's"),
        an_event(person, category="connection"),
        an_event(person, user_id=None, description="nobody's"),
        an_event(person, description="mine"),
    ):
        await stubs.tell(events.STORED, event, person.organization_id, event.id)
    first, second = [(await wire.next())["events"] for _ in range(2)]
    assert first["event"]["description"] == "nobody's"
    assert first["event"]["userID"] == str(UUID(int=0))
    assert second["sequence"] == 2
    assert (second["event"]["severity"], second["event"]["exactSeverity"]) == ("informational", "success")


async def test_a_run_from_where_it_stands_to_its_end(wire: Wire, stubs: Stubs, person: Caller) -> None:
    run = deployments.Run(
        id=uuid4(), design_id=uuid4(), design_name="shop", version=1, user_id=person.user_id,
        direction=deployments.Direction.DEPLOY, status=deployments.RunStatus.RUNNING,
        connection_ids=[], created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await stubs.answer(deployments.GET_RUN, run)
    fact = deployments.RunFact(
        organization_id=person.organization_id, occurred_at=NOW, category="deployment", action="deploy",
        description="", run_id=run.id, design_id=run.design_id, status=deployments.RunStatus.RUNNING,
        done=1, total=2,
    )  # fmt: skip
    await wire.init()
    query = "subscription ($id: UUID!) { runProgress(runId: $id) { sequence status done total } }"
    await wire.send("subscribe", "1", {"query": query, "variables": {"id": str(run.id)}})
    assert (await wire.next())["runProgress"] == {"sequence": 1, "status": "running", "done": 0, "total": 0}
    other = fact.model_copy(update={"run_id": uuid4()})
    # Told by the outbox after it was read: a run does not go back.
    late = fact.model_copy(update={"status": deployments.RunStatus.PENDING, "done": 0})
    last = fact.model_copy(update={"status": deployments.RunStatus.SUCCEEDED, "done": 2})
    for topic, told in (
        (deployments.RUN_PROGRESSED, other),
        (deployments.RUN_STARTED, late),
        (deployments.RUN_PROGRESSED, fact),
        (deployments.RUN_PROGRESSED, fact.model_copy(update={"done": 0})),
        (deployments.RUN_FINISHED, last),
    ):
        await stubs.tell(topic, told, person.organization_id, told.run_id)
    assert (await wire.next())["runProgress"]["done"] == 1
    assert (await wire.next())["runProgress"] == {"sequence": 3, "status": "succeeded", "done": 2, "total": 2}
    assert await wire.get() == {"id": "1", "type": "complete"}


async def test_objects_of_ones_own_clusters_alone(wire: Wire, stubs: Stubs, person: Caller) -> None:
    mine, pod = a_connection(person), a_pod()
    await stubs.answer(connections.LIST, connections.ConnectionPage(connections=[mine]))
    node = pod.model_copy(update={"kind": "Node", "name": "n1"})
    await wire.init()
    query = """subscription { resourceChanges(kinds: ["Pod"]) {
        sequence resync connectionId changes { change kind name } } }"""
    await wire.subscribe(query)
    for connection_id, changes, resync in (
        (uuid4(), [pod], False),
        (mine.id, [node], False),
        (mine.id, [node, pod], False),
        (mine.id, [], True),
    ):
        event = inventory.ResourcesChanged(connection_id=connection_id, changes=changes, resync=resync)
        await stubs.tell(inventory.CHANGED, event, person.organization_id, connection_id)
    told = (await wire.next())["resourceChanges"]
    assert told["changes"] == [{"change": "ADDED", "kind": "Pod", "name": "web"}]
    assert (told["sequence"], told["resync"], told["connectionId"]) == (1, False, str(mine.id))
    assert (await wire.next())["resourceChanges"]["resync"] is True


def a_connection(person: Caller) -> connections.Connection:
    return connections.Connection(
        id=uuid4(), name="prod", kind="kubernetes", status=connections.ConnectionStatus.CONNECTED,
        user_id=person.user_id, organization_id=person.organization_id, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def a_pod() -> inventory.ResourceChange:
    return inventory.ResourceChange(
        change=inventory.ChangeKind.ADDED, id="a", api_version="v1", kind="Pod", namespace="shop", name="web"
    )


async def test_many_followers_ask_once_what_they_may_see(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    mine = a_connection(person)
    asked = await stubs.answer(connections.LIST, connections.ConnectionPage(connections=[mine]))
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(http)) for _ in range(20)]
        for wire in wires:
            await wire.init()
            await wire.subscribe("subscription { resourceChanges { resync changes { name } } }")
        event = inventory.ResourcesChanged(connection_id=mine.id, changes=[a_pod()])
        await stubs.tell(inventory.CHANGED, event, person.organization_id, mine.id)
        for wire in wires:
            assert (await wire.next())["resourceChanges"]["changes"] == [{"name": "web"}]
    # A session may be renewed in between.
    assert len(asked) <= 2


async def test_a_follower_whose_rights_cannot_be_asked_for_is_told_to_read_anew(
    wire: Wire, stubs: Stubs, person: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = a_connection(person)
    answers: list[connections.ConnectionPage | Exception] = [
        Unavailable("busy", code="overloaded"),
        connections.ConnectionPage(connections=[mine]),
    ]

    async def handle(_: connections.ListConnections, __: Caller) -> connections.ConnectionPage:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    await (await stubs.bus("connections")).serve(connections.LIST, handle)
    monkeypatch.setattr(graphql_inventory, "PAUSE_SECONDS", 0.05)
    await wire.init()
    await wire.subscribe("subscription { resourceChanges { sequence resync changes { name } } }")
    event = inventory.ResourcesChanged(connection_id=mine.id, changes=[a_pod()])
    await stubs.tell(inventory.CHANGED, event, person.organization_id, mine.id)
    told = (await wire.next())["resourceChanges"]
    assert told == {"sequence": 1, "resync": True, "changes": []}
    await stubs.tell(inventory.CHANGED, event, person.organization_id, mine.id)
    assert (await wire.next())["resourceChanges"]["changes"] == [{"name": "web"}]


async def test_pages_of_meshery_come_at_once_and_on_change(wire: Wire, stubs: Stubs, person: Caller) -> None:
    summary = inventory.Summary(
        kinds=[inventory.KindCount(kind="Pod", count=3)], namespaces=["shop"], total_count=3
    )
    asked = await stubs.answer(inventory.SUMMARIZE, summary)
    page = connections.KubernetesContextPage(contexts=[])
    await stubs.answer(connections.LIST_CONTEXTS, page)
    await wire.init()
    query = 'subscription { subscribeClusterResources(namespace: "") { resources { kind count } } }'
    await wire.send("subscribe", "1", {"query": query})
    resources = {"resources": [{"kind": "Pod", "count": 3}]}
    assert await wire.next() == {"subscribeClusterResources": resources}
    event = inventory.ResourcesChanged(connection_id=uuid4(), changes=[])
    for _ in range(3):
        await stubs.tell(inventory.CHANGED, event, person.organization_id, event.connection_id)
    async with asyncio.timeout(5):
        while len(asked) < 2:
            await asyncio.sleep(0.05)
    # The same page again is not pushed; a burst is read once.
    selector = '{page: "0", pageSize: "10"}'
    query = (
        f"subscription {{ subscribeK8sContext(selector: {selector}) {{ total_count contexts {{ id }} }} }}"
    )
    await wire.send("subscribe", "2", {"query": query})
    assert await wire.next("2") == {"subscribeK8sContext": {"total_count": 0, "contexts": []}}
    assert len(asked) == 2


# --- rights and numbers -------------------------------------------------------------------------------------


async def test_a_subscription_needs_its_key(http: ClientSession, people: People) -> None:
    people.tokens[""] = people.caller(key_bits=LOCAL_BITS & ~bits_of((Key.VIEW_DESIGNS,)))
    async with wired(http) as wire:
        await wire.init()
        await wire.send("subscribe", "1", {"query": DESIGN_CHANGES})
        told = await wire.get()
        assert (told["id"], told["type"]) == ("1", "error")
        assert told["payload"][0]["extensions"]["word"] == "forbidden"


async def test_a_key_that_is_taken_away_ends_the_subscription(
    wire: Wire, people: People, person: Caller, stubs: Stubs
) -> None:
    await wire.init()
    await wire.subscribe(DESIGN_CHANGES)
    bits = LOCAL_BITS & ~bits_of((Key.VIEW_DESIGNS,))
    people.tokens[""] = person.model_copy(update={"key_bits": bits})
    await asyncio.sleep(1.2)  # two renewals
    await stubs.tell(designs.SAVED, saved(person), person.organization_id, uuid4())
    told = await wire.get()
    assert (told["type"], told["payload"][0]["extensions"]["word"]) == ("error", "forbidden")


async def test_a_session_that_ends_closes_the_socket(wire: Wire, people: People) -> None:
    await wire.init()
    await wire.subscribe(DESIGN_CHANGES)
    del people.tokens[""]
    assert await wire.closed() == 4403


async def test_a_revoked_token_closes_at_once(http: ClientSession, people: People, stubs: Stubs) -> None:
    people.tokens["secret"] = somebody = people.caller()
    async with wired(http, Authorization="Bearer secret") as wire:
        await wire.init()
        del people.tokens["secret"]
        fact = identity.TokenRevoked(
            organization_id=somebody.organization_id, occurred_at=NOW, category="token", action="delete",
            description="", token_id=uuid4(),
        )  # fmt: skip
        await stubs.tell(identity.TOKEN_REVOKED, fact, somebody.organization_id, fact.token_id)
        async with asyncio.timeout(0.4):
            assert await wire.closed() == 4403


async def test_two_hundred_followers_are_told_the_same(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    async with wired(http) as first, wired(http) as second:
        wires = (first, second)
        for one in wires:
            await one.init()
            for number in range(100):
                await one.send("subscribe", f"s{number}", {"query": DESIGN_CHANGES})
            await one.send("ping")
            assert await one.get() == {"type": "pong"}
            await one.send("subscribe", "too-many", {"query": DESIGN_CHANGES})
            told = await one.get()
            assert told["payload"][0]["extensions"]["code"] == "too_many_operations"
        fact = saved(person)
        await stubs.tell(designs.SAVED, fact, person.organization_id, fact.design_id)
        for one in wires:
            told = [await one.get() for _ in range(100)]
            assert {message["id"] for message in told} == {f"s{number}" for number in range(100)}
            ids = {message["payload"]["data"]["designChanges"]["designId"] for message in told}
            assert ids == {str(fact.design_id)}


async def test_a_follower_that_does_not_read_is_told_to_read_anew(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    query = "subscription { events { sequence resync event { description } } }"
    async with wired(http) as slow, wired(http) as quick:
        for one in (slow, quick):
            await one.init()
            await one.subscribe(query)
        slow.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        description = "x" * 30_000
        for number in range(1_200):
            event = an_event(person, description=description)
            await stubs.tell(events.STORED, event, person.organization_id, event.id)
            told = (await quick.next())["events"]
            assert (told["sequence"], told["resync"]) == (number + 1, False)
        slow.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
        markers = 0
        while markers == 0:
            markers += (await slow.next())["events"]["resync"]


async def test_after_a_loss_of_nats_everybody_is_told_to_read_anew(
    wire: Wire, nats: NATSForTests, stubs: Stubs, person: Caller
) -> None:
    await wire.init()
    await wire.subscribe(DESIGN_CHANGES)
    await nats.server.restart()
    told = (await wire.next())["designChanges"]
    assert (told["sequence"], told["resync"], told["designId"]) == (1, True, None)
    fact = saved(person)
    await stubs.tell(designs.SAVED, fact, person.organization_id, fact.design_id)
    told = (await wire.next())["designChanges"]
    assert (told["sequence"], told["resync"], told["designId"]) == (2, False, str(fact.design_id))


async def test_sockets_end_when_the_gateway_stops(
    settings: GatewaySettings, nats: NATSForTests, people: People, person: Caller
) -> None:
    async with people.serving(nats), ClientSession() as http, asyncio.TaskGroup() as group:
        async with running(settings) as gateway:
            socket = await http.ws_connect(
                f"http://127.0.0.1:{gateway.port}{PATH}", protocols=("graphql-transport-ws",)
            )
            wire = Wire(socket)
            await wire.init()
            await wire.subscribe(DESIGN_CHANGES)
            closing = group.create_task(wire.closed())
            await asyncio.sleep(0)
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 4
        assert await closing == 1001
