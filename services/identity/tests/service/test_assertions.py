"""Who is behind a request: what the gateway and other services learn from identity."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import OKPKey

from meshery_common.bus import Bus
from meshery_common.callers import AssertionSigner, AssertionVerifier
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import identity
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.errors import Forbidden, NotFound, Unauthenticated
from meshery_contracts.identity import Assertion, Authenticate, CreateToken, Delegate
from meshery_contracts.keys import ALL_BITS, LOCAL_BITS, LOCAL_KEYS
from meshery_contracts.messages import Nothing
from meshery_identity.app import running
from meshery_identity.settings import IdentitySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests


async def read(bus: Bus, assertion: str) -> Caller:
    """The caller of an assertion, verified as any service does it."""

    async def keys() -> dict[str, dict[str, object]]:
        reply = await bus.request(identity.LIST_SIGNING_KEYS, identity.ListSigningKeys(), assertion="")
        return {key["kid"]: key for key in reply.keys}

    return await AssertionVerifier(keys).verify(assertion)


async def test_the_local_user_needs_no_login_over_loopback(gateway: Bus) -> None:
    for provider in ("", "None", "Local", "Meshery", "meshery"):
        request = Authenticate(provider=provider, from_loopback=True)
        answer = await gateway.request(identity.AUTHENTICATE, request)
        assert answer.provider == "None"
        assert set(answer.key_ids) == {key.id for key in LOCAL_KEYS}
        caller = await read(gateway, answer.assertion)
        assert (caller.kind, caller.user_id) == (CallerKind.USER, answer.user_id)
        assert (caller.organization_id, caller.key_bits) == (answer.organization_id, LOCAL_BITS)
        assert len(caller.workspace_ids) == 1


async def test_nobody_else_gets_in_without_a_token(gateway: Bus) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await gateway.request(identity.AUTHENTICATE, Authenticate())
    assert caught.value.problem.code == "token_missing"
    assert caught.value.problem.remediation


async def test_an_unknown_provider_is_refused(gateway: Bus) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await gateway.request(identity.AUTHENTICATE, Authenticate(provider="Cloud", from_loopback=True))
    assert caught.value.problem.code == "provider_unknown"


async def test_the_local_user_can_be_switched_off(settings: IdentitySettings, nats: NATSForTests) -> None:
    shut = settings.model_copy(update={"local_without_login": False})
    async with (
        hosted(running(shut)),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        with pytest.raises(Unauthenticated):
            await bus.request(identity.AUTHENTICATE, Authenticate(from_loopback=True))


async def test_the_local_user_acts_only_in_his_own_organisation(gateway: Bus, local: Assertion) -> None:
    request = Authenticate(from_loopback=True, organization_id=local.organization_id)
    assert (await gateway.request(identity.AUTHENTICATE, request)).user_id == local.user_id
    with pytest.raises(Forbidden) as caught:
        await gateway.request(
            identity.AUTHENTICATE, Authenticate(from_loopback=True, organization_id=uuid4())
        )
    assert caught.value.problem.code == "organization_foreign"


async def test_only_services_reach_authenticate_and_delegate(nats: NATSForTests, gateway: Bus) -> None:
    """NATS itself refuses: `registry` may delegate but never authenticate."""
    async with Bus.connect(nats.bus_settings("registry"), service="registry") as registry:
        # The first refusal may reach the client only after the request ran out of time.
        for _ in range(2):
            with pytest.raises((Forbidden, Exception)) as caught:
                await registry.request(
                    identity.AUTHENTICATE, Authenticate(from_loopback=True), timeout_seconds=0.5
                )
        assert isinstance(caught.value, Forbidden)


async def test_forged_and_expired_assertions_are_refused(gateway: Bus, local: Assertion) -> None:
    caller = await read(gateway, local.assertion)
    published = await gateway.request(identity.LIST_SIGNING_KEYS, identity.ListSigningKeys(), assertion="")
    own = AssertionSigner(OKPKey.generate_key("Ed25519", private=True), published.keys[0]["kid"])
    unknown = AssertionSigner(OKPKey.generate_key("Ed25519", private=True), "somebody's")
    forged = [
        own.sign(caller, now=time.time())[0],
        unknown.sign(caller, now=time.time())[0],
        own.sign(caller, now=time.time() - 3600)[0],
        local.assertion[:-4] + "AAAA",
        "nonsense",
    ]
    for one in forged:
        with pytest.raises(Unauthenticated) as caught:
            await gateway.request(identity.GET_USER, identity.GetUser(), assertion=one)
        assert caught.value.problem.code == "assertion_invalid"
    with pytest.raises(Unauthenticated):
        await gateway.request(identity.GET_USER, identity.GetUser(), assertion="")


async def test_a_service_acts_for_a_person_with_his_present_rights(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    wanted = Delegate(organization_id=local.organization_id, user_id=local.user_id, actor="designs")
    caller = await read(gateway, (await gateway.request(identity.DELEGATE, wanted)).assertion)
    assert (caller.user_id, caller.actor, caller.kind) == (local.user_id, "designs", CallerKind.USER)
    assert caller.key_bits == LOCAL_BITS

    await database.execute(EVERY_ORGANIZATION, "delete from organization_member_roles")
    caller = await read(gateway, (await gateway.request(identity.DELEGATE, wanted)).assertion)
    assert caller.key_bits == 0


async def test_nobody_acts_for_a_person_without_account(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    wanted = Delegate(organization_id=local.organization_id, user_id=local.user_id, actor="designs")
    await database.execute(EVERY_ORGANIZATION, "update users set status = 'inactive'")
    with pytest.raises(Forbidden) as caught:
        await gateway.request(identity.DELEGATE, wanted)
    assert caught.value.problem.code == "user_inactive"
    with pytest.raises(Forbidden):
        await gateway.request(identity.AUTHENTICATE, Authenticate(from_loopback=True))

    await database.execute(EVERY_ORGANIZATION, "update users set status = 'active', deleted_at = now()")
    with pytest.raises(NotFound):
        await gateway.request(identity.DELEGATE, wanted)
    stranger = Delegate(organization_id=local.organization_id, user_id=uuid4(), actor="designs")
    with pytest.raises(NotFound):
        await gateway.request(identity.DELEGATE, stranger)


async def test_a_service_acts_on_its_own(gateway: Bus, local: Assertion) -> None:
    for organization_id in (local.organization_id, UUID(int=0)):
        for user_id in (None, UUID(int=0)):
            request = Delegate(organization_id=organization_id, user_id=user_id, actor="inventory")
            caller = await read(gateway, (await gateway.request(identity.DELEGATE, request)).assertion)
            assert (caller.kind, caller.user_id) == (CallerKind.SERVICE, UUID(int=0))
            assert (caller.organization_id, caller.actor) == (organization_id, "inventory")
            assert caller.key_bits == ALL_BITS
    with pytest.raises(NotFound):
        await gateway.request(identity.DELEGATE, Delegate(organization_id=uuid4(), actor="inventory"))


async def test_a_name_that_is_no_service_cannot_act(gateway: Bus, local: Assertion) -> None:
    with pytest.raises(Forbidden) as caught:
        await gateway.request(
            identity.DELEGATE, Delegate(organization_id=local.organization_id, actor="identity")
        )
    assert caught.value.problem.code == "actor_unknown"


async def test_a_caller_without_keys_is_forbidden(gateway: Bus, local: Assertion, database: Database) -> None:
    await database.execute(EVERY_ORGANIZATION, "delete from role_keychains")
    powerless = await gateway.request(identity.AUTHENTICATE, Authenticate(from_loopback=True))
    assert powerless.key_ids == []
    with pytest.raises(Forbidden) as caught:
        await gateway.request(identity.GET_USER, identity.GetUser(), assertion=powerless.assertion)
    assert caught.value.problem.code == "key_missing"
    with pytest.raises(Forbidden):
        await gateway.request(identity.CREATE_TOKEN, CreateToken(name="x"), assertion=powerless.assertion)
    with pytest.raises(Forbidden):
        await gateway.request(identity.GET_PREFERENCES, Nothing(), assertion=powerless.assertion)
