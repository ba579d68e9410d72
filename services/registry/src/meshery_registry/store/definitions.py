"""Reading definitions: lists, kinds in bulk, schemas by hash.

Everything reads two organisations: the caller's and the nil one, whose rows ship with us.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.registry import (
    KindName,
    ListCategories,
    ListComponents,
    ListModels,
    ListPolicies,
    ListRelationships,
)
from meshery_registry.domain.definitions import Category, Component, Model
from meshery_registry.domain.openapi import schema_text

#: The organisation of what ships with us.
SHIPPED = UUID(int=0)

_MODEL: LiteralString = """
    m.id, m.name, m.display_name, m.description, m.model_version, m.category_id, m.sub_category, m.status,
    m.annotation, m.metadata, m.registrant_kind, m.registrant_id, m.created_at, m.updated_at,
    (select g.name from categories g where g.id = m.category_id) as category_name,
    (select g.metadata from categories g where g.id = m.category_id) as category_metadata,
    (select r.name from registrants r
        where r.organization_id = m.organization_id and r.connection_id = m.registrant_id) as registrant_name,
    (select count(*) from components c
        where c.organization_id = m.organization_id and c.model_id = m.id and c.status = 'enabled') as components,
    (select count(*) from relationships r
        where r.organization_id = m.organization_id and r.model_id = m.id) as relationships,
    (select count(*) - 1 from models o
        where o.organization_id in ((select current_organization()), '00000000-0000-0000-0000-000000000000')
            and o.name = m.name and o.model_version = m.model_version) as duplicates
"""
_COMPONENT: LiteralString = """
    c.id, c.model_id, c.api_version, c.kind, c.display_name, c.description, c.namespaced, c.custom, c.schema_hash,
    c.schema_bytes, c.schema_usable, c.status, c.annotation, c.metadata, c.created_at, c.updated_at
"""
_DUPLICATES: LiteralString = """
    (select count(*) - 1 from components o
        where o.organization_id in ((select current_organization()), '00000000-0000-0000-0000-000000000000')
            and o.kind = c.kind and o.api_version = c.api_version and o.model_name = c.model_name) as duplicates
