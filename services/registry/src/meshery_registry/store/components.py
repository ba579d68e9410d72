"""Reading components: lists, by id, of models, and for kinds in bulk. Schemas are read apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.registry import KindName, ListComponents
from meshery_registry.domain.definitions import Component
from meshery_registry.store.models import VERSION_ORDER, words_of
from meshery_registry.store.visible import COMPONENT_ENABLED, COMPONENT_STATUS, seen_by

_COMPONENT: LiteralString = f"""
    c.id, c.model_id, c.api_version, c.kind, c.display_name, c.description, c.definition_version, c.namespaced,
    c.custom, c.schema_hash, c.schema_bytes, c.schema_usable, {COMPONENT_STATUS} as status, c.annotation, c.metadata,
    c.capabilities, c.configuration, c.created_at, c.updated_at,
    case when c.styles <> '{{}}' then c.styles else coalesce(
        (select s.styles from components s
            where s.organization_id = '00000000-0000-0000-0000-000000000000'
                and s.kind = c.kind and s.api_version = c.api_version and s.styles <> '{{}}'
            order by s.updated_at desc, s.id limit 1), '{{}}') end as styles
"""  # noqa: S608 -- texts of our own
_DUPLICATES: LiteralString = """
    (select count(*) - 1 from components o
        where o.organization_id in ((select current_organization()), '00000000-0000-0000-0000-000000000000')
            and o.kind = c.kind and o.api_version = c.api_version and o.model_name = c.model_name) as duplicates
"""
_VERSION: LiteralString = f"""
    (select {VERSION_ORDER} from models m where m.organization_id = c.organization_id and m.id = c.model_id)
