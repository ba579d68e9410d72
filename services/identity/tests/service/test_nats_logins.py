"""Integrators at NATS with the official client: who gets in, and what he may do there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats as official
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from meshery_common.bus import Bus, BusSettings, Header
from meshery_contracts import identity
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.identity import Assertion, CreateToken, NewToken, TokenId, User
from meshery_identity.app import running
from meshery_identity.settings import IdentitySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests


class Integrator:
    """A connection that remembers what the server refused."""

    def __init__(self) -> None:
        self.nats = Client()
        self.refused: list[str] = []

    async def note(self, error: Exception) -> None:
        self.refused.append(str(error))

    async def close(self) -> None:
        """The client leaves the socket of a refused connection open."""
        transport: Any = self.nats._transport
        if transport is not None:
            transport.close()
            with suppress(ConnectionError):
                await transport.wait_closed()
        await self.nats.close()

    async def refuses(self, action: Any) -> bool:
        """Whether the server refuses what the coroutine does."""
        before = len(self.refused)
        await action
        for _ in range(2):
            # Twice: the client writes a PING before what it has buffered.
            await self.nats.flush(timeout=5)
        return len(self.refused) > before


@asynccontextmanager
async def connected(server: NATSForTests, shown: NewToken, /, **options: Any) -> AsyncIterator[Integrator]:
    one = Integrator()
    await one.nats.connect(
        server.server.url,
        error_cb=one.note,
        inbox_prefix=shown.nats_inbox_prefix.encode(),
        allow_reconnect=False,
        **options,
    )
    try:
        yield one
    finally:
        await one.close()


async def turned_away(server: NATSForTests, **options: Any) -> bool:
    """Whether the server refuses the connection itself."""
    one = Integrator()
    try:
        await one.nats.connect(
            server.server.url, allow_reconnect=False, connect_timeout=3, error_cb=one.note, **options
        )
    except (official.errors.Error, TimeoutError):
        return True
    else:
        return False
    finally:
        await one.close()


@pytest.fixture
async def token(gateway: Bus, local: Assertion) -> NewToken:
    """A token of the local user."""
    return await gateway.request(
        identity.CREATE_TOKEN, CreateToken(name="integration"), assertion=local.assertion
    )


async def test_connect_exchange_and_call(nats: NATSForTests, token: NewToken, local: Assertion) -> None:
    for shown in (
        {"user": token.nats_user, "password": token.token},
        {"user": "anything", "password": token.token},
        {"token": token.token},
    ):
        async with connected(nats, token, **shown) as integrator:
            request = identity.ExchangeToken(token=token.token).model_dump_json().encode()
            reply = await integrator.nats.request(identity.EXCHANGE_TOKEN.subject, request, timeout=5)
            assertion = Assertion.model_validate_json(reply.data)
            answer = await integrator.nats.request(
                identity.GET_USER.subject, b"{}", timeout=5, headers={Header.CALLER: assertion.assertion}
            )
            assert User.model_validate_json(answer.data).id == local.user_id
            # The connection alone is nobody's: without an assertion there is no answer to a question with a key.
            bare = await integrator.nats.request(identity.GET_USER.subject, b"{}", timeout=5)
            assert bare.headers is not None
            assert bare.headers[Header.ERROR] == "unauthenticated"
            assert not integrator.refused


async def test_nothing_but_public_requests_can_be_sent(nats: NATSForTests, token: NewToken) -> None:
    async with connected(nats, token, token=token.token) as integrator:
        for subject in (
            identity.AUTHENTICATE.subject,
            identity.DELEGATE.subject,
            "meshery.evt.identity.v1.org.token_revoked.1",
            "meshery.live.designs.v1.org.x.1",
            "meshery.sync.v1.some.pods",
            "meshery.meshsync.request",
            "$SYS.REQ.USER.AUTH",
            "$SRV.PING",
            "$JS.API.INFO",
            "$JS.API.STREAM.DELETE.EVT_IDENTITY",
            "_INBOX_gateway.stolen",
            "meshery.body.guest.other.word",
            "anything",
        ):
            assert await integrator.refuses(integrator.nats.publish(subject, b"{}")), subject


async def test_only_the_own_inbox_can_be_heard(
    nats: NATSForTests, token: NewToken, gateway: Bus, local: Assertion
) -> None:
    other = await gateway.request(identity.CREATE_TOKEN, CreateToken(name="other"), assertion=local.assertion)
    async with connected(nats, token, token=token.token) as integrator:
        mine = f"{token.nats_inbox_prefix}.x"
        assert not await integrator.refuses(integrator.nats.subscribe(mine))
        for subject in (
            f"{other.nats_inbox_prefix}.>",
            f"{other.nats_body_prefix}.>",
            "meshery.body.>",
            "meshery.body.designs.*.*",
            "_INBOX.>",
            "_INBOX_gateway.>",
            ">",
            "meshery.>",
            "meshery.rpc.identity.v1.get_user",
            "meshery.evt.>",
            "$SYS.>",
        ):
            assert await integrator.refuses(integrator.nats.subscribe(subject)), subject
        assert await integrator.refuses(
            integrator.nats.subscribe(identity.GET_USER.subject, queue="identity")
        )


async def test_no_or_a_wrong_token_is_turned_away(nats: NATSForTests, token: NewToken) -> None:
    assert await turned_away(nats)
    assert await turned_away(nats, token="nonsense")
    assert await turned_away(nats, user="gateway", password="gateway")
    assert await turned_away(nats, token=token.token[:-1])
    assert not await turned_away(nats, token=token.token)


async def test_a_revoked_token_is_turned_away_and_its_connections_end(
    nats: NATSForTests, token: NewToken, gateway: Bus, local: Assertion
) -> None:
    other = await gateway.request(identity.CREATE_TOKEN, CreateToken(name="other"), assertion=local.assertion)
    async with (
        connected(nats, token, token=token.token) as first,
        connected(nats, token, user="anything", password=token.token) as second,
        connected(nats, other, token=other.token) as stays,
    ):
        await gateway.request(identity.DELETE_TOKEN, TokenId(token_id=token.id), assertion=local.assertion)
        assert await turned_away(nats, token=token.token)
        async with asyncio.timeout(10):
            while not (first.nats.is_closed and second.nats.is_closed):
                await asyncio.sleep(0.01)
        request = identity.ExchangeToken(token=other.token).model_dump_json().encode()
        reply = await stays.nats.request(identity.EXCHANGE_TOKEN.subject, request, timeout=5)
        assert Assertion.model_validate_json(reply.data).user_id == local.user_id


async def test_without_the_system_account_an_open_connection_is_worth_nothing(
    nats: NATSForTests, settings: IdentitySettings
) -> None:
    alone = settings.model_copy(update={"nats_system_seed": None})
    async with (
        hosted(running(alone)),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as gateway,
    ):
        local = await gateway.request(identity.AUTHENTICATE, identity.Authenticate(from_loopback=True))
        token = await gateway.request(identity.CREATE_TOKEN, CreateToken(name="x"), assertion=local.assertion)
        async with connected(nats, token, token=token.token) as integrator:
            await gateway.request(
                identity.DELETE_TOKEN, TokenId(token_id=token.id), assertion=local.assertion
            )
            request = identity.ExchangeToken(token=token.token).model_dump_json().encode()
            reply = await integrator.nats.request(identity.EXCHANGE_TOKEN.subject, request, timeout=5)
            assert reply.headers is not None
            assert reply.headers[Header.ERROR] == "unauthenticated"


async def test_our_own_bus_works_as_integrator(nats: NATSForTests, token: NewToken, local: Assertion) -> None:
    """The client library of this project, with a token in place of an NKey."""
    settings = BusSettings(url=nats.server.url, user=str(token.id), password=SecretStr(token.token))
    async with Bus.connect(settings, service="integration") as bus:
        assertion = await bus.request(
            identity.EXCHANGE_TOKEN, identity.ExchangeToken(token=token.token), assertion=""
        )
        user = await bus.request(identity.GET_USER, identity.GetUser(), assertion=assertion.assertion)
        assert user.id == local.user_id


async def test_large_requests_and_replies_of_an_integrator(nats: NATSForTests, token: NewToken) -> None:
    settings = BusSettings(url=nats.server.url, user=str(token.id), password=SecretStr(token.token))
    endpoint = Endpoint(
        "meshery.rpc.designs.v1.echo_text", NewToken, NewToken, key=public("A test."), large_requests=True
    )

    async def echo(request: NewToken, _caller: Caller) -> NewToken:
        return request

    large = token.model_copy(update={"purpose": "x" * 9_000_000})
    async with (
        Bus.connect(nats.bus_settings("designs"), service="designs") as designs,
        Bus.connect(settings, service="integration") as bus,
        # The same person a second time: nobody answers for the other.
        Bus.connect(settings, service="integration") as again,
    ):
        await designs.serve(endpoint, echo)
        await designs.announce()
        for one in (bus, again):
            assert await one.request(endpoint, large) == large


async def test_integrators_get_in_again_after_a_restart_of_nats(nats: NATSForTests, token: NewToken) -> None:
    await nats.server.restart()
    # Until identity itself is back, nobody is let in.
    async with asyncio.timeout(20):
        while await turned_away(nats, token=token.token):
            continue
