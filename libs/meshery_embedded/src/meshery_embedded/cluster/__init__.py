"""A sandbox Kubernetes cluster from real parts: etcd, API server, controllers, scheduler; kwok plays nodes."""

from meshery_embedded.cluster.binaries import ensure_binaries
from meshery_embedded.cluster.control_plane import Cluster, cluster

__all__ = ["Cluster", "cluster", "ensure_binaries"]
