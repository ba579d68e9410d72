"""The use cases of the connections service. Each is a paragraph: authorise, read, decide, write, announce."""

from meshery_connections.service.clusters import ClustersService
from meshery_connections.service.components import ComponentsService
from meshery_connections.service.connections import ConnectionsService
from meshery_connections.service.contexts import ContextsService
from meshery_connections.service.definitions import DefinitionsService
from meshery_connections.service.doors import Doors
from meshery_connections.service.health import HealthService
from meshery_connections.service.moves import Moves
from meshery_connections.service.own import OwnContexts
from meshery_connections.service.vault import Vault, master_keys

__all__ = [
    "ClustersService",
    "ComponentsService",
    "ConnectionsService",
    "ContextsService",
    "DefinitionsService",
    "Doors",
    "HealthService",
    "Moves",
    "OwnContexts",
    "Vault",
    "master_keys",
]
