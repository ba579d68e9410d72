"""The ways into clusters: from a stored connection to an open client, and to what MeshSync needs."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from pydantic import SecretStr

from meshery_connections.clients import ClusterClients, identify
from meshery_connections.clients.kubeconfigs import Kubeconfigs, portable
from meshery_connections.clients.kubernetes import WayIn
from meshery_connections.clients.problems import problem_of
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.domain.contexts import ClusterIdentity
from meshery_connections.service.vault import Vault
from meshery_contracts.discovery import Watch
from meshery_contracts.errors import Unavailable
from meshery_kube import AddressPolicy, Client, Context
from meshery_kube.errors import KubeError


class Doors:
    """Opens connections; the one place where credentials and clients meet."""

    def __init__(
        self,
        clients: ClusterClients,
        vault: Vault,
        kubeconfigs: Kubeconfigs,
        addresses: AddressPolicy,
        *,
        verify_timeout_seconds: float = 10.0,
    ) -> None:
        self._clients = clients
        self._vault = vault
        self._kubeconfigs = kubeconfigs
        self._addresses = addresses
        self._verify_timeout_seconds = verify_timeout_seconds

    @asynccontextmanager
    async def client(self, stored: StoredConnection) -> AsyncIterator[Client]:
        """The connection's client. What a cluster raises inside comes out as an error of our contract."""
        try:
            async with self.raw_client(stored) as client:
                yield client
        except KubeError as error:
            raise problem_of(error, f"Cluster '{stored.connection.name}'") from error

    @asynccontextmanager
    async def raw_client(self, stored: StoredConnection) -> AsyncIterator[Client]:
        """The same for those who look at what the cluster raises: KubeError comes out as it is."""

        async def load() -> WayIn:
            return await self.way_in(stored)

        async with self._clients.client(stored.id, self.version(stored), load) as client:
            yield client

    async def way_in(self, stored: StoredConnection) -> WayIn:
        """Context and credential of a connection. Raises KubeconfigError, Unavailable, Internal."""
        if stored.own_context is not None:
            return WayIn((await self._kubeconfigs.own()).context(stored.own_context), None)
        if stored.connection.credential_id is None:
            raise Unavailable(
                f"Connection '{stored.connection.name}' has no credential.",
                code="credential_gone",
                remedy="Upload the kubeconfig again.",
            )
        text = await self._vault.credential(stored.connection.credential_id)
        return self.uploaded(self._kubeconfigs.stored(text))

    def uploaded(self, context: Context) -> WayIn:
        """The way in that an uploaded context describes: only to addresses that the policy allows."""
        return WayIn(context, self._addresses)

    async def identify(self, way: WayIn, at_most_seconds: float = math.inf) -> ClusterIdentity:
        """Ask the cluster who it is. Raises KubeError; Timeout at the latest after `at_most_seconds`."""
        return await identify(way, max(0.0, min(at_most_seconds, self._verify_timeout_seconds)))

    async def watch(self, stored: StoredConnection) -> Watch:
        """What MeshSync needs to watch the cluster; holds the credential. Raises ProblemError."""
        text = ""
        if stored.own_context is None:
            try:
                text = portable((await self.way_in(stored)).context)
            except KubeError as error:
                raise problem_of(error, f"Cluster '{stored.connection.name}'") from error
        return Watch(
            connection_id=stored.id,
            organization_id=stored.organization_id,
            cluster_id=stored.cluster_id,
            kubeconfig=SecretStr(text),
            context=stored.own_context or stored.context_name,
            own=stored.own_context is not None,
            allow_private=self._addresses.allow_private,
            allow_loopback=self._addresses.allow_loopback,
            allow_networks=[str(one) for one in self._addresses.allow_networks],
            digest_key=SecretStr(self._vault.digest_key(stored.organization_id).hex()),
        )

    async def watched(self, stored: StoredConnection) -> object:
        """What the work beside a cluster depends on: when it changes, that begins anew. None: not known right now.

        Of this machine's kubeconfig only the context itself: the file changes whenever somebody chooses another one.
        """
        if stored.own_context is None:
            return stored.revision
        context = await self._kubeconfigs.own_context(stored.own_context)
        # Half written, or without the context; then the connection will say so.
        return None if context is None else (stored.revision, context)

    async def drop(self, stored: StoredConnection) -> None:
        """Close the connection's client; it was changed or deleted."""
        await self._clients.drop(stored.id)

    def version(self, stored: StoredConnection) -> Hashable:
        """Changes whenever a client that was made before is of no use any more."""
        if stored.own_context is None:
            return stored.revision
        return (stored.revision, self._kubeconfigs.own_version())
