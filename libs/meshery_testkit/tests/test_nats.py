"""The server with the users of production, and the people who ask over it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from meshery_common.bus import Bus
from meshery_contracts import designs, identity
from meshery_contracts.errors import NotFound, ProblemError
from meshery_contracts.keys import LOCAL_BITS
from meshery_contracts.wiring import WIRING
from meshery_testkit.nats import NATSForTests, People


async def test_every_service_has_a_user_of_its_own(nats: NATSForTests) -> None:
    assert set(nats.seeds) == set(WIRING)
    assert len(set(nats.seeds.values())) == len(WIRING)
    settings = nats.bus_settings("designs", max_in_flight=3)
    assert settings.max_in_flight == 3
    async with Bus.connect(settings, service="designs") as bus:
        assert bus.connected()


async def test_it_comes_back_with_its_users(nats: NATSForTests) -> None:
    await nats.server.kill()
    await nats.server.restart()
    async with Bus.connect(nats.bus_settings("identity"), service="identity") as bus:
        assert bus.connected()


async def test_a_service_may_not_serve_anothers_subject(nats: NATSForTests, people: People) -> None:
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("registry"), service="registry") as registry,
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as gateway,
    ):
        assert registry.connected()
        with pytest.raises(ProblemError):
            await gateway.request(
                designs.GET,
                designs.GetDesign(design_id=uuid4()),
                assertion=people.assertion(people.caller()),
            )


async def test_people_are_apart_and_have_the_rights_that_are_asked_for(people: People) -> None:
    first, second = people.caller(), people.caller(key_bits=0)
    assert first.organization_id != second.organization_id
    assert (first.key_bits, second.key_bits) == (LOCAL_BITS, 0)
    assert people.assertion(first) != people.assertion(second)


async def test_identity_is_stood_in_for_and_revokes(nats: NATSForTests, people: People) -> None:
    caller = people.caller()
    request = identity.Delegate(
        user_id=caller.user_id, organization_id=caller.organization_id, actor="designs"
    )
    async with people.serving(nats), Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        reply = await bus.request(identity.DELEGATE, request, assertion="")
        assert (reply.user_id, reply.organization_id) == (caller.user_id, caller.organization_id)
        people.revoked.add(caller.user_id)
        with pytest.raises(NotFound):
            await bus.request(identity.DELEGATE, request, assertion="")
