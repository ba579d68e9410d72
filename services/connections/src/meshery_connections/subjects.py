"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_connections.service import (
    ClustersService,
    ConnectionsService,
    ContextsService,
    DefinitionsService,
)
from meshery_contracts import clusters
from meshery_contracts import connections as contract


async def serve(
    bus: Bus,
    connections: ConnectionsService,
    contexts: ContextsService,
    definitions: DefinitionsService,
    objects: ClustersService,
) -> None:
    """Answer every endpoint of the contracts; fails when one is forgotten."""
    await bus.serve(contract.READ_CONTEXTS, contexts.read)
    await bus.serve(contract.REGISTER_KUBECONFIG, contexts.register)
    await bus.serve(contract.REGISTER_DEFINITIONS, definitions.register)
    await bus.serve(contract.LIST_CONTEXTS, contexts.list)
    await bus.serve(contract.GET_CONTEXT, contexts.get)
    await bus.serve(contract.LIST, connections.list)
    await bus.serve(contract.GET, connections.get)
    await bus.serve(contract.SET_STATUS, connections.set_status)
    await bus.serve(contract.DELETE, connections.delete)
    await bus.serve(contract.RESYNC, connections.resync)
    await bus.serve(contract.PING, connections.ping)
    await bus.serve(clusters.APPLY_OBJECTS, objects.apply)
    await bus.serve(clusters.DELETE_OBJECTS, objects.delete)
    await bus.serve(clusters.READ_OBJECTS, objects.read)
    await bus.announce(contract, clusters)
