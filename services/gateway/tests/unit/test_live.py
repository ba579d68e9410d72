"""The fan-out without a bus: queues, gaps, markers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_contracts import designs, identity, inventory, registry
from meshery_contracts.designs import DesignSaved
from meshery_contracts.errors import Forbidden, Unavailable
from meshery_contracts.keys import ORDER, Key
from meshery_contracts.registry import ModelsRegistered
from meshery_gateway.http import live as module
from meshery_gateway.http.live import Live
from meshery_gateway.http.live_sessions import Credential, LiveSession
from meshery_gateway.http.sessions import Session

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ORGANIZATION = uuid4()


@dataclass
class Raw:
    """A message as the bus hands it over."""

    subject: str
    data: bytes = b"{}"
    headers: dict[str, str] | None = None


@dataclass
class Known:
    """Sessions that count how often they were forgotten."""

    forgotten: int = 0
    keys: set[UUID] = field(default_factory=lambda: {key.id for key in ORDER})

    def forget(self) -> None:
        self.forgotten += 1


def a_session(**values: Any) -> Session:
    return Session(
        **{
            "assertion": "signed", "user_id": uuid4(), "organization_id": ORGANIZATION, "provider": "None",
            "token": "", "key_ids": frozenset(key.id for key in ORDER),
            "renew_at": time.monotonic() + 60, **values,
        }
    )  # fmt: skip


def a_live_session(**values: Any) -> LiveSession:
    return LiveSession(Known(), Credential("", "", loopback=True), a_session(**values))  # type: ignore[arg-type]


def a_live() -> Live:
    return Live(Known(), None)  # type: ignore[arg-type]


def saved(version: int) -> Raw:
    """A design was saved."""
    fact = DesignSaved(
        organization_id=ORGANIZATION, occurred_at=NOW, category="design", action="update", description="",
        design_id=uuid4(), name="shop", version=version,
    )  # fmt: skip
    subject = designs.SAVED.subject_for(ORGANIZATION, fact.design_id)
    return Raw(subject, fact.model_dump_json().encode())


def registered(model: str) -> Raw:
    """What ships with us was stored."""
    fact = ModelsRegistered(
        organization_id=UUID(int=0), occurred_at=NOW, category="model", action="register", description="",
        models=[model], generation=1, registered_at=NOW,
    )  # fmt: skip
    subject = registry.MODELS_REGISTERED.subject_for(UUID(int=0), uuid4())
    return Raw(subject, fact.model_dump_json().encode())


def changed(number: int, about: UUID) -> Raw:
    """Objects changed; the publisher's number stands in the header."""
    event = inventory.ResourcesChanged(connection_id=about, changes=[])
    subject = inventory.CHANGED.subject_for(ORGANIZATION, about)
    return Raw(subject, event.model_dump_json().encode(), {"Meshery-Sequence": str(number)})


async def test_each_follower_counts_for_itself() -> None:
    live = a_live()
    with live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED) as early:
        await live.arrived(saved(1))
        with live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED, designs.DELETED) as late:
            await live.arrived(saved(2))
            first, second, other = await anext(early), await anext(early), await anext(late)
    assert (first.sequence, second.sequence, other.sequence) == (1, 2, 1)
    assert second.happened is other.happened  # decoded once
    assert live._followers == {}


async def test_overflow_drops_the_oldest_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_LENGTH", 3)
    live = a_live()
    with live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED) as following:
        for version in range(1, 8):
            await live.arrived(saved(version))
        deliveries = [await anext(following) for _ in range(4)]
    assert [one.resync for one in deliveries] == [True, False, False, False]
    assert [one.sequence for one in deliveries] == [1, 2, 3, 4]
    events = [one.happened.event for one in deliveries if one.happened]
    assert [event.version for event in events if isinstance(event, DesignSaved)] == [5, 6, 7]


async def test_what_ships_with_us_is_told_to_every_organisation() -> None:
    live = a_live()
    elsewhere = a_live_session(organization_id=uuid4())
    with (
        live.follow(a_live_session(), Key.VIEW_REGISTRY, registry.MODELS_REGISTERED) as here,
        live.follow(elsewhere, Key.VIEW_REGISTRY, registry.MODELS_REGISTERED) as there,
        live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED) as other,
    ):
        await live.arrived(registered("kubernetes"))
        # Nobody's designs are not everybody's.
        await live.arrived(Raw(designs.SAVED.subject_for(UUID(int=0), uuid4()), saved(1).data))
        await live.arrived(saved(2))
        for following in (here, there):
            told = (await anext(following)).happened
            assert told is not None
            assert isinstance(told.event, ModelsRegistered)
            assert told.event.models == ["kubernetes"]
        told = (await anext(other)).happened
        assert told is not None
        assert isinstance(told.event, DesignSaved)
        assert told.event.version == 2


async def test_a_gap_in_the_numbers_of_a_subject() -> None:
    live = a_live()
    here, there = uuid4(), uuid4()
    key = Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE
    with live.follow(a_live_session(), key, inventory.CHANGED) as following:
        for number, about in ((7, here), (8, here), (3, there), (9, here), (1, here), (2, here), (10, here)):
            await live.arrived(changed(number, about))
        deliveries = [await anext(following) for _ in range(7)]
        assert not any(one.resync for one in deliveries)
        await live.arrived(changed(13, here))
        assert [(await anext(following)).resync for _ in range(2)] == [True, False]
        await live.arrived(changed(14, here))
        assert not (await anext(following)).resync


async def test_a_lost_connection_and_what_cannot_be_read() -> None:
    live = a_live()
    with live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED) as following:
        live.reconnected()
        live.reconnected()
        assert (await anext(following)).resync
        await live.arrived(Raw(designs.SAVED.subject_for(ORGANIZATION, uuid4()), b'{"from": "the future"}'))
        assert (await anext(following)).resync
        await live.arrived(Raw("meshery.evt.designs.v1.short"))
        await live.arrived(saved(1))
        assert not (await anext(following)).resync
    sessions = live._sessions
    assert isinstance(sessions, Known)
    assert sessions.forgotten == 2


async def test_the_key_is_looked_at_with_each_delivery() -> None:
    live = a_live()
    session = a_live_session()
    with live.follow(session, Key.VIEW_DESIGNS, designs.SAVED) as following:
        await live.arrived(saved(1))
        await anext(following)
        session._current = a_session(key_ids=frozenset())
        await live.arrived(saved(2))
        with pytest.raises(Forbidden):
            await anext(following)
    with pytest.raises(Forbidden), live.follow(session, Key.VIEW_DESIGNS, designs.SAVED):
        pass


async def test_a_revoked_token_is_forgotten_and_sessions_are_renewed() -> None:
    live = a_live()
    ours, others = a_live_session(), a_live_session(organization_id=uuid4())
    with live.holding(ours), live.holding(others):
        await live.arrived(Raw(identity.TOKEN_REVOKED.subject_for(ORGANIZATION, uuid4())))
    assert isinstance(live._sessions, Known)
    assert live._sessions.forgotten == 1
    assert (ours._soon.is_set(), others._soon.is_set()) == (True, False)


async def test_followers_end_with_the_process() -> None:
    live = a_live()
    with live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED) as following:
        await live.arrived(saved(1))
        live.stop()
        async with asyncio.timeout(1):
            assert len([one async for one in following]) == 1
    with pytest.raises(Unavailable), live.follow(a_live_session(), Key.VIEW_DESIGNS, designs.SAVED):
        pass
