"""What the connections service asks of clusters and of other services, one class per peer."""

from meshery_connections.clients.agents import GoMeshSyncClient
from meshery_connections.clients.kubernetes import ClusterClients, custom_definitions, identify
from meshery_connections.clients.registry import RegistryClient

__all__ = ["ClusterClients", "GoMeshSyncClient", "RegistryClient", "custom_definitions", "identify"]
