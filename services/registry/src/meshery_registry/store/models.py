"""Reading models: lists, by id, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.registry import ListModels
from meshery_registry.domain.definitions import Category, Model
from meshery_registry.store.visible import MODEL_STATUS, seen_by

#: Words of a search beyond these are not looked for.
MAX_WORDS = 10

_MODEL: LiteralString = f"""
    m.id, m.organization_id, m.name, m.display_name, m.description, m.definition_version, m.model_version,
    m.category_id, m.sub_category, {MODEL_STATUS} as status, m.annotation, m.registrant_kind, m.registrant_id,
    m.created_at, m.updated_at,
    case when m.content_hash is not null then m.metadata else coalesce(
        (select s.metadata from models s
            where s.organization_id = '00000000-0000-0000-0000-000000000000' and s.name = m.name
            order by s.model_order desc limit 1), '{{}}') || m.metadata end as metadata,
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
"""  # noqa: S608 -- texts of our own
#: A model's version as a text that sorts as versions do; the first number may be -1.
VERSION_ORDER: LiteralString = (
    "lpad((m.model_order[1] + 1)::text, 19, '0') || lpad(m.model_order[2]::text, 19, '0') "
    "|| lpad(m.model_order[3]::text, 19, '0') || m.model_order[4] || lpad(m.model_order[5]::text, 19, '0')"
)
_ORDER = OrderBy(
    columns={
        "display_name": Sort("m.sort_name", str),
        "name": Sort("m.name", str),
        "version": Sort(VERSION_ORDER, str),
        "created_at": Sort("m.created_at"),
        "updated_at": Sort("m.updated_at"),
    },
    default="display_name asc",
    id_sql="m.id",
)


class ModelStore:
    """Statements that read models."""

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListModels
    ) -> tuple[Page, list[Model]]:
        """A page of models."""
        select = SelectBuilder("models", _MODEL, "models m")
        _filter(select, organization_id, request)
        page = await select.page(queries, _ORDER, request)
        return page, [_model(row) for row in page.rows]

    async def facets(
        self, queries: Queries, organization_id: UUID, request: ListModels
    ) -> dict[str, dict[str, int]]:
        """How many models match, by category, registrant and status."""
        select = SelectBuilder("models", "", "models m join categories g on g.id = m.category_id")
        _filter(select, organization_id, request)
        return await select.counts(
            queries, {"category": "g.name", "registrant": "m.registrant_kind", "status": MODEL_STATUS}
        )

    async def by_id(
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
            seen_by(organization_id),
            list(model_ids),
        )
        return {row["id"]: _model(row) for row in rows}

    async def by_name(self, queries: Queries, organization_id: UUID, name: str, version: str) -> Model | None:
        """The model with this name and version; without a version the newest. Of several an own one wins."""
        rows = await queries.fetch(
            f"""
            select {_MODEL} from models m
            where m.organization_id = any($1::uuid[]) and m.name = $2 and ($3 = '' or m.model_version = $3)
            order by m.model_order desc, m.organization_id desc, m.updated_at desc, m.id limit 1
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            name,
            version,
        )
        return _model(rows[0]) if rows else None


def words_of(search: str) -> list[str]:
    """What a search looks for: each word, in any place."""
    return search.lower().split()[:MAX_WORDS]


def _filter(select: SelectBuilder, organization_id: UUID, request: ListModels) -> None:
    select.where("m.organization_id = any({}::uuid[])", seen_by(organization_id))
    if request.model_id is not None:
        select.where("m.id = {}", request.model_id)
    if request.name and request.greedy:
        select.where("m.search_text like {}", contains(request.name.lower()))
    elif request.name:
        select.where("m.name = {}", request.name)
    for word in words_of(request.search):
        select.where("m.search_text like {}", contains(word))
    if request.version:
        select.where("m.model_version = {}", request.version)
    if request.category:
        select.where("m.category_id in (select g.id from categories g where g.name = {})", request.category)
    if request.sub_category:
        select.where("m.sub_category = {}", request.sub_category)
    if request.status:
        select.where(f"{MODEL_STATUS} = {{}}", request.status)
    if request.annotations is not None:
        select.where("m.annotation = {}", request.annotations)
    if request.registrant:
        select.where(
            "m.registrant_kind = {} or m.registrant_id in "
            "(select r.connection_id from registrants r where r.name = {})",
            request.registrant,
            request.registrant,
        )


def _model(row: Row) -> Model:
    return Model(
        model_id=row["id"],
        organization_id=row["organization_id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        definition_version=row["definition_version"],
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
