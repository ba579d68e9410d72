"""Rights of people for whom work goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from meshery_common.bus import Bus
from meshery_common.delegation import Delegation
from meshery_contracts.errors import Forbidden, NotFound
from meshery_contracts.keys import LOCAL_BITS, Key
from meshery_testkit.nats import NATSForTests, People


@pytest.fixture
async def rights(nats: NATSForTests, people: People) -> AsyncIterator[Delegation]:
    async with people.serving(nats), Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        yield Delegation(bus)


async def test_a_person_has_the_keys_of_now(rights: Delegation) -> None:
    user_id, organization_id = uuid4(), uuid4()
    caller = await rights.caller_for(organization_id, user_id)
    assert (caller.user_id, caller.organization_id, caller.actor) == (user_id, organization_id, "designs")
    assert caller.key_bits == LOCAL_BITS
    caller.require(Key.VIEW_DESIGNS)
    with pytest.raises(Forbidden):
        caller.require(Key.DELETE_ORGANIZATION)
    assert await rights.assertion_for(organization_id, user_id)


async def test_who_was_revoked_is_gone(rights: Delegation, people: People) -> None:
    people.revoked.add(user_id := uuid4())
    for asking in (rights.caller_for, rights.assertion_for):
        with pytest.raises(NotFound):
            await asking(uuid4(), user_id)
