"""Tells which clusters of this machine's kubeconfig wait for their owner's consent, and how he gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from meshery_common.bus import Bus
from meshery_contracts import connections, identity
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.errors import ProblemError
from meshery_standalone.console import Console

_LOOKS = 20
_PAUSE_SECONDS = 0.5
_SHOWN = 5


async def tell_discovered(bus: Bus, console: Console, url: str) -> None:
    """Wait a while for the contexts to be found, and say once how each is connected; never returns."""
    before: Sequence[Connection] = ()
    for _ in range(_LOOKS):
        found = await _discovered(bus)
        # They come one by one: two looks must agree.
        if found and len(found) == len(before):
            console.say(_words(found, url))
            break
        before = found
        await asyncio.sleep(_PAUSE_SECONDS)
    await asyncio.Event().wait()


async def _discovered(bus: Bus) -> Sequence[Connection]:
    request = connections.ListConnections(
        kinds=["kubernetes"], statuses=[ConnectionStatus.DISCOVERED], order="name asc", page_size=100
    )
    try:
        person = await bus.request(
            identity.AUTHENTICATE, identity.Authenticate(from_loopback=True), assertion=""
        )
        page = await bus.request(connections.LIST, request, assertion=person.assertion)
    except ProblemError:
        return ()
    return [one for one in page.connections if one.metadata.get("own")]


def _words(found: Sequence[Connection], url: str) -> str:
    names = ", ".join(one.name for one in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    path = f"{url}/api/integrations/connections/{found[0].id}"
    return (
        f"Discovered in your kubeconfig: {names}{more}. To connect {found[0].name}:\n"
        f'  curl -X PUT {path} -d \'{{"status": "connected"}}\'\n'
        "MESHERY_CONNECT_OWN=true connects all of them at every start."
    )
