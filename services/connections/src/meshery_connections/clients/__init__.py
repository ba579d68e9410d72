"""What the connections service asks of clusters and of other services, one class per peer."""

from meshery_connections.clients.kubernetes import ClusterClients, identify
from meshery_connections.clients.registry import RegistryClient

__all__ = ["ClusterClients", "RegistryClient", "identify"]
