"""What goes on while nobody asks: keeping connected clusters and watching them."""

from meshery_connections.workers.keepers import Duty, Keepers
from meshery_connections.workers.meshsync import MeshSyncProcesses, meshsync_environment

__all__ = ["Duty", "Keepers", "MeshSyncProcesses", "meshsync_environment"]
