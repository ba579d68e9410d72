"""Personal access tokens: made, used, restricted, revoked."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import identity
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound, ProblemError, Unauthenticated
from meshery_contracts.identity import (
    Assertion,
    Authenticate,
    CreateToken,
    ExchangeToken,
    NewToken,
    Token,
    TokenCreated,
    TokenId,
    TokenRevoked,
)
from meshery_contracts.keys import LOCAL_KEYS, Key
from meshery_contracts.paging import PageRequest
from meshery_identity.app import running
from meshery_identity.domain import tokens
from meshery_identity.settings import IdentitySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests


async def a_token(bus: Bus, who: Assertion, *, key: str = "", **request: object) -> NewToken:
    wanted = CreateToken.model_validate({"name": "ci", **request})
    return await bus.request(identity.CREATE_TOKEN, wanted, assertion=who.assertion, idempotency_key=key)


async def revoke(bus: Bus, who: Assertion, token: Token, *, key: str = "") -> Token:
    return await bus.request(
        identity.DELETE_TOKEN, TokenId(token_id=token.id), assertion=who.assertion, idempotency_key=key
    )


async def authenticate(bus: Bus, token: str, **request: object) -> Assertion:
    wanted = Authenticate.model_validate({"token": token, **request})
    return await bus.request(identity.AUTHENTICATE, wanted)


async def refused(bus: Bus, token: str) -> str:
    """The code that both ways to show a token refuse it with."""
    codes = set()
    for asked in (
        bus.request(identity.AUTHENTICATE, Authenticate(token=token, from_loopback=True)),
        bus.request(identity.EXCHANGE_TOKEN, ExchangeToken(token=token), assertion=""),
    ):
        with pytest.raises((Unauthenticated, Forbidden)) as caught:
            await asked
        assert isinstance(caught.value, ProblemError)
        codes.add(caught.value.problem.code)
    (code,) = codes
    return code


async def facts(db: Database) -> list[tuple[str, dict[str, object]]]:
    rows = await db.fetch(EVERY_ORGANIZATION, "select subject, payload from outbox order by id")
    return [(row["subject"], orjson.loads(row["payload"])) for row in rows]


async def test_a_token_opens_from_anywhere_and_exchanges(
    gateway: Bus, local: Assertion, settings: IdentitySettings
) -> None:
    token = await a_token(gateway, local, purpose="builds", days=7)
    assert token.token.startswith("mpy_local_")
    assert token.expires_at - token.created_at == timedelta(days=7)
    assert (token.nats_user, token.nats_inbox_prefix) == (str(token.id), f"_INBOX_{token.id}")
    assert token.nats_body_prefix == f"meshery.body.guest.{token.id}"
    assert token.nats_url == settings.nats_public_url
    for answer in (
        await authenticate(gateway, token.token),
        await gateway.request(identity.EXCHANGE_TOKEN, ExchangeToken(token=token.token), assertion=""),
    ):
        assert (answer.user_id, answer.organization_id) == (local.user_id, local.organization_id)
        assert set(answer.key_ids) == {key.id for key in LOCAL_KEYS}
        await gateway.request(identity.GET_USER, identity.GetUser(), assertion=answer.assertion)


async def test_only_a_hash_of_the_secret_is_kept(gateway: Bus, local: Assertion, database: Database) -> None:
    token = await a_token(gateway, local, key="once")
    secret = token.token[-49:-6]
    for table in ("tokens", "idempotency_keys", "outbox"):
        rows = await database.fetch(EVERY_ORGANIZATION, f"select t::text as row from {table} t")
        assert rows
        for row in rows:
            assert secret not in row["row"]
            assert secret.encode().hex() not in row["row"]


async def test_a_repeated_command_gives_the_same_token(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    first = await a_token(gateway, local, key="the same")
    second = await a_token(gateway, local, key="the same")
    assert second == first
    assert (await authenticate(gateway, second.token)).user_id == local.user_id
    page = await gateway.request(identity.LIST_TOKENS, PageRequest(), assertion=local.assertion)
    assert page.total_count == 1
    with pytest.raises(Conflict):
        await a_token(gateway, local, key="the same", name="another")


async def test_a_wrong_token_is_refused(gateway: Bus, local: Assertion) -> None:
    good = (await a_token(gateway, local)).token
    assert await refused(gateway, "nonsense") == "token_malformed"
    assert await refused(gateway, good[:-1] + ("0" if good[-1] != "0" else "1")) == "token_malformed"
    other = await a_token(gateway, local)
    # The id of one token with the secret of another, and a checksum that fits.
    presented = tokens.read(other.token)
    secret = base64.urlsafe_b64decode(presented.secret + "=")
    first = tokens.read(good)
    assert await refused(gateway, tokens.write("local", first.token_id, secret)) == "token_unknown"
    assert await refused(gateway, tokens.write("local", uuid4(), secret)) == "token_unknown"


async def test_a_revoked_token_stops_at_once(gateway: Bus, local: Assertion, database: Database) -> None:
    token = await a_token(gateway, local)
    kept = await a_token(gateway, local, name="kept")
    await authenticate(gateway, token.token)
    gone = await revoke(gateway, local, token, key="gone")
    assert (gone.id, gone.name) == (token.id, "ci")
    assert await refused(gateway, token.token) == "token_revoked"
    assert (await authenticate(gateway, kept.token)).user_id == local.user_id

    assert (await revoke(gateway, local, token, key="gone")).id == token.id
    with pytest.raises(NotFound):
        await revoke(gateway, local, token)
    page = await gateway.request(identity.LIST_TOKENS, PageRequest(), assertion=local.assertion)
    assert [one.id for one in page.tokens] == [kept.id]

    announced = await facts(database)
    organization = local.organization_id
    assert [subject for subject, _ in announced] == [
        identity.TOKEN_CREATED.subject_for(organization, token.id),
        identity.TOKEN_CREATED.subject_for(organization, kept.id),
        identity.TOKEN_REVOKED.subject_for(organization, token.id),
    ]
    assert TokenCreated.model_validate(announced[0][1]).token_id == token.id
    revoked = TokenRevoked.model_validate(announced[2][1])
    assert (revoked.token_id, revoked.user_id) == (token.id, local.user_id)


async def test_the_gateway_hears_of_a_revoked_token(gateway: Bus, local: Assertion) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: object) -> None:
        heard.put_nowait(getattr(message, "data"))  # noqa: B009 -- the message's type belongs to the bus

    await gateway.subscribe(identity.TOKEN_REVOKED.wildcard(), hear)
    token = await a_token(gateway, local)
    await revoke(gateway, local, token)
    async with asyncio.timeout(10):
        assert TokenRevoked.model_validate_json(await heard.get()).token_id == token.id


async def test_an_expired_token_is_refused(gateway: Bus, local: Assertion, database: Database) -> None:
    token = await a_token(gateway, local)
    await database.execute(EVERY_ORGANIZATION, "update tokens set expires_at = now() - interval '1 second'")
    assert await refused(gateway, token.token) == "token_expired"


async def test_a_token_of_a_deactivated_owner_is_refused(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    token = await a_token(gateway, local)
    await database.execute(EVERY_ORGANIZATION, "update users set status = 'inactive'")
    assert await refused(gateway, token.token) == "user_inactive"
    await database.execute(EVERY_ORGANIZATION, "update users set deleted_at = now()")
    assert await refused(gateway, token.token) == "token_orphaned"


async def test_a_token_is_for_one_organisation(gateway: Bus, local: Assertion) -> None:
    token = await a_token(gateway, local)
    answer = await authenticate(gateway, token.token, organization_id=local.organization_id)
    assert answer.organization_id == local.organization_id
    with pytest.raises(Forbidden) as caught:
        await authenticate(gateway, token.token, organization_id=uuid4())
    assert caught.value.problem.code == "organization_foreign"


async def test_a_token_with_few_keys_may_do_little(gateway: Bus, local: Assertion) -> None:
    few = [Key.VIEW_PROFILE.id, Key.CREATE_TOKEN.id]
    token = await a_token(gateway, local, keys=few)
    narrow = await authenticate(gateway, token.token)
    assert set(narrow.key_ids) == set(few)
    await gateway.request(identity.GET_USER, identity.GetUser(), assertion=narrow.assertion)
    with pytest.raises(Forbidden):
        await gateway.request(identity.LIST_TOKENS, PageRequest(), assertion=narrow.assertion)
    listed = await gateway.request(
        identity.LIST_KEYS,
        identity.ListKeys(organization_id=local.organization_id),
        assertion=narrow.assertion,
    )
    assert {one.id for one in listed.keys} == set(few)

    # It cannot make a stronger one: neither by naming keys nor by naming none.
    with pytest.raises(Forbidden) as caught:
        await a_token(gateway, narrow, keys=[Key.VIEW_PROFILE.id, Key.VIEW_TOKENS.id])
    assert caught.value.problem.code == "key_missing"
    child = await a_token(gateway, narrow)
    assert set((await authenticate(gateway, child.token)).key_ids) == set(few)


async def test_a_token_cannot_hold_what_nobody_or_the_owner_lacks(gateway: Bus, local: Assertion) -> None:
    with pytest.raises(Invalid) as caught:
        await a_token(gateway, local, keys=[uuid4()])
    assert caught.value.problem.code == "key_unknown"
    foreign = next(key for key in Key if not key.value.local)
    with pytest.raises(Forbidden):
        await a_token(gateway, local, keys=[foreign.id])
    nothing = await a_token(gateway, local, keys=[])
    assert (await authenticate(gateway, nothing.token)).key_ids == []


async def test_the_last_use_is_known_by_the_minute(gateway: Bus, local: Assertion) -> None:
    token = await a_token(gateway, local)
    before = await gateway.request(identity.LIST_TOKENS, PageRequest(), assertion=local.assertion)
    assert before.tokens[0].last_used_at is None
    await authenticate(gateway, token.token)
    after = await gateway.request(identity.LIST_TOKENS, PageRequest(), assertion=local.assertion)
    used = after.tokens[0].last_used_at
    assert used is not None
    assert (used.second, used.microsecond) == (0, 0)
    assert datetime.now(UTC) - used < timedelta(minutes=2)


async def test_nobody_hoards_tokens(settings: IdentitySettings, nats: NATSForTests) -> None:
    few = settings.model_copy(update={"tokens_per_user": 2})
    async with (
        hosted(running(few)),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        local = await bus.request(identity.AUTHENTICATE, Authenticate(from_loopback=True))
        first = await a_token(bus, local)
        await a_token(bus, local)
        with pytest.raises(Conflict) as caught:
            await a_token(bus, local)
        assert caught.value.problem.code == "too_many_tokens"
        await revoke(bus, local, first)
        await a_token(bus, local)


async def test_a_service_has_no_tokens(gateway: Bus, local: Assertion) -> None:
    service = await gateway.request(
        identity.DELEGATE,
        identity.Delegate(organization_id=local.organization_id, actor="designs"),
    )
    with pytest.raises(Forbidden) as caught:
        await a_token(gateway, service)
    assert caught.value.problem.code == "not_a_person"


async def test_tokens_are_listed_by_page(gateway: Bus, local: Assertion) -> None:
    made = [await a_token(gateway, local, name=f"token {number}") for number in range(5)]
    first = await gateway.request(
        identity.LIST_TOKENS, PageRequest(page_size=2, order="name asc"), assertion=local.assertion
    )
    assert (first.total_count, [one.name for one in first.tokens]) == (5, ["token 0", "token 1"])
    second = await gateway.request(
        identity.LIST_TOKENS, PageRequest(page_size=2, cursor=first.next_cursor), assertion=local.assertion
    )
    assert [one.id for one in second.tokens] == [made[2].id, made[3].id]
    found = await gateway.request(identity.LIST_TOKENS, PageRequest(search="EN 4"), assertion=local.assertion)
    assert [one.id for one in found.tokens] == [made[4].id]
