"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import events as contract
from meshery_events.service import EventsService


async def serve(bus: Bus, events: EventsService) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.LIST, events.list)
    await bus.serve(contract.RECORD, events.record)
    await bus.serve(contract.TYPES, events.types)
    await bus.serve(contract.SET_STATUS, events.set_status)
    await bus.serve(contract.DELETE, events.delete)
    await bus.announce(contract)
