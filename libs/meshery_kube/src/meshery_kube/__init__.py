"""A thin asynchronous Kubernetes client: kubeconfigs, discovery, objects, watches.

Nothing in here knows what Meshery is. No other member talks to Kubernetes except through it.
"""

from meshery_kube.catalogues import Catalogue, KindNotServed
from meshery_kube.clients import Client
from meshery_kube.events import (
    Bookmark,
    Change,
    ChangeType,
    Interrupted,
    Refused,
    SnapshotEnded,
    SnapshotMode,
    SnapshotStarted,
    WatchEvent,
)
from meshery_kube.kinds import Kind
from meshery_kube.kubeconfigs import (
    Context,
    Impersonation,
    Kubeconfig,
    UploadPolicy,
    in_cluster_context,
    own_kubeconfig,
    self_contained,
    uploaded_kubeconfig,
)
from meshery_kube.logs import LogOptions
from meshery_kube.objects import Deleted, PatchKind, Propagation, Validation, Written
from meshery_kube.pages import Page, Selection
from meshery_kube.transports import ClientSettings
from meshery_kube.versions import Version
from meshery_kube.watches import Watch, WatchOptions
from meshery_web import AddressPolicy

__all__ = [
    "AddressPolicy",
    "Bookmark",
    "Catalogue",
    "Change",
    "ChangeType",
    "Client",
    "ClientSettings",
    "Context",
    "Deleted",
    "Impersonation",
    "Interrupted",
    "Kind",
    "KindNotServed",
    "Kubeconfig",
    "LogOptions",
    "Page",
    "PatchKind",
    "Propagation",
    "Refused",
    "Selection",
    "SnapshotEnded",
    "SnapshotMode",
    "SnapshotStarted",
    "UploadPolicy",
    "Validation",
    "Version",
    "Watch",
    "WatchEvent",
    "WatchOptions",
    "Written",
    "in_cluster_context",
    "own_kubeconfig",
    "self_contained",
    "uploaded_kubeconfig",
]
