"""What the designs service asks of other services, one class per service."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import clusters, connections, policies, registry
from meshery_contracts.clusters import ObjectOutcome, ObjectReference, ObjectResult, ObjectResults
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.errors import ProblemError, TooLarge
from meshery_contracts.paging import MAX_PAGE_SIZE
from meshery_contracts.policies import PolicyReport
from meshery_contracts.registry import KindName, ResolvedKind

T = TypeVar("T")

#: Schemas never change under their hash; the newest used are kept.
_SCHEMAS_KEPT = 500
#: Objects of one request.
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
        """JSON schema text by hash, from the cache where it is there; one that is not known is left out."""
        wanted = {one for one in hashes if one}
        found = {one: self._schemas[one] for one in wanted if one in self._schemas}
        missing = sorted(wanted - found.keys())
        while missing:
            reply = await self._bus.request(registry.GET_SCHEMAS, registry.GetSchemas(hashes=missing))
            found.update(reply.schemas)
            # What was too much for one answer is asked for again, as long as each answer brings something.
            missing = reply.omitted if reply.schemas else []
        for one in found:
            self._schemas[one] = found[one]
            self._schemas.move_to_end(one)
        while len(self._schemas) > _SCHEMAS_KEPT:
            self._schemas.popitem(last=False)
        return found

    async def check(self, file: str) -> PolicyReport:
        """What the policies in force say of a design file (JSON text). Raises Unavailable when nobody can say."""
        return await self._bus.request(policies.CHECK_DESIGN, policies.CheckDesign(file=file))


class ClusterClient:
    """Objects in clusters, through the service that holds the credentials.

    When a whole request fails, each of its objects has: callers handle one kind of failure, per object.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def connected(self) -> list[Connection]:
        """The connected Kubernetes clusters that the caller may see."""
        request = connections.ListConnections(
            kinds=["kubernetes"], statuses=[ConnectionStatus.CONNECTED], page_size=MAX_PAGE_SIZE
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

        async def ask(part: Sequence[dict[str, Any]]) -> ObjectResults:
            request = clusters.ApplyObjects(
                connection_id=connection_id, objects=list(part), force=force, dry_run=dry_run
            )
            return await self._bus.request(clusters.APPLY_OBJECTS, request, assertion=assertion)

        return await _in_parts(ask, objects, _named)

    async def delete(
        self,
        connection_id: UUID,
        objects: Sequence[tuple[ObjectReference, str]],
        *,
        assertion: str | None = None,
    ) -> list[ObjectResult]:
        """Delete the objects with these uids; one result for each, in order. An absent one is no failure."""

        async def ask(part: Sequence[tuple[ObjectReference, str]]) -> ObjectResults:
            request = clusters.DeleteObjects(
                connection_id=connection_id,
                references=[reference for reference, _ in part],
                uids=[uid for _, uid in part],
            )
            return await self._bus.request(clusters.DELETE_OBJECTS, request, assertion=assertion)

        return await _in_parts(ask, objects, lambda one: one[0])

    async def read(
        self, connection_id: UUID, references: Sequence[ObjectReference], *, assertion: str | None = None
    ) -> list[ObjectResult]:
        """The objects as they are now; one result for each, in order."""

        async def ask(part: Sequence[ObjectReference]) -> ObjectResults:
            request = clusters.ReadObjects(connection_id=connection_id, references=list(part))
            return await self._bus.request(clusters.READ_OBJECTS, request, assertion=assertion)

        return await _in_parts(ask, references, lambda one: one)


async def _in_parts(
    ask: Callable[[Sequence[T]], Awaitable[ObjectResults]],
    objects: Sequence[T],
    reference_of: Callable[[T], ObjectReference],
) -> list[ObjectResult]:
    """Ask about some objects at a time, and about fewer when that is too much for one message."""
    if len(objects) > _OBJECTS_AT_ONCE:
        parts = [objects[at : at + _OBJECTS_AT_ONCE] for at in range(0, len(objects), _OBJECTS_AT_ONCE)]
    else:
        try:
            return (await ask(objects)).results if objects else []
        except TooLarge as error:
            if len(objects) == 1:
                return [_failed(reference_of(objects[0]), error)]
            parts = [objects[: len(objects) // 2], objects[len(objects) // 2 :]]
        except ProblemError as error:
            return [_failed(reference_of(one), error) for one in objects]
    return [one for part in parts for one in await _in_parts(ask, part, reference_of)]


def _failed(reference: ObjectReference, error: ProblemError) -> ObjectResult:
    return ObjectResult(reference=reference, outcome=ObjectOutcome.FAILED, problem=error.problem)


def _named(content: dict[str, Any]) -> ObjectReference:
    return ObjectReference(
        api_version=content["apiVersion"], kind=content["kind"], name=content["metadata"]["name"]
    )
