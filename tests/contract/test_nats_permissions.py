"""The generated NATS permissions, on a real server: what must work works, all else is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import nkeys
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import APIError

from meshery_common.nats_permissions import (
    ACCOUNT,
    END_CONNECTION,
    LIST_CONNECTIONS,
    SYSTEM_USER,
    AuthCallout,
    facts_stream,
    inbox_prefix,
    integrator_permissions,
    permissions_of,
    server_config,
)
from meshery_contracts.wiring import WIRING, services
from meshery_embedded.nats import NATSServer, nats_server


class Keys:
    """One nkey per user of the table, and the account key that signs callout answers."""

    def __init__(self) -> None:
        self.seeds = {name: _seed(nkeys.PREFIX_BYTE_USER) for name in WIRING}
        self.issuer = nkeys.from_seed(_seed(nkeys.PREFIX_BYTE_ACCOUNT))
        self.system = _seed(nkeys.PREFIX_BYTE_USER)

    @property
    def public(self) -> dict[str, str]:
        return {name: _public(nkeys.from_seed(seed)) for name, seed in self.seeds.items()}


class Peer:
    """A connection that remembers what the server refused."""

    def __init__(self) -> None:
        self.nats = Client()
        self.refused: list[str] = []

    async def note(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            self.refused.append(str(error))

    async def refuses(self, action: Any) -> bool:
        """Whether the server refuses what the coroutine does."""
        before = len(self.refused)
        with suppress(TimeoutError, nats.errors.Error):
            await action
        with suppress(TimeoutError, nats.errors.Error):
            await self.flush()
        return len(self.refused) > before

    async def flush(self) -> None:
        """Wait until the server has seen all that was sent."""
        for _ in range(2):
            # Twice: the client writes a PING before what it has buffered.
            await self.nats.flush(timeout=5)


def _seed(kind: int) -> bytes:
    return bytes(nkeys.encode_seed(os.urandom(32), kind))


def _public(pair: nkeys.KeyPair) -> str:
    return str(pair.public_key.decode())


@asynccontextmanager
async def connected(server: NATSServer, name: str, **options: Any) -> AsyncIterator[Peer]:
    peer = Peer()
    options.setdefault("inbox_prefix", inbox_prefix(name).encode())
    await peer.nats.connect(server.url, error_cb=peer.note, max_reconnect_attempts=0, **options)
    try:
        yield peer
    finally:
        await peer.nats.close()


async def turned_away(server: NATSServer, **options: Any) -> bool:
    """Whether the server refuses the connection itself."""
    peer = Peer()
    try:
        await peer.nats.connect(
            server.url, allow_reconnect=False, connect_timeout=3, error_cb=peer.note, **options
        )
    except (nats.errors.Error, TimeoutError):
        return True
    else:
        return False
    finally:
        # The client leaves the socket of a refused connection open.
        transport: Any = peer.nats._transport
        if transport is not None:
            transport.close()
            with suppress(ConnectionError):
                await transport.wait_closed()
        await peer.nats.close()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
async def server(tmp_path: Path, keys: Keys) -> AsyncIterator[NATSServer]:
    system = _public(nkeys.from_seed(keys.system))
    config = server_config(keys.public, AuthCallout(_public(keys.issuer)), system_nkey=system)
    async with nats_server(data=tmp_path, config=config, port=0, monitor_port=0, durable=False) as running:
        yield running


def as_service(server: NATSServer, keys: Keys, name: str) -> Any:
    return connected(server, name, nkeys_seed_str=keys.seeds[name].decode())


def concrete(pattern: str) -> str:
    """A subject that the pattern matches."""
    return pattern.replace("*", "some").replace(">", "thing.more")


@pytest.mark.parametrize("name", list(WIRING))
async def test_every_subject_of_the_table_is_allowed(server: NATSServer, keys: Keys, name: str) -> None:
    rules = permissions_of(name)
    async with as_service(server, keys, name) as peer:
        for subject in rules.publish:
            # An acknowledgement of nothing, or an API request without a body, is harmless.
            assert not await peer.refuses(peer.nats.publish(concrete(subject), b"")), subject
        for rule in rules.subscribe:
            subject, _, queue = rule.partition(" ")
            assert not await peer.refuses(peer.nats.subscribe(subject, queue=queue)), rule


def _must_deny() -> list[tuple[str, str]]:
    denied = []
    for name, wiring in WIRING.items():
        for other in services():
            if other == name:
                continue
            denied += [
                (name, f"meshery.evt.{other}.v1.org.saved.id"),
                (name, f"meshery.live.{other}.v1.org.x.id"),
            ]
            denied += [(name, f"$O.files_{other}.C.x"), (name, f"$JS.API.STREAM.DELETE.EVT_{other.upper()}")]
            if other not in wiring.calls and name not in WIRING[other].calls:
                denied.append((name, f"meshery.body.{other}.process.word"))
            denied += [(name, f"$JS.API.CONSUMER.DELETE.EVT_{other.upper()}.events")] * (name != "events")
            if other not in wiring.calls:
                denied.append((name, f"meshery.rpc.{other}.v1.get_thing"))
            denied += [(name, f"meshery.svc.{other}.v1.secret_thing"), (name, f"_INBOX_{other}.x.y")]
        denied += [(name, "$JS.API.STREAM.LIST"), (name, "$SYS.REQ.SERVER.PING"), (name, "anything")]
        if not wiring.discovers:
            denied.append((name, "$SRV.PING"))
    return denied


async def test_what_is_not_in_the_table_cannot_be_published(server: NATSServer, keys: Keys) -> None:
    for name in WIRING:
        async with as_service(server, keys, name) as peer:
            for subject in [subject for who, subject in _must_deny() if who == name]:
                assert await peer.refuses(peer.nats.publish(subject, b"")), f"{name} could publish {subject}"


async def test_nobody_listens_to_what_is_meant_for_others(server: NATSServer, keys: Keys) -> None:
    for name in WIRING:
        async with as_service(server, keys, name) as peer:
            subjects = [">", "meshery.>", "_INBOX.>", "$JS.>", "$SYS.>"]
            subjects += [f"{inbox_prefix(other)}.>" for other in WIRING if other != name]
            subjects += [f"meshery.rpc.{other}.>" for other in services() if other != name]
            subjects += ["meshery.body.>", "meshery.body.*.*.*", "meshery.body.guest.>"]
            subjects += [f"meshery.body.{other}.*.*" for other in services() if other != name]
            for subject in subjects:
                refused = await peer.refuses(peer.nats.subscribe(subject))
                assert refused, f"{name} could subscribe {subject}"


async def test_the_system_user_sees_connections_and_ends_them_and_no_more(
    server: NATSServer, keys: Keys
) -> None:
    async with connected(server, SYSTEM_USER, nkeys_seed_str=keys.system.decode()) as peer:
        for subject in (LIST_CONNECTIONS, END_CONNECTION.replace("*", "NSERVER")):
            assert not await peer.refuses(peer.nats.publish(subject, b"{}")), subject
        others = ["PING", "PING.VARZ", "NSERVER.RELOAD", "NSERVER.LDM", "NSERVER.CONNZ"]
        for subject in (*(f"$SYS.REQ.SERVER.{one}" for one in others), "$SYS.REQ.ACCOUNT.APP.CONNZ", "x"):
            assert await peer.refuses(peer.nats.publish(subject, b"{}")), subject
        for subject in (">", "$SYS.>", "$SYS.ACCOUNT.*.CONNECT", "meshery.>", "_INBOX.>"):
            assert await peer.refuses(peer.nats.subscribe(subject)), subject


async def test_own_endpoints_only_in_the_own_queue_group(server: NATSServer, keys: Keys) -> None:
    async with as_service(server, keys, "designs") as peer:
        subject = "meshery.rpc.designs.v1.get_design"
        assert not await peer.refuses(peer.nats.subscribe(subject, queue="designs"))
        assert await peer.refuses(peer.nats.subscribe(subject, queue="spies"))
        assert await peer.refuses(peer.nats.subscribe(subject))


async def test_request_and_answer_over_private_inboxes(server: NATSServer, keys: Keys) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(b"here")

    async with as_service(server, keys, "designs") as designs, as_service(server, keys, "gateway") as gateway:
        await designs.nats.subscribe("meshery.rpc.designs.v1.get_design", queue="designs", cb=answer)
        await designs.flush()
        for _ in range(3):
            reply = await gateway.nats.request("meshery.rpc.designs.v1.get_design", b"", timeout=5)
            assert reply.data == b"here"
        assert not designs.refused
        # The right to answer is for one asked-for answer, not for the inbox.
        assert await designs.refuses(designs.nats.publish("_INBOX_gateway.other.1", b"forged"))


async def test_facts_through_own_stream_and_durable(server: NATSServer, keys: Keys) -> None:
    stream = facts_stream("identity")
    subject = "meshery.evt.identity.v1.org.user_created.1"
    async with as_service(server, keys, "identity") as identity, as_service(server, keys, "events") as events:
        js = identity.nats.jetstream()
        await js.add_stream(StreamConfig(name=stream.name, subjects=list(stream.subjects)))
        await js.update_stream(StreamConfig(name=stream.name, subjects=list(stream.subjects), max_age=60))
        await js.publish(subject, b"1", headers={"Nats-Msg-Id": "1"})
        theirs = events.nats.jetstream()
        config = ConsumerConfig(durable_name="events", filter_subject="meshery.evt.identity.>")
        subscription = await theirs.pull_subscribe(
            "meshery.evt.identity.>", durable="events", stream=stream.name, config=config
        )
        (message,) = await subscription.fetch(1, timeout=5)
        await message.in_progress()
        await message.ack_sync()
        assert not events.refused
        assert not identity.refused
        with pytest.raises((TimeoutError, APIError, nats.errors.Error)):
            await events.nats.jetstream(timeout=0.3).delete_stream(stream.name)
        with pytest.raises((TimeoutError, APIError, nats.errors.Error)):
            await events.nats.jetstream(timeout=0.3).add_consumer(
                stream.name, ConsumerConfig(durable_name="somebody")
            )


async def test_the_gateway_follows_facts_without_a_durable(server: NATSServer, keys: Keys) -> None:
    stream = facts_stream("designs")
    async with as_service(server, keys, "designs") as designs, as_service(server, keys, "gateway") as gateway:
        js = designs.nats.jetstream()
        await js.add_stream(StreamConfig(name=stream.name, subjects=list(stream.subjects)))
        follower = await gateway.nats.jetstream().subscribe(
            "meshery.evt.designs.>", stream=stream.name, ordered_consumer=True, idle_heartbeat=2
        )
        await js.publish("meshery.evt.designs.v1.org.design_saved.1", b"1")
        assert (await follower.next_msg(timeout=5)).data == b"1"
        await follower.unsubscribe()
        assert not gateway.refused


async def test_large_bodies_are_given_part_by_part_to_who_knows_the_word(
    server: NATSServer, keys: Keys
) -> None:
    async def give(message: Msg) -> None:
        await message.respond(b"part " + message.data)

    async with (
        as_service(server, keys, "gateway") as gateway,
        as_service(server, keys, "designs") as designs,
        as_service(server, keys, "events") as events,
        as_service(server, keys, "meshsync") as meshsync,
        as_service(server, keys, "inventory") as inventory,
    ):
        for holder, name, asker in (
            (gateway, "gateway", designs),  # a request's body
            (designs, "designs", gateway),  # a reply's
            (meshsync, "meshsync", inventory),
            (inventory, "inventory", meshsync),
        ):
            subject = f"meshery.body.{name}.process.word"
            await holder.nats.subscribe(f"meshery.body.{name}.process.*", cb=give)
            await holder.flush()
            for part in (b"0", b"1"):
                assert (await asker.nats.request(subject, part, timeout=5)).data == b"part " + part
            assert not holder.refused
            assert not asker.refused
        # These two never talk to each other.
        assert await events.refuses(events.nats.publish("meshery.body.designs.process.word", b"0"))
        assert await designs.refuses(designs.nats.publish("meshery.body.events.process.word", b"0"))


def test_nothing_large_is_stored_where_others_could_list_it() -> None:
    for name in WIRING:
        rules = permissions_of(name)
        assert not [one for one in (*rules.publish, *rules.subscribe) if "OBJ_" in one or "$O." in one]


async def test_nobody_connects_without_a_key(server: NATSServer) -> None:
    assert await turned_away(server)
    assert await turned_away(server, nkeys_seed_str=_seed(nkeys.PREFIX_BYTE_USER).decode())


async def test_an_integrator_is_admitted_by_the_callout(server: NATSServer, keys: Keys) -> None:
    """A responder of ten lines plays identity: the round trip and the limits are what counts."""

    async def authorise(message: Msg) -> None:
        asked = _claims(message.data.decode())["nats"]
        known = asked["connect_opts"].get("auth_token") == "good token"
        rules = integrator_permissions("_INBOX_somebody", ("org1",)).as_claims()
        user = _jwt(keys.issuer, asked["user_nkey"], ACCOUNT, {"type": "user", "version": 2, **rules})
        verdict = {"jwt": user} if known else {"error": "unknown token"}
        body = {"type": "authorization_response", "version": 2, **verdict}
        await message.respond(_jwt(keys.issuer, asked["user_nkey"], asked["server_id"]["id"], body).encode())

    async def answer(message: Msg) -> None:
        await message.respond(b"here")

    async with (
        as_service(server, keys, "identity") as identity,
        as_service(server, keys, "designs") as designs,
    ):
        await identity.nats.subscribe("$SYS.REQ.USER.AUTH", cb=authorise)
        await designs.nats.subscribe("meshery.rpc.designs.v1.get_design", queue="designs", cb=answer)
        await identity.flush()
        await designs.flush()
        assert await turned_away(server, token="bad")
        async with connected(server, "somebody", token="good token") as integrator:
            reply = await integrator.nats.request("meshery.rpc.designs.v1.get_design", b"", timeout=5)
            assert reply.data == b"here"
            await integrator.nats.subscribe("meshery.body.guest.somebody.>", cb=answer)
            await designs.nats.subscribe("meshery.body.designs.process.*", cb=answer)
            await integrator.flush()
            await designs.flush()
            for asker, holder in ((designs, "guest.somebody"), (integrator, "designs.process")):
                part = await asker.nats.request(f"meshery.body.{holder}.word", b"0", timeout=5)
                assert part.data == b"here"
            assert not integrator.refused
            assert not designs.refused
            assert not await integrator.refuses(integrator.nats.subscribe("meshery.evt.designs.v1.org1.>"))
            for subject in (
                "meshery.svc.designs.v1.x",
                "meshery.evt.designs.v1.org1.x.1",
                "$SRV.PING",
                "$JS.API.INFO",
                "meshery.body.guest.other.word",
                "meshery.body.designs.word",
                "_INBOX_designs.x.y",
            ):
                assert await integrator.refuses(integrator.nats.publish(subject, b"")), subject
            for subject in (
                "meshery.evt.designs.v1.org2.>",
                "meshery.evt.>",
                "_INBOX_gateway.>",
                "meshery.rpc.>",
                "meshery.body.guest.>",
                "meshery.body.guest.other.>",
                "meshery.body.designs.*.*",
            ):
                assert await integrator.refuses(integrator.nats.subscribe(subject)), subject
        assert not identity.refused


def test_a_key_that_is_no_user_key_is_refused(keys: Keys) -> None:
    with pytest.raises(ValueError, match="begins with U"):
        server_config({"designs": _public(keys.issuer)})


def test_only_named_services_may_call_an_endpoint_for_services() -> None:
    for name in WIRING:
        for subject in permissions_of(name).publish:
            assert not (subject.startswith("meshery.svc.") and subject.endswith((">", "*"))), subject


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _claims(jwt: str) -> dict[str, Any]:
    body = jwt.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


def _jwt(issuer: nkeys.KeyPair, subject: str, audience: str, body: dict[str, Any]) -> str:
    claims = {"iss": _public(issuer), "sub": subject, "aud": audience, "iat": int(time.time()), "nats": body}
    claims["jti"] = hashlib.sha256(json.dumps(claims).encode()).hexdigest()
    signed = ".".join(
        _part(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)
    )
    return f"{signed}.{_part(issuer.sign(signed.encode()))}"
