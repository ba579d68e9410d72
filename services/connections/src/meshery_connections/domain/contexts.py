"""Clusters of kubeconfigs as Meshery's clients read them. Nothing in here ever holds a credential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from meshery_contracts.connections import Connection, KubernetesContext

_NAMESPACE = UUID("6f1c7a0e-3f0f-5c0e-9d3a-6a4d1b7a2c55")
DEFAULT_MODE = "embedded"
MODES = frozenset({"embedded", "operator"})


@dataclass(frozen=True)
class ContextDescription:
    """What may be shown of one context of a kubeconfig."""

    name: str
    server: str
    namespace: str = "default"
    cluster_name: str = ""
    user_name: str = ""
    #: token, certificate, password, plugin, …: how we prove who we are, not with what.
    credential: str = ""
    verify_tls: bool = True
    #: SHA-256 of the cluster's certificate authorities, to compare before it is trusted.
    authority_fingerprints: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The same for the same server and name, so that a selection by id can be understood."""
        return context_id(self.server, self.name)


@dataclass(frozen=True)
class ClusterIdentity:
    """What a cluster says about itself and about us."""

    #: uid of namespace kube-system; made from address and authority where that may not be read.
    cluster_id: str
    version: str
    derived: bool = False
    username: str = ""
    groups: tuple[str, ...] = ()


def context_id(server: str, name: str) -> str:
    """The id of a context that is not stored."""
    return str(uuid5(_NAMESPACE, f"context|{server}|{name}"))


def derived_cluster_id(server: str, authority_fingerprints: Sequence[str]) -> str:
    """An identity for a cluster that does not tell its own."""
    return str(uuid5(_NAMESPACE, f"cluster|{server}|{'|'.join(authority_fingerprints)}"))


def selected(
    names: Sequence[str], ids: Mapping[str, str], wanted: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The names that a selection means, in the order of the file, and what it asks for in vain.

    `ids` gives the ids that a name may also be asked for by (`{id: name}`); no wish means all.
    """
    if not wanted:
        return list(names), []
    chosen = {ids.get(one, one) for one in wanted}
    return [name for name in names if name in chosen], sorted(chosen - set(names))


def mode_of(description: ContextDescription, modes: Mapping[str, str], otherwise: str) -> str:
    """How a context is watched: as said for its id or its name, else like all others."""
    return modes.get(description.id) or modes.get(description.name) or otherwise


def metadata_of(
    description: ContextDescription, identity: ClusterIdentity | None, mode: str
) -> dict[str, Any]:
    """What a connection tells about its cluster, in the spellings of Meshery's generations."""
    server_id = identity.cluster_id if identity else ""
    found: dict[str, Any] = {
        "name": description.name,
        "server": description.server,
        "namespace": description.namespace,
        "version": identity.version if identity else "",
        "deployment_type": "out_of_cluster",
        "deploymentType": "out_of_cluster",
        "kubernetes_server_id": server_id,
        "kubernetesServerId": server_id,
        "meshsync_deployment_mode": mode,
        "meshsyncDeploymentMode": mode,
        "cluster": cluster_section(description),
        "auth": auth_section(description, identity),
    }
    if identity and identity.derived:
        found["kubernetes_server_id_derived"] = found["kubernetesServerIdDerived"] = True
    return found


def cluster_section(description: ContextDescription) -> dict[str, Any]:
    """The `cluster` half, for the eye."""
    return {
        "name": description.cluster_name,
        "server": description.server,
        "verifyTls": description.verify_tls,
        "authorityFingerprints": list(description.authority_fingerprints),
    }


def auth_section(description: ContextDescription, identity: ClusterIdentity | None) -> dict[str, Any]:
    """The `auth` half: who we are towards the cluster and how that is proved."""
    found: dict[str, Any] = {"name": description.user_name, "credential": description.credential}
    if identity and identity.username:
        found |= {"username": identity.username, "groups": list(identity.groups)}
    return found


def unsaved_context(
    description: ContextDescription, identity: ClusterIdentity | None, owner: UUID, now: datetime
) -> KubernetesContext:
    """A context that is shown before anything is stored."""
    return KubernetesContext(
        id=description.id,
        name=description.name,
        server=description.server,
        owner=str(owner),
        created_by=str(owner),
        kubernetes_server_id=identity.cluster_id if identity else None,
        version=identity.version if identity else "",
        reachable=identity is not None,
        auth=auth_section(description, identity),
        cluster=cluster_section(description),
        created_at=now,
        updated_at=now,
    )


def context_of(connection: Connection) -> KubernetesContext:
    """A stored connection as the context that it was made from."""
    metadata = connection.metadata
    return KubernetesContext(
        id=str(connection.id),
        name=connection.name,
        server=str(metadata.get("server") or ""),
        owner=str(connection.user_id),
        created_by=str(connection.user_id),
        kubernetes_server_id=str(metadata.get("kubernetes_server_id") or "") or None,
        deployment_type=str(metadata.get("deployment_type") or "out_of_cluster"),
        version=str(metadata.get("version") or ""),
        connection_id=connection.id,
        reachable=bool(metadata.get("reachable")),
        auth=dict(metadata.get("auth") or {}),
        cluster=dict(metadata.get("cluster") or {}),
        created_at=connection.created_at,
        updated_at=connection.updated_at,
    )
