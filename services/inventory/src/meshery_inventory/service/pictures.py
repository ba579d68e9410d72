"""What people see of their clusters."""

from __future__ import annotations

from meshery_common.database import Database
from meshery_contracts.caller import Caller
from meshery_contracts.errors import NotFound
from meshery_contracts.inventory import ListResources, Resource, ResourceId, ResourcePage, Summarize, Summary
from meshery_inventory.domain.resources import Wanted, public
from meshery_inventory.store import PictureStore


class PicturesService:
    """Lists, single resources and counts."""

    def __init__(self, db: Database, pictures: PictureStore) -> None:
        self._db = db
        self._pictures = pictures

    async def list(self, request: ListResources, caller: Caller) -> ResourcePage:
        """Resources of the caller's organisation, a page at a time."""
        wanted = Wanted(request.with_spec, request.with_status, request.with_labels, request.with_annotations)
        organization_id = caller.organization_id
        page, found = await self._pictures.page(
            self._db.within(organization_id), organization_id, request, wanted
        )
        return ResourcePage(**page.envelope, resources=[public(one, wanted) for one in found])

    async def get(self, request: ResourceId, caller: Caller) -> Resource:
        """One resource, whole. Raises NotFound."""
        organization_id = caller.organization_id
        found = await self._pictures.get(
            self._db.within(organization_id), organization_id, request.resource_id
        )
        if found is None:
            raise NotFound(
                f"No cluster of yours holds resource {request.resource_id!r}.",
                code="resource_unknown",
                cause="It was deleted, or its cluster is not connected.",
            )
        return Resource(resource=public(found, Wanted()))

    async def summarize(self, request: Summarize, caller: Caller) -> Summary:
        """Kinds, namespaces and labels with counts."""
        organization_id = caller.organization_id
        queries = self._db.within(organization_id)
        connections = await self._pictures.connections_of(queries, organization_id, request)
        kinds = await self._pictures.kind_counts(queries, organization_id, connections, request.namespace)
        labels = await self._pictures.labels(queries, organization_id, connections, request.namespace)
        return Summary(
            kinds=kinds,
            namespaces=await self._pictures.namespaces(queries, organization_id, connections),
            total_count=sum(one.count for one in kinds),
            labels=[{"key": key, "value": value, "count": count} for key, value, count in labels],
        )
