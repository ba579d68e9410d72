"""Clients of clusters: made once per connection, shared by all who use it, replaced when the connection changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from meshery_connections.clients.kubeconfigs import described
from meshery_connections.domain.contexts import ClusterIdentity, derived_cluster_id
from meshery_contracts.errors import TooLarge
from meshery_kube import AddressPolicy, Client, ClientSettings, Context
from meshery_kube.errors import ApiError, ProtocolError, Timeout
from meshery_kube.kinds import CUSTOM_RESOURCE_DEFINITION

_KEPT = 256
#: Shorter than the requests of our own contract: a cluster that hangs costs its object, not the whole answer.
_SETTINGS = ClientSettings(user_agent="meshery", timeout=15.0)


@dataclass(frozen=True)
class WayIn:
    """A way into a cluster, and the addresses that it may lead to (None: any, for this machine's own contexts)."""

    context: Context
    addresses: AddressPolicy | None


@dataclass
class _Shared:
    """A client and who uses it right now."""

    client: Client
    version: Hashable
    users: int = 0
    retired: bool = False
    used_at: float = field(default_factory=time.monotonic)


class ClusterClients:
    """One client per connection."""

    def __init__(self) -> None:
        self._shared: dict[UUID, _Shared] = {}
        self._making = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[ClusterClients]:
        """All clients, closed at the end of the block."""
        clients = cls()
        try:
            yield clients
        finally:
            for connection_id in list(clients._shared):
                await clients.drop(connection_id, at_once=True)

    @asynccontextmanager
    async def client(
        self, connection_id: UUID, version: Hashable, load: Callable[[], Awaitable[WayIn]]
    ) -> AsyncIterator[Client]:
        """The connection's client for the time of the block; `load` is called when there is none of this version.

        Raises what `load` raises, and KubeconfigMalformed for unusable certificates.
        """
        shared = self._shared.get(connection_id)
        if shared is None or shared.version != version:
            shared = await self._make(connection_id, version, load)
        shared.users += 1
        try:
            yield shared.client
        finally:
            shared.users -= 1
            shared.used_at = time.monotonic()
            if shared.retired and not shared.users:
                await shared.client.__aexit__(None, None, None)

    async def drop(self, connection_id: UUID, *, at_once: bool = False) -> None:
        """Forget the client of a connection; it is closed when its last user is done, or now."""
        shared = self._shared.pop(connection_id, None)
        if shared is None:
            return
        shared.retired = True
        if at_once or not shared.users:
            await shared.client.__aexit__(None, None, None)

    async def _make(
        self, connection_id: UUID, version: Hashable, load: Callable[[], Awaitable[WayIn]]
    ) -> _Shared:
        async with self._making:
            shared = self._shared.get(connection_id)
            if shared is not None and shared.version == version:
                return shared
            way = await load()
            client = Client(way.context, _SETTINGS, way.addresses)
            await client.__aenter__()
            await self.drop(connection_id)
            shared = self._shared[connection_id] = _Shared(client, version)
            await self._evict()
            return shared

    async def _evict(self) -> None:
        """Close the clients that nobody has used for longest, when there are too many."""
        idle = sorted(
            (one for one in self._shared.items() if not one[1].users), key=lambda one: one[1].used_at
        )
        for connection_id, _ in idle[: max(0, len(self._shared) - _KEPT)]:
            await self.drop(connection_id)


async def identify(way: WayIn, timeout_seconds: float) -> ClusterIdentity:
    """Ask a cluster who it is and whom it takes us for; changes nothing there. Raises KubeError."""
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            Client(way.context, _SETTINGS, way.addresses) as client,
        ):
            return await identity_of(client)
    except TimeoutError:
        raise Timeout(f"{way.context.server.url}: no answer within {timeout_seconds:g} s") from None


async def identity_of(client: Client) -> ClusterIdentity:
    """The same over a client that is open."""
    version = await client.version()
    derived = False
    try:
        cluster_id = await client.cluster_id()
    except (ApiError, ProtocolError) as error:
        if isinstance(error, ApiError) and error.status.code == 401:
            raise
        # An account of one namespace may not read kube-system; it is a cluster all the same.
        context = client.transport.context
        cluster_id = derived_cluster_id(context.server.url, described(context).authority_fingerprints)
        derived = True
    person = None
    with suppress(ApiError, ProtocolError):
        person = await client.reviews.who_am_i()
    return ClusterIdentity(
        cluster_id=cluster_id,
        version=version.git_version,
        derived=derived,
        username=person.username if person else "",
        groups=person.groups if person else (),
    )


async def custom_definitions(way: WayIn, timeout_seconds: float, most_bytes: int) -> list[bytes]:
    """The cluster's CRDs as JSON, without what only the cluster needs. Raises KubeError, TooLarge."""
    found: list[bytes] = []
    size = 0
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            Client(way.context, _SETTINGS, way.addresses) as client,
        ):
            async for one in client.objects.list(CUSTOM_RESOURCE_DEFINITION):
                one.pop("status", None)
                one["metadata"].pop("managedFields", None)
                found.append(orjson.dumps(one))
                size += len(found[-1])
                if size > most_bytes:
                    raise TooLarge(
                        f"The cluster's CRDs are larger than {most_bytes:,} bytes.",
                        code="definitions_too_large",
                        remedy="Import them in parts: `kubectl get crd <names> -o yaml`.",
                    )
    except TimeoutError:
        raise Timeout(f"{way.context.server.url}: no answer within {timeout_seconds:g} s") from None
    return found
