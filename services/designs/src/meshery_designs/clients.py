"""What the designs service asks of other services, one class per service."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import clusters, connections, identity, registry
from meshery_contracts.clusters import ObjectReference, ObjectResult
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.registry import KindName, ResolvedKind

#: Schemas never change under their hash; the newest used are kept.
_SCHEMAS_KEPT = 500
#: Objects sent in one request: keeps it far under the limit of a message.
_OBJECTS_AT_ONCE = 50


class RegistryClient:
    """Kinds and schemas."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._schemas: OrderedDict[str, str] = OrderedDict()

    async def resolve(self, kinds: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ResolvedKind]:
        """The component for each (apiVersion, kind); one that the registry does not know has no component id."""
        wanted = sorted(set(kinds))
        if not wanted:
            return {}
        request = registry.ResolveKinds(
            kinds=[KindName(api_version=version, kind=kind) for version, kind in wanted]
        )
        reply = await self._bus.request(registry.RESOLVE_KINDS, request)
        return {(one.kind.api_version, one.kind.kind): one for one in reply.kinds}

    async def schemas(self, hashes: Iterable[str]) -> dict[str, str]:
        """JSON schema text by hash, from the cache where it is there."""
        wanted = {one for one in hashes if one}
        missing = sorted(wanted - self._schemas.keys())
        if missing:
            reply = await self._bus.request(registry.GET_SCHEMAS, registry.GetSchemas(hashes=missing))
            self._schemas.update(reply.schemas)
        found = {one: self._schemas[one] for one in wanted if one in self._schemas}
        while len(self._schemas) > _SCHEMAS_KEPT:
            self._schemas.popitem(last=False)
        return found


class ClusterClient:
    """Objects in clusters, through the service that holds the credentials."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def connected(self) -> list[Connection]:
        """The connected Kubernetes clusters that the caller may see."""
        request = connections.ListConnections(
            kinds=["kubernetes"], statuses=[ConnectionStatus.CONNECTED], page_size=1000
        )
        return (await self._bus.request(connections.LIST, request)).connections

    async def get(self, connection_id: UUID) -> Connection:
        """One connection. Raises NotFound."""
        return await self._bus.request(connections.GET, connections.ConnectionId(connection_id=connection_id))

    async def apply(
        self,
        connection_id: UUID,
        objects: Sequence[dict[str, Any]],
        *,
        force: bool,
        dry_run: bool,
        assertion: str | None = None,
    ) -> list[ObjectResult]:
        """Server-side apply; one result for each object, in order."""
        results: list[ObjectResult] = []
        for start in range(0, len(objects), _OBJECTS_AT_ONCE):
            request = clusters.ApplyObjects(
                connection_id=connection_id,
                objects=list(objects[start : start + _OBJECTS_AT_ONCE]),
                force=force,
                dry_run=dry_run,
            )
            reply = await self._bus.request(clusters.APPLY_OBJECTS, request, assertion=assertion)
            results += reply.results
        return results

    async def delete(
        self,
        connection_id: UUID,
        references: Sequence[ObjectReference],
        uids: Sequence[str],
        *,
        dry_run: bool = False,
        assertion: str | None = None,
    ) -> list[ObjectResult]:
        """Delete; one result for each object, in order. An absent one is no failure."""
        results: list[ObjectResult] = []
        for start in range(0, len(references), _OBJECTS_AT_ONCE):
            chunk = slice(start, start + _OBJECTS_AT_ONCE)
            request = clusters.DeleteObjects(
                connection_id=connection_id,
                references=list(references[chunk]),
                uids=list(uids[chunk]),
                dry_run=dry_run,
            )
            reply = await self._bus.request(clusters.DELETE_OBJECTS, request, assertion=assertion)
            results += reply.results
        return results

    async def read(
        self, connection_id: UUID, references: Sequence[ObjectReference], *, assertion: str | None = None
    ) -> list[ObjectResult]:
        """The objects as they are now; one result for each, in order."""
        results: list[ObjectResult] = []
        for start in range(0, len(references), _OBJECTS_AT_ONCE):
            request = clusters.ReadObjects(
                connection_id=connection_id, references=list(references[start : start + _OBJECTS_AT_ONCE])
            )
            reply = await self._bus.request(clusters.READ_OBJECTS, request, assertion=assertion)
            results += reply.results
        return results


class IdentityClient:
    """Fresh assertions for durable runs."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def assertion_for(self, organization_id: UUID, user_id: UUID) -> str:
        """An assertion for a person on whose behalf a run goes on. Raises NotFound or Forbidden when revoked."""
        request = identity.Delegate(organization_id=organization_id, user_id=user_id, actor="designs")
        return (await self._bus.request(identity.DELEGATE, request)).assertion
