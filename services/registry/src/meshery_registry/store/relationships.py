"""Reading relationships and connection definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.definitions import ListConnectionDefinitions
from meshery_contracts.registry import ListRelationships
from meshery_registry.domain.definitions import ConnectionDefinition, Relationship
from meshery_registry.store.models import words_of
from meshery_registry.store.visible import RELATIONSHIP_ENABLED, RELATIONSHIP_STATUS, seen_by

_RELATIONSHIP: LiteralString = f"""
    e.id, e.model_id, e.kind, e.type, e.sub_type, {RELATIONSHIP_STATUS} as status, e.definition, e.definition_version,
    e.created_at, e.updated_at
"""
_ORDER = OrderBy(
    columns={
        "name": Sort("e.sort_name", str),
        "kind": Sort("e.kind", str),
        "type": Sort("e.type", str),
        "sub_type": Sort("e.sub_type", str),
        "created_at": Sort("e.created_at"),
        "updated_at": Sort("e.updated_at"),
    },
    default="name asc",
    id_sql="e.id",
)
_CONNECTION_ORDER = OrderBy(
    columns={
        "name": Sort("e.sort_name", str),
        "kind": Sort("e.sort_name", str),
        "created_at": Sort("e.created_at"),
        "updated_at": Sort("e.updated_at"),
    },
    default="name asc",
    id_sql="e.id",
)


class RelationshipStore:
    """Statements that read relationships and connection definitions."""

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListRelationships
    ) -> tuple[Page, list[Relationship]]:
        """A page of relationships."""
        select = SelectBuilder("relationships", _RELATIONSHIP, "relationships e")
        _filter(select, organization_id, request)
        page = await select.page(queries, _ORDER, request)
        return page, [_relationship(row) for row in page.rows]

    async def facets(
        self, queries: Queries, organization_id: UUID, request: ListRelationships
    ) -> dict[str, dict[str, int]]:
        """How many relationships match, by kind, type, sub-type and model."""
        select = SelectBuilder("relationships", "", "relationships e")
        _filter(select, organization_id, request)
        return await select.counts(
            queries, {"kind": "e.kind", "type": "e.type", "subType": "e.sub_type", "model": "e.model_name"}
        )

    async def of_models(
        self, queries: Queries, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> list[Relationship]:
        """All enabled relationships of some models, in the order of their names."""
        rows = await queries.fetch(
            f"""
            select {_RELATIONSHIP} from relationships e
            where e.organization_id = any($1::uuid[]) and e.model_id = any($2::uuid[]) and {RELATIONSHIP_ENABLED}
            order by e.sort_name, e.id
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            list(model_ids),
        )
        return [_relationship(row) for row in rows]

    async def enabled(self, queries: Queries, organization_id: UUID) -> list[Relationship]:
        """Every relationship that holds for an organisation, in the order of their ids: for evaluation."""
        rows = await queries.fetch(
            f"""
            select {_RELATIONSHIP} from relationships e
            where e.organization_id = any($1::uuid[]) and {RELATIONSHIP_ENABLED}
            order by e.id
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
        )
        return [_relationship(row) for row in rows]

    async def connection_definitions(
        self, queries: Queries, organization_id: UUID, request: ListConnectionDefinitions
    ) -> tuple[Page, list[ConnectionDefinition]]:
        """A page of connection definitions."""
        select = SelectBuilder(
            "connection definitions",
            "e.id, e.model_id, e.model_name, e.kind, e.definition, e.created_at, e.updated_at",
            "connection_definitions e",
        )
        select.where("e.organization_id = any({}::uuid[])", seen_by(organization_id))
        if request.definition_id is not None:
            select.where("e.id = {}", request.definition_id)
        if request.model:
            select.where("e.model_name = {}", request.model)
        if request.kind:
            select.where("e.kind = {}", request.kind)
        for word in words_of(request.search):
            select.where("e.sort_name like {}", contains(word))
        page = await select.page(queries, _CONNECTION_ORDER, request)
        return page, [
            ConnectionDefinition(
                definition_id=row["id"],
                model_id=row["model_id"],
                model_name=row["model_name"],
                kind=row["kind"],
                definition=row["definition"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            )
            for row in page.rows
        ]


def _filter(select: SelectBuilder, organization_id: UUID, request: ListRelationships) -> None:
    seen = seen_by(organization_id)
    select.where("e.organization_id = any({}::uuid[])", seen)
    if request.relationship_id is not None:
        select.where("e.id = {}", request.relationship_id)
    if request.model:
        select.where("e.model_name = {}", request.model)
    if request.model_id is not None:
        select.where("e.model_id = {}", request.model_id)
    if request.model_version:
        select.where(
            "e.model_id in (select m.id from models m where m.organization_id = any({}::uuid[]) "
            "and m.model_version = {})",
            seen,
            request.model_version,
        )
    # The words of a class are stored in small letters.
    if request.kind and request.greedy:
        select.where("e.kind like {}", contains(request.kind.lower()))
    elif request.kind:
        select.where("e.kind = {}", request.kind.lower())
    if request.type:
        select.where("e.type = {}", request.type.lower())
    if request.sub_type:
        select.where("e.sub_type = {}", request.sub_type.lower())
    for word in words_of(request.search):
        select.where("e.search_text like {}", contains(word))
    if request.status == "enabled":
        select.where(RELATIONSHIP_ENABLED)
    elif request.status:
        select.where(f"{RELATIONSHIP_STATUS} = {{}}", request.status)


def _relationship(row: Row) -> Relationship:
    return Relationship(
        relationship_id=row["id"],
        model_id=row["model_id"],
        kind=row["kind"],
        type=row["type"],
        sub_type=row["sub_type"],
        status=row["status"],
        definition=row["definition"],
        definition_version=row["definition_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
