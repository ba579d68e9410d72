"""What goes on while nobody asks: keeping connected clusters and watching them."""

from meshery_connections.workers.keepers import Duty, Keepers
from meshery_connections.workers.meshsync import MeshSyncProcesses, meshsync_environment
from meshery_connections.workers.resyncs import Resyncs

__all__ = ["Duty", "Keepers", "MeshSyncProcesses", "Resyncs", "meshsync_environment"]
