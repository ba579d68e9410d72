"""Reading the picture: lists, single resources, counts. Every method sees one organisation only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.inventory import KindCount, ListResources, Summarize
from meshery_inventory.domain.objects import resource_id_of
from meshery_inventory.domain.resources import Found, Wanted

_COLUMNS: LiteralString = """
    c.cluster_id, r.api_version, r.kind, r.namespace, r.name, r.uid, r.resource_version, r.created_at, r.labels
"""
_LISTED: LiteralString = "resources r join clusters c using (connection_id)"
_WITH_DOCUMENTS: LiteralString = f"{_LISTED} join documents d using (resource_id)"
_ORDER = OrderBy(
    columns={
        "name": Sort("r.name", str),
        "kind": Sort("r.kind", str),
        "namespace": Sort("r.namespace", str),
        "created_at": Sort("coalesce(r.created_at, 'epoch')"),
    },
    default="name asc",
    id_sql="r.resource_id",
)
#: The most different labels that a summary names.
_MOST_LABELS = 500


class PictureStore:
    """Statements that read."""

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListResources, wanted: Wanted
    ) -> tuple[Page, list[Found]]:
        """A part of the resources."""
        columns: LiteralString = _COLUMNS
        if wanted.documents:
            columns += ", d.metadata"
        if wanted.spec:
            columns += ", d.spec, d.rest"
        if wanted.status:
            columns += ", d.status"
        source = _WITH_DOCUMENTS if wanted.documents else _LISTED
        select = SelectBuilder("resources", columns, source).where("r.organization_id = {}", organization_id)
        if request.connection_ids:
            select.where("r.connection_id = any({}::uuid[])", request.connection_ids)
        if request.cluster_ids is not None:
            select.where("c.cluster_id = any({}::text[])", request.cluster_ids)
        if request.kinds:
            select.where("r.kind = any({}::text[])", request.kinds)
        if request.api_version:
            select.where("r.api_version = {}", request.api_version)
        if request.namespaces:
            select.where("r.namespace = any({}::text[])", request.namespaces)
        if request.labels:
            select.where("r.labels @> {}::jsonb", request.labels)
        if request.search:
            select.where("r.name ilike {}", contains(request.search))
        page = await select.page(queries, _ORDER, request)
        return page, [_found(row) for row in page.rows]

    async def get(self, queries: Queries, organization_id: UUID, meshery_id: str) -> Found | None:
        """One resource by Meshery's id; of several connections to one cluster any will do."""
        rows = await queries.fetch(
            "select connection_id from clusters where organization_id = $1", organization_id
        )
        keys = [resource_id_of(row["connection_id"], meshery_id) for row in rows]
        row = await queries.fetchrow(
            """
            select c.cluster_id, r.api_version, r.kind, r.namespace, r.name, r.uid, r.resource_version,
                r.created_at, r.labels, d.metadata, d.spec, d.status, d.rest
            from resources r join clusters c using (connection_id) join documents d using (resource_id)
            where r.resource_id = any($2::uuid[]) and r.organization_id = $1 limit 1
            """,
            organization_id,
            [one for one in keys if one is not None],
        )
        return None if row is None else _found(row)

    async def connections_of(self, queries: Queries, organization_id: UUID, request: Summarize) -> list[UUID]:
        """The connections that a summary is about."""
        rows = await queries.fetch(
            """
            select connection_id from clusters where organization_id = $1
                and ($2::text[] is null or cluster_id = any($2))
                and (cardinality($3::uuid[]) = 0 or connection_id = any($3))
            """,
            organization_id,
            request.cluster_ids,
            request.connection_ids,
        )
        return [row["connection_id"] for row in rows]

    async def kind_counts(
        self, queries: Queries, organization_id: UUID, connection_ids: Sequence[UUID], namespace: str
    ) -> list[KindCount]:
        """How many objects of each kind there are; in one namespace, or (empty) in all."""
        rows = await queries.fetch(
            """
            select kind, api_version, count(*) as count from resources
            where organization_id = $1 and connection_id = any($2::uuid[]) and ($3 = '' or namespace = $3)
            group by kind, api_version order by kind, api_version
            """,
            organization_id,
            connection_ids,
            namespace,
        )
        return [
            KindCount(kind=row["kind"], api_version=row["api_version"], count=row["count"]) for row in rows
        ]

    async def namespaces(
        self, queries: Queries, organization_id: UUID, connection_ids: Sequence[UUID]
    ) -> list[str]:
        """Names of the namespaces there are."""
        rows = await queries.fetch(
            """
            select distinct name from resources
            where organization_id = $1 and connection_id = any($2::uuid[])
                and kind = 'Namespace' and api_version = 'v1'
            order by name
            """,
            organization_id,
            connection_ids,
        )
        return [row["name"] for row in rows]

    async def labels(
        self, queries: Queries, organization_id: UUID, connection_ids: Sequence[UUID], namespace: str
    ) -> list[tuple[str, str, int]]:
        """The labels that most objects bear."""
        rows = await queries.fetch(
            """
            select l.key, l.value, count(*) as count
            from resources r cross join jsonb_each_text(r.labels) as l
            where r.organization_id = $1 and r.connection_id = any($2::uuid[]) and ($3 = '' or r.namespace = $3)
            group by l.key, l.value order by count(*) desc, l.key, l.value limit $4
            """,
            organization_id,
            connection_ids,
            namespace,
            _MOST_LABELS,
        )
        return [(row["key"], row["value"] or "", row["count"]) for row in rows]


def _found(row: Row) -> Found:
    return Found(
        cluster_id=row["cluster_id"],
        api_version=row["api_version"],
        kind=row["kind"],
        namespace=row["namespace"],
        name=row["name"],
        uid=row["uid"],
        resource_version=row["resource_version"],
        created_at=row["created_at"],
        labels=row["labels"],
        metadata=row.get("metadata"),
        spec=row.get("spec"),
        status=row.get("status"),
        rest=row.get("rest"),
    )
