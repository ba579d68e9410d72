"""Reading what definitions refer to: schemas and icons by hash, categories; and the generation of it all."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from meshery_common.database import Queries
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.registry import ListCategories
from meshery_registry.domain.definitions import Category, Summary
from meshery_registry.domain.openapi import schema_text
from meshery_registry.store.visible import COMPONENT_ENABLED, RELATIONSHIP_ENABLED, seen_by


class DefinitionStore:
    """Statements that read what definitions refer to."""

    async def generation(self, queries: Queries, organization_id: UUID) -> int:
        """How often what the caller may see has changed."""
        return int(
            await queries.fetchval(
                "select coalesce(sum(generation), 0)::bigint from generations where organization_id = any($1::uuid[])",
                seen_by(organization_id),
            )
        )

    async def schema_sizes(
        self, queries: Queries, organization_id: UUID, hashes: Sequence[str]
    ) -> dict[str, int]:
        """The sizes of the schemas with these hashes, in bytes of text."""
        rows = await queries.fetch(
            "select hash, bytes from schemas where organization_id = any($1::uuid[]) and hash = any($2::text[])",
            seen_by(organization_id),
            list(hashes),
        )
        return {row["hash"]: row["bytes"] for row in rows}

    async def schemas(self, queries: Queries, organization_id: UUID, hashes: Sequence[str]) -> dict[str, str]:
        """The schemas with these hashes."""
        if not hashes:
            return {}
        rows = await queries.fetch(
            "select hash, body from schemas where organization_id = any($1::uuid[]) and hash = any($2::text[])",
            seen_by(organization_id),
            list(hashes),
        )
        return {row["hash"]: schema_text(row["body"]) for row in rows}

    async def icons(self, queries: Queries, organization_id: UUID, hashes: Sequence[str]) -> dict[str, str]:
        """The icons with these hashes."""
        rows = await queries.fetch(
            "select hash, body from icons where organization_id = any($1::uuid[]) and hash = any($2::text[])",
            seen_by(organization_id),
            list(hashes),
        )
        return {row["hash"]: row["body"] for row in rows}

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

    async def summary(self, queries: Queries, organization_id: UUID) -> Summary:
        """How much there is; of components and relationships what is enabled."""
        rows = await queries.fetch(
            f"""
            with models_ as (
                select m.id, m.organization_id, m.display_name from models m where m.organization_id = any($1::uuid[])
            )
            select 'models' as what, '' as name, count(*) as count from models_
            union all select 'policies', '', count(*) from policies where organization_id = any($1::uuid[])
            union all select 'registrants', '', count(distinct connection_id) from registrants
                where organization_id = any($1::uuid[])
            union all select 'categories', '', count(*) from categories
            union all (
                select 'components', m.display_name, sum(k.count) from (
                    select c.organization_id, c.model_id, count(*) from components c
                    where c.organization_id = any($1::uuid[]) and {COMPONENT_ENABLED}
                    group by 1, 2) k
                join models_ m on m.organization_id = k.organization_id and m.id = k.model_id
                group by m.display_name)
            union all (
                select 'relationships', m.display_name, sum(k.count) from (
                    select e.organization_id, e.model_id, count(*) from relationships e
                    where e.organization_id = any($1::uuid[]) and {RELATIONSHIP_ENABLED}
                    group by 1, 2) k
                join models_ m on m.organization_id = k.organization_id and m.id = k.model_id
                group by m.display_name)
            order by 1, 2
            """,  # noqa: S608 -- the conditions are constants of ours
            seen_by(organization_id),
        )
        totals = {row["what"]: int(row["count"]) for row in rows if not row["name"]}
        parts: dict[str, dict[str, int]] = {"components": {}, "relationships": {}}
        for row in rows:
            if row["what"] in parts:
                parts[row["what"]][row["name"]] = int(row["count"])
        return Summary(
            models=totals["models"],
            policies=totals["policies"],
            registrants=totals["registrants"],
            categories=totals["categories"],
            components=parts["components"],
            relationships=parts["relationships"],
        )
