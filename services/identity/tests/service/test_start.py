"""Starting: the first time, again, two at once, and with the wrong master key."""

from __future__ import annotations

import asyncio
import stat

import pytest
from pydantic import SecretStr

from meshery_common import seals
from meshery_common.bus import Bus
from meshery_common.master_keys import MasterKeyError
from meshery_contracts import identity
from meshery_contracts.identity import Assertion, Authenticate
from meshery_identity.app import running
from meshery_identity.settings import IdentitySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests


async def who_is_local(nats: NATSForTests) -> Assertion:
    async with Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus:
        return await bus.request(identity.AUTHENTICATE, Authenticate(from_loopback=True))


async def test_a_restart_finds_the_same_installation_and_keys(
    settings: IdentitySettings, nats: NATSForTests
) -> None:
    async with hosted(running(settings)):
        before = await who_is_local(nats)
    assert stat.S_IMODE(settings.master_key_file.stat().st_mode) == 0o600
    async with (
        hosted(running(settings)),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        after = await who_is_local(nats)
        assert (after.user_id, after.organization_id) == (before.user_id, before.organization_id)
        # An assertion from before the restart still holds.
        user = await bus.request(identity.GET_USER, identity.GetUser(), assertion=before.assertion)
        assert user.id == before.user_id


async def test_two_replicas_begin_one_installation(settings: IdentitySettings, nats: NATSForTests) -> None:
    async with Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus:
        stop = asyncio.Event()
        ready = asyncio.Barrier(3)

        async def replica() -> None:
            async with running(settings):
                await ready.wait()
                await stop.wait()

        async with asyncio.TaskGroup() as group:
            replicas = [group.create_task(replica()) for _ in range(2)]
            await ready.wait()
            answers = [
                await bus.request(identity.AUTHENTICATE, Authenticate(from_loopback=True)) for _ in range(8)
            ]
            published = await bus.request(
                identity.LIST_SIGNING_KEYS, identity.ListSigningKeys(), assertion=""
            )
            stop.set()
        assert all(one.done() for one in replicas)
    assert len({(one.user_id, one.organization_id) for one in answers}) == 1
    assert len(published.keys) == 1


async def test_another_master_key_is_refused_at_the_start(settings: IdentitySettings) -> None:
    async with hosted(running(settings)):
        pass
    settings.master_key_file.write_bytes(seals.write_master_key(bytes(32)))
    with pytest.raises(seals.SealBrokenError, match="another master key"):
        async with hosted(running(settings)):
            pass


async def test_without_a_master_key_it_does_not_start(settings: IdentitySettings) -> None:
    with pytest.raises(MasterKeyError, match=r"openssl rand.*IDENTITY_CREATE_MASTER_KEY"):
        async with hosted(running(settings.model_copy(update={"create_master_key": False}))):
            pass


async def test_a_wrong_issuer_seed_is_named_at_the_start(
    settings: IdentitySettings, nats: NATSForTests
) -> None:
    wrong = settings.model_copy(update={"nats_issuer_seed": SecretStr(nats.seeds["identity"])})
    with pytest.raises(ValueError, match="IDENTITY_NATS_ISSUER_SEED") as caught:
        async with hosted(running(wrong)):
            pass
    assert nats.seeds["identity"] not in str(caught.value)