"""  # noqa: S608 -- a constant of ours
_ORDER = OrderBy(
    columns={
        "display_name": Sort("c.sort_name", str),
        "name": Sort("c.sort_name", str),
        "kind": Sort("c.kind", str),
        "model": Sort("c.model_name", str),
        "api_version": Sort("c.api_version", str),
        "version": Sort(_VERSION, str),
        "created_at": Sort("c.created_at"),
        "updated_at": Sort("c.updated_at"),
    },
    default="display_name asc",
    id_sql="c.id",
)


class ComponentStore:
    """Statements that read components."""

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListComponents
    ) -> tuple[Page, list[Component]]:
        """A page of components, without their schemas."""
        columns: LiteralString = f"{_COMPONENT}, {_DUPLICATES}"
        select = SelectBuilder("components", columns, "components c")
        _filter(select, organization_id, request)
        page = await select.page(queries, _ORDER, request)
        return page, [_component(row) for row in page.rows]

    async def facets(
        self, queries: Queries, organization_id: UUID, request: ListComponents
    ) -> dict[str, dict[str, int]]:
        """How many components match, by category, model, registrant, status and apiVersion."""
        select = SelectBuilder(
            "components",
            "",
            "components c join models m on m.organization_id = c.organization_id and m.id = c.model_id "
            "join categories g on g.id = m.category_id",
        )
        _filter(select, organization_id, request)
        return await select.counts(
            queries,
            {
                "category": "g.name",
                "model": "c.model_name",
                "registrant": "m.registrant_kind",
                "status": COMPONENT_STATUS,
                "apiVersion": "c.api_version",
            },
        )

    async def by_id(
        self, queries: Queries, organization_id: UUID, component_ids: Sequence[UUID]
    ) -> dict[UUID, Component]:
        """Components by their ids."""
        rows = await queries.fetch(
            f"""
            select {_COMPONENT}, {_DUPLICATES} from components c
            where c.organization_id = any($1::uuid[]) and c.id = any($2::uuid[])
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            list(component_ids),
        )
        return {row["id"]: _component(row) for row in rows}

    async def of_models(
        self, queries: Queries, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> list[Component]:
        """All enabled components of some models, in the order of their names."""
        rows = await queries.fetch(
            f"""
            select {_COMPONENT}, 0 as duplicates from components c
            where c.organization_id = any($1::uuid[]) and c.model_id = any($2::uuid[]) and {COMPONENT_ENABLED}
            order by c.sort_name, c.id
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            list(model_ids),
        )
        return [_component(row) for row in rows]

    async def of_kinds(
        self, queries: Queries, organization_id: UUID, kinds: Sequence[str]
    ) -> list[Component]:
        """The enabled components of some kinds, whatever their apiVersion: those of the newest model first."""
        rows = await queries.fetch(
            f"""
            select {_COMPONENT}, 0 as duplicates from components c
            join models m on m.organization_id = c.organization_id and m.id = c.model_id
            where c.organization_id = any($1::uuid[]) and c.kind = any($2::text[]) and {COMPONENT_ENABLED}
            order by c.kind, c.custom, m.model_order desc, c.organization_id desc, c.updated_at desc, c.id
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            list(kinds),
        )
        return [_component(row) for row in rows]

    async def cluster_scoped(self, queries: Queries, organization_id: UUID) -> frozenset[tuple[str, str]]:
        """The kinds, by apiVersion and name, that are in no namespace according to all who know them."""
        rows = await queries.fetch(
            """
            select api_version, kind from components where organization_id = any($1::uuid[])
            group by api_version, kind having not bool_or(namespaced)
            """,
            seen_by(organization_id),
        )
        return frozenset((row["api_version"], row["kind"]) for row in rows)

    async def resolve(
        self, queries: Queries, organization_id: UUID, kinds: Sequence[KindName]
    ) -> list[tuple[Component, UUID] | None]:
        """The component for each kind, in that order: built-in before custom, then what a connected cluster serves.

        Of those the newest model's, then an own one before what ships with us; of clusters with the same version
        and different schemas the one that was learned last.
        """
        rows = await queries.fetch(
            f"""
            select found.* from unnest($2::text[], $3::text[]) with ordinality k(api_version, kind, place)
            left join lateral (
                select {_COMPONENT}, 0 as duplicates
                from components c
                join models m on m.organization_id = c.organization_id and m.id = c.model_id
                where c.organization_id = any($1::uuid[]) and c.kind = k.kind and c.api_version = k.api_version
                    and {COMPONENT_ENABLED}
                order by c.custom, exists (
                        select from registrations g where g.organization_id = (select current_organization())
                            and g.group_version = c.api_version and c.id = any(g.component_ids)) desc,
                    m.model_order desc, c.organization_id desc, c.updated_at desc, c.id
                limit 1
            ) found on true
            order by k.place
            """,  # noqa: S608 -- the columns are a constant of ours
            seen_by(organization_id),
            [one.api_version for one in kinds],
            [one.kind for one in kinds],
        )
        return [None if row["id"] is None else (_component(row), row["model_id"]) for row in rows]


def _filter(select: SelectBuilder, organization_id: UUID, request: ListComponents) -> None:
    seen = seen_by(organization_id)
    select.where("c.organization_id = any({}::uuid[])", seen)
    if request.component_id is not None:
        select.where("c.id = {}", request.component_id)
    if request.model:
        select.where("c.model_name = {}", request.model)
    if request.model_id is not None:
        select.where("c.model_id = {}", request.model_id)
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
    if request.registrant:
        select.where(
            "c.model_id in (select m.id from models m where m.organization_id = any({}::uuid[]) and "
            "(m.registrant_kind = {} or m.registrant_id in "
            "(select r.connection_id from registrants r where r.name = {})))",
            seen,
            request.registrant,
            request.registrant,
        )
    if request.name and request.greedy:
        name = contains(request.name.lower())
        select.where("lower(c.kind) like {} or c.sort_name like {}", name, name)
    elif request.name:
        select.where("c.kind = {}", request.name)
    for word in words_of(request.search):
        select.where("c.search_text like {}", contains(word))
    if request.api_version:
        select.where("c.api_version = {}", request.api_version)
    if request.status == "enabled":
        select.where(COMPONENT_ENABLED)
    elif request.status:
        select.where(f"{COMPONENT_STATUS} = {{}}", request.status)
    for column, wanted in (
        ("c.annotation = {}", request.annotations),
        ("c.namespaced = {}", request.namespaced),
        ("c.custom = {}", request.custom),
    ):
        if wanted is not None:
            select.where(column, wanted)


def _component(row: Row) -> Component:
    return Component(
        component_id=row["id"],
        model_id=row["model_id"],
        api_version=row["api_version"],
        kind=row["kind"],
        display_name=row["display_name"],
        description=row["description"],
        definition_version=row["definition_version"],
        namespaced=row["namespaced"],
        custom=row["custom"],
        schema_hash=row["schema_hash"] or "",
        schema_bytes=row["schema_bytes"],
        schema_usable=row["schema_usable"],
        status=row["status"],
        annotation=row["annotation"],
        metadata=row["metadata"],
        styles=row["styles"],
        capabilities=row["capabilities"],
        configuration=row["configuration"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        duplicates=row["duplicates"],
    )