"""
_MODEL_ORDER = OrderBy(
    columns={
        "display_name": Sort("m.sort_name", str),
        "name": Sort("m.name", str),
        "created_at": Sort("m.created_at"),
        "updated_at": Sort("m.updated_at"),
    },
    default="display_name asc",
    id_sql="m.id",
)
_COMPONENT_ORDER = OrderBy(
    columns={
        "display_name": Sort("c.sort_name", str),
        "name": Sort("c.sort_name", str),
        "kind": Sort("c.kind", str),
        "created_at": Sort("c.created_at"),
        "updated_at": Sort("c.updated_at"),
    },
    default="display_name asc",
    id_sql="c.id",
)
_NAMED_ORDER = OrderBy(columns={"name": Sort("e.sort_name", str)}, default="name asc", id_sql="e.id")


class DefinitionStore:
    """Statements that read definitions."""

    async def generation(self, queries: Queries, organization_id: UUID) -> int:
        """How often what the caller may see has changed."""
        return int(
            await queries.fetchval(
                "select coalesce(sum(generation), 0)::bigint from generations where organization_id = any($1::uuid[])",
                _seen_by(organization_id),
            )
        )

    async def models(
        self, queries: Queries, organization_id: UUID, request: ListModels
    ) -> tuple[Page, list[Model]]:
        """A page of models."""
        select = SelectBuilder("models", _MODEL, "models m")
        select.where("m.organization_id = any({}::uuid[])", _seen_by(organization_id))
        if request.model_id is not None:
            select.where("m.id = {}", request.model_id)
        if request.name and request.greedy:
            name = contains(request.name)
            select.where("m.name ilike {} or m.display_name ilike {}", name, name)
        elif request.name:
            select.where("m.name = {}", request.name)
        if request.search:
            search = contains(request.search)
            select.where("m.display_name ilike {} or m.name ilike {}", search, search)
        if request.version:
            select.where("m.model_version = {}", request.version)
        if request.category:
            select.where(
                "m.category_id in (select g.id from categories g where g.name = {})", request.category
            )
        if request.status:
            select.where("m.status = {}", request.status)
        if request.annotations is not None:
            select.where("m.annotation = {}", request.annotations)
        if request.registrant:
            select.where(
                "m.registrant_kind = {} or m.registrant_id in "
                "(select r.connection_id from registrants r where r.name = {})",
                request.registrant,
                request.registrant,
            )
        page = await select.page(queries, _MODEL_ORDER, request)
        return page, [_model(row) for row in page.rows]

    async def models_by_id(
        self, queries: Queries, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> dict[UUID, Model]:
        """Models by their ids."""
        if not model_ids:
            return {}
        rows = await queries.fetch(
            f"""
            select {_MODEL} from models m
            where m.organization_id = any($1::uuid[]) and m.id = any($2::uuid[])
            """,  # noqa: S608 -- the columns are a constant of ours
            _seen_by(organization_id),
            list(model_ids),
        )
        return {row["id"]: _model(row) for row in rows}

    async def components(
        self, queries: Queries, organization_id: UUID, request: ListComponents
    ) -> tuple[Page, list[Component]]:
        """A page of components, without their schemas."""
        columns: LiteralString = f"{_COMPONENT}, {_DUPLICATES}"
        seen = _seen_by(organization_id)
        select = SelectBuilder("components", columns, "components c")
        select.where("c.organization_id = any({}::uuid[])", seen)
        if request.component_id is not None:
            select.where("c.id = {}", request.component_id)
        if request.model:
            select.where("c.model_name = {}", request.model)
        if request.model_version:
            select.where(
                "c.model_id in (select m.id from models m where m.organization_id = any({}::uuid[]) "
                "and m.model_version = {})",
                seen,
                request.model_version,
            )
        if request.category:
            select.where(
                "c.model_id in (select m.id from models m join categories g on g.id = m.category_id "
                "where m.organization_id = any({}::uuid[]) and g.name = {})",
                seen,
                request.category,
            )
        if request.name and request.greedy:
            name = contains(request.name)
            select.where("c.kind ilike {} or c.display_name ilike {}", name, name)
        elif request.name:
            select.where("c.kind = {}", request.name)
        if request.search:
            search = contains(request.search)
            select.where("c.display_name ilike {} or c.kind ilike {}", search, search)
        if request.api_version:
            select.where("c.api_version = {}", request.api_version)
        if request.status:
            select.where("c.status = {}", request.status)
        if request.annotations is not None:
            select.where("c.annotation = {}", request.annotations)
        page = await select.page(queries, _COMPONENT_ORDER, request)
        return page, [_component(row) for row in page.rows]

    async def components_of(
        self, queries: Queries, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> list[Component]:
        """All enabled components of some models, in the order of their names."""
        rows = await queries.fetch(
            f"""
            select {_COMPONENT}, 0 as duplicates from components c
            where c.organization_id = any($1::uuid[]) and c.model_id = any($2::uuid[]) and c.status = 'enabled'
            order by c.sort_name, c.id
            """,  # noqa: S608 -- the columns are a constant of ours
            _seen_by(organization_id),
            list(model_ids),
        )
        return [_component(row) for row in rows]

    async def resolve(
        self, queries: Queries, organization_id: UUID, kinds: Sequence[KindName]
    ) -> list[tuple[Component, UUID] | None]:
        """The component for each kind, in that order: built-in before custom, then of the newest model.

        Of clusters with the same version and different schemas the one that was learned last wins.
        """
        rows = await queries.fetch(
            f"""
            select found.* from unnest($2::text[], $3::text[]) with ordinality k(api_version, kind, place)
            left join lateral (
                select {_COMPONENT}, 0 as duplicates
                from components c
                join models m on m.organization_id = c.organization_id and m.id = c.model_id
                where c.organization_id = any($1::uuid[]) and c.kind = k.kind and c.api_version = k.api_version
                    and c.status = 'enabled'
                order by c.custom, m.model_order desc, c.updated_at desc, c.id
                limit 1
            ) found on true
            order by k.place
            """,  # noqa: S608 -- the columns are a constant of ours
            _seen_by(organization_id),
            [one.api_version for one in kinds],
            [one.kind for one in kinds],
        )
        return [None if row["id"] is None else (_component(row), row["model_id"]) for row in rows]

    async def schema_sizes(
        self, queries: Queries, organization_id: UUID, hashes: Sequence[str]
    ) -> dict[str, int]:
        """The sizes of the schemas with these hashes, in bytes of text."""
        rows = await queries.fetch(
            "select hash, bytes from schemas where organization_id = any($1::uuid[]) and hash = any($2::text[])",
            _seen_by(organization_id),
            list(hashes),
        )
        return {row["hash"]: row["bytes"] for row in rows}

    async def schemas(self, queries: Queries, organization_id: UUID, hashes: Sequence[str]) -> dict[str, str]:
        """The schemas with these hashes."""
        if not hashes:
            return {}
        rows = await queries.fetch(
            "select hash, body from schemas where organization_id = any($1::uuid[]) and hash = any($2::text[])",
            _seen_by(organization_id),
            list(hashes),
        )
        return {row["hash"]: schema_text(row["body"]) for row in rows}

    async def categories(self, queries: Queries, request: ListCategories) -> tuple[Page, list[Category]]:
        """A page of categories."""
        select = SelectBuilder("categories", "g.id, g.name, g.metadata", "categories g")
        if request.name and not request.greedy:
            select.where("g.name = {}", request.name)
        for text in (request.name if request.greedy else "", request.search):
            if text:
                select.where("g.name ilike {}", contains(text))
        order = OrderBy(columns={"name": Sort("g.name", str)}, default="name asc", id_sql="g.id")
        page = await select.page(queries, order, request)
        return page, [Category(row["id"], row["name"], row["metadata"]) for row in page.rows]

    async def relationships(
        self, queries: Queries, organization_id: UUID, request: ListRelationships
    ) -> tuple[Page, list[dict[str, object]]]:
        """A page of relationship definitions."""
        select = SelectBuilder("relationships", "e.definition", "relationships e")
        select.where("e.organization_id = any({}::uuid[])", _seen_by(organization_id))
        if request.model:
            select.where("e.model_name = {}", request.model)
        if request.kind:
            select.where("e.kind = {}", request.kind)
        if request.type:
            select.where("e.type = {}", request.type)
        if request.sub_type:
            select.where("e.sub_type = {}", request.sub_type)
        if request.search:
            select.where("e.sort_name like {}", contains(request.search.lower()))
        page = await select.page(queries, _NAMED_ORDER, request)
        return page, [row["definition"] for row in page.rows]

    async def policies(
        self, queries: Queries, organization_id: UUID, request: ListPolicies
    ) -> tuple[Page, list[dict[str, object]]]:
        """A page of policy definitions."""
        select = SelectBuilder("policies", "e.definition", "policies e")
        select.where("e.organization_id = any({}::uuid[])", _seen_by(organization_id))
        if request.model:
            select.where("e.model_name = {}", request.model)
        for text in (request.name, request.search):
            if text:
                select.where("e.sort_name like {}", contains(text.lower()))
        page = await select.page(queries, _NAMED_ORDER, request)
        return page, [row["definition"] for row in page.rows]


def _seen_by(organization_id: UUID) -> list[UUID]:
    return [organization_id, SHIPPED]


def _model(row: Row) -> Model:
    return Model(
        model_id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        version=row["model_version"],
        category=Category(row["category_id"], row["category_name"], row["category_metadata"]),
        sub_category=row["sub_category"],
        status=row["status"],
        annotation=row["annotation"],
        metadata=row["metadata"],
        registrant_kind=row["registrant_kind"],
        registrant_id=row["registrant_id"],
        registrant_name=row["registrant_name"] or "",
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        components=row["components"],
        relationships=row["relationships"],
        duplicates=row["duplicates"],
    )


def _component(row: Row) -> Component:
    return Component(
        component_id=row["id"],
        model_id=row["model_id"],
        api_version=row["api_version"],
        kind=row["kind"],
        display_name=row["display_name"],
        description=row["description"],
        namespaced=row["namespaced"],
        custom=row["custom"],
        schema_hash=row["schema_hash"],
        schema_bytes=row["schema_bytes"],
        schema_usable=row["schema_usable"],
        status=row["status"],
        annotation=row["annotation"],
        metadata=row["metadata"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        duplicates=row["duplicates"],
    )
