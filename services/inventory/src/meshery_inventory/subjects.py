"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import discovery
from meshery_contracts import inventory as contract
from meshery_inventory.service import PicturesService, SessionsService


async def serve(bus: Bus, pictures: PicturesService, sessions: SessionsService) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.LIST, pictures.list)
    await bus.serve(contract.GET, pictures.get)
    await bus.serve(contract.SUMMARIZE, pictures.summarize)
    await bus.serve(discovery.OPEN_SESSION, sessions.open_session)
    await bus.serve(discovery.COMPARE_DIGESTS, sessions.compare)
    await bus.announce(contract, discovery)
