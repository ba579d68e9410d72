"""Kubeconfigs: those that are sent to us (`uploaded_kubeconfig`) and our own machine's."""

from meshery_kube.kubeconfigs.contexts import (
    Context,
    ExecPlugin,
    Impersonation,
    Kubeconfig,
    Server,
    User,
)
from meshery_kube.kubeconfigs.exports import self_contained
from meshery_kube.kubeconfigs.own_files import in_cluster_context, own_kubeconfig
from meshery_kube.kubeconfigs.uploads import UploadPolicy, uploaded_kubeconfig

__all__ = [
    "Context",
    "ExecPlugin",
    "Impersonation",
    "Kubeconfig",
    "Server",
    "UploadPolicy",
    "User",
    "in_cluster_context",
    "own_kubeconfig",
    "self_contained",
    "uploaded_kubeconfig",
]
