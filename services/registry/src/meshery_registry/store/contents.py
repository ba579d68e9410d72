"""What ships with us: whether it is stored, and what of it clusters teach just so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Transaction
from meshery_registry.domain.definitions import NewModel
from meshery_registry.store.visible import SHIPPED

_WHAT_SHIPS: LiteralString = "hashtextextended('what ships', 0)"
#: What clusters taught and ships with us just so: the same model, version, kind and schema.
_COPIES: LiteralString = """
    select c.organization_id, c.id, s.id as shipped_id from components c
    join models m on m.organization_id = c.organization_id and m.id = c.model_id
    join models o on o.organization_id = '00000000-0000-0000-0000-000000000000'
        and o.name = m.name and o.model_version = m.model_version
    join components s on s.organization_id = o.organization_id and s.model_id = o.id and s.kind = c.kind
        and s.api_version = c.api_version and s.schema_hash = c.schema_hash
    where c.organization_id <> '00000000-0000-0000-0000-000000000000' and c.content_hash is null
"""


class ContentStore:
    """Statements over what ships with us. Those that write expect the lock of `locked_generation`."""

    async def digest(self, queries: Queries) -> str:
        """Of what ships with us, as it was stored last; empty before the first time."""
        return (
            await queries.fetchval(
                "select contents_digest from generations where organization_id = $1", SHIPPED
            )
            or ""
        )

    async def put_digest(self, tx: Transaction, digest: str) -> None:
        """All that ships with us is stored."""
        await tx.execute(
            "update generations set contents_digest = $2 where organization_id = $1", SHIPPED, digest
        )

    async def retire_others(self, tx: Transaction, model_ids: Sequence[UUID]) -> list[str]:
        """Keep what designs may name of models that ship no longer, but let them say nothing about designs.

        The names of the models of which something was retired.
        """
        rows = await tx.fetch(
            """
            with others as (select id from models where organization_id = $1 and id <> all($2::uuid[])),
            related as (delete from relationships r using others
                where r.organization_id = $1 and r.model_id = others.id returning r.model_name),
            judged as (delete from policies p using others
                where p.organization_id = $1 and p.model_id = others.id returning p.model_name),
            -- Should it ship again, it is written again.
            registered as (delete from registrations g using others
                where g.organization_id = $1 and g.model_id = others.id)
            select model_name from related union select model_name from judged order by 1
            """,
            SHIPPED,
            list(model_ids),
        )
        return [row["model_name"] for row in rows]

    async def keep_still(self, tx: Transaction) -> None:
        """Have nothing more ship until this ends: what was found not to ship would be stored as a copy of it."""
        await tx.execute(f"select pg_advisory_xact_lock_shared({_WHAT_SHIPS})")

    async def await_learners(self, tx: Transaction) -> None:
        """Wait for whoever has kept still, so that his copies are there to be dropped."""
        await tx.execute(f"select pg_advisory_xact_lock({_WHAT_SHIPS})")

    async def shipped(
        self, queries: Queries, model: NewModel, group_version: str, kinds: Sequence[str]
    ) -> dict[tuple[str, str], UUID]:
        """The components that ship with us of the same model in the same version, by kind and schema hash."""
        rows = await queries.fetch(
            """
            select c.id, c.kind, c.schema_hash from components c
            join models m on m.organization_id = c.organization_id and m.id = c.model_id
            where c.organization_id = $1 and c.kind = any($2::text[]) and c.api_version = $3
                and m.name = $4 and m.model_version = $5 and c.schema_hash is not null
            """,
            SHIPPED,
            list(kinds),
            group_version,
            model.name,
            model.version,
        )
        return {(row["kind"], row["schema_hash"]): row["id"] for row in rows}

    async def organizations_with_copies(self, queries: Queries) -> list[UUID]:
        """The organisations where a cluster taught, before it was shipped, what ships with us."""
        rows = await queries.fetch(
            f"select distinct k.organization_id from ({_COPIES}) k"  # noqa: S608 -- a constant of ours
        )
        return [row["organization_id"] for row in rows]

    async def drop_copies(self, tx: Transaction, organization_id: UUID) -> dict[UUID, str]:
        """Let an organisation's clusters name what ships with us in place of their copies; the models of these.

        By their ids, with their names.
        """
        rows = await tx.fetch(
            f"""
            with copies as ({_COPIES}),
            named as (
                update registrations g set component_ids = (
                    select array_agg(coalesce(k.shipped_id, one)) from unnest(g.component_ids) one
                    left join copies k on k.id = one)
                where g.organization_id = $1
                    and g.component_ids && (select array_agg(k.id) from copies k))
            delete from components c using copies k
            where c.organization_id = $1 and c.id = k.id
            returning c.model_id, c.model_name
            """,  # noqa: S608 -- a constant of ours
            organization_id,
        )
        return {row["model_id"]: row["model_name"] for row in rows}
