"""Switching definitions on and off, deleting models, and forgetting registrants that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_common.database import Queries, Transaction
from meshery_registry.domain.definitions import CLUSTER
from meshery_registry.store.visible import seen_by


@dataclass(frozen=True, slots=True)
class Switched:
    """What was found under an id, and the status that held."""

    name: str
    status: str
    model_name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deleted model was."""

    name: str
    display_name: str
    version: str
    components: int
    relationships: int


class RemovalStore:
    """Statements that switch and remove. Those that write expect the lock of `locked_generation`."""

    async def switchable(
        self, queries: Queries, organization_id: UUID, entity_type: str, entity_id: UUID
    ) -> Switched | None:
        """A model, component or relationship that the organisation sees."""
        row = await queries.fetchrow(
            """
            select found.name, found.model_name, coalesce(s.status, found.status) as status from (
                select display_name as name, name as model_name, status, id from models
                    where organization_id = any($1::uuid[]) and id = $2 and $3 = 'model'
                union all
                select kind, model_name, status, id from components
                    where organization_id = any($1::uuid[]) and id = $2 and $3 = 'component'
                union all
                select kind || ' ' || type || ' ' || sub_type, model_name, status, id from relationships
                    where organization_id = any($1::uuid[]) and id = $2 and $3 = 'relationship') found
            left join statuses s on s.organization_id = $4 and s.id = found.id
            """,
            seen_by(organization_id),
            entity_id,
            entity_type,
            organization_id,
        )
        return None if row is None else Switched(row["name"], row["status"], row["model_name"])

    async def set_status(
        self,
        tx: Transaction,
        organization_id: UUID,
        entity_type: str,
        entity_id: UUID,
        status: str,
        user_id: UUID,
    ) -> None:
        """Let this status hold for the organisation."""
        await tx.execute(
            """
            insert into statuses (organization_id, id, entity_type, status, user_id) values ($1, $2, $3, $4, $5)
            on conflict (organization_id, id) do update
            set status = excluded.status, user_id = excluded.user_id, updated_at = now()
            """,
            organization_id,
            entity_id,
            entity_type,
            status,
            user_id,
        )

    async def delete_models(
        self, tx: Transaction, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> list[Deleted]:
        """Delete an organisation's own models with all that belongs to them, and what was registered of them."""
        rows = await tx.fetch(
            """
            select m.id, m.name, m.display_name, m.model_version,
                (select count(*) from components c where c.organization_id = $1 and c.model_id = m.id) as components,
                (select count(*) from relationships e where e.organization_id = $1 and e.model_id = m.id)
                    as relationships
            from models m where m.organization_id = $1 and m.id = any($2::uuid[])
            """,
            organization_id,
            list(model_ids),
        )
        ids = [row["id"] for row in rows]
        await tx.execute(
            """
            delete from statuses s where s.organization_id = $1 and s.id in (
                select unnest($2::uuid[])
                union all select id from components where organization_id = $1 and model_id = any($2::uuid[])
                union all select id from relationships where organization_id = $1 and model_id = any($2::uuid[]))
            """,
            organization_id,
            ids,
        )
        for statement in (
            "delete from components where organization_id = $1 and model_id = any($2::uuid[])",
            "delete from relationships where organization_id = $1 and model_id = any($2::uuid[])",
            "delete from policies where organization_id = $1 and model_id = any($2::uuid[])",
            "delete from connection_definitions where organization_id = $1 and model_id = any($2::uuid[])",
            "delete from registrations where organization_id = $1 and model_id = any($2::uuid[])",
            "delete from models where organization_id = $1 and id = any($2::uuid[])",
        ):
            await tx.execute(statement, organization_id, ids)
        await tx.execute(
            """
            delete from registrants r where r.organization_id = $1 and r.kind <> $2 and not exists (
                select from registrations g where g.organization_id = $1 and g.connection_id = r.connection_id)
            """,
            organization_id,
            CLUSTER,
        )
        return [
            Deleted(
                row["name"],
                row["display_name"],
                row["model_version"],
                row["components"],
                row["relationships"],
            )
            for row in rows
        ]

    async def delete_connection_definition(
        self, tx: Transaction, organization_id: UUID, definition_id: UUID
    ) -> UUID | None:
        """Delete one of an organisation's own kinds of connections; its model, None when there is none.

        What was registered of the model is to be compared anew when it comes again.
        """
        model_id: UUID | None = await tx.fetchval(
            "delete from connection_definitions where organization_id = $1 and id = $2 returning model_id",
            organization_id,
            definition_id,
        )
        await tx.execute(
            """
            update registrations set other_ids = array_remove(other_ids, $3), fingerprint = ''
            where organization_id = $1 and model_id = $2
            """,
            organization_id,
            model_id,
            definition_id,
        )
        return model_id

    async def is_empty(self, tx: Transaction, organization_id: UUID, model_id: UUID) -> bool:
        """Whether nothing belongs to a model."""
        return bool(
            await tx.fetchval(
                """
                select not (exists (select from components where organization_id = $1 and model_id = $2)
                    or exists (select from relationships where organization_id = $1 and model_id = $2)
                    or exists (select from policies where organization_id = $1 and model_id = $2)
                    or exists (select from connection_definitions where organization_id = $1 and model_id = $2))
                """,
                organization_id,
                model_id,
            )
        )

    async def forget_registrant(
        self, tx: Transaction, organization_id: UUID, registrant_id: UUID
    ) -> tuple[bool, list[UUID], list[UUID]]:
        """Forget a registrant and what it registered.

        Gives whether it was known, the ids of what no other one registers (what it serves now, and what it alone
        taught of versions that it has no longer), and the models that these belong to.
        """
        known = await tx.execute(
            "delete from registrants where organization_id = $1 and connection_id = $2",
            organization_id,
            registrant_id,
        )
        rows = await tx.fetch(
            """
            with gone as (
                delete from registrations where organization_id = $1 and connection_id = $2
                returning component_ids || other_ids as ids),
            named as (
                select unnest(g.component_ids || g.other_ids) as id from registrations g
                where g.organization_id = $1 and g.connection_id <> $2)
            select one.id from (
                select unnest(ids) as id from gone
                union select c.id from components c
                    join models m on m.organization_id = c.organization_id and m.id = c.model_id
                    where c.organization_id = $1 and m.registrant_id = $2) one
            where one.id not in (select named.id from named)
            """,
            organization_id,
            registrant_id,
        )
        ids = [row["id"] for row in rows]
        models = await tx.fetch(
            """
            select model_id from components where organization_id = $1 and id = any($2::uuid[])
            union select model_id from relationships where organization_id = $1 and id = any($2::uuid[])
            union select model_id from policies where organization_id = $1 and id = any($2::uuid[])
            union select model_id from connection_definitions where organization_id = $1 and id = any($2::uuid[])
            union select id from models where organization_id = $1 and registrant_id = $3
            """,
            organization_id,
            ids,
            registrant_id,
        )
        # The models that others still serve pass to one of these.
        await tx.execute(
            """
            update models m set registrant_id = (
                select g.connection_id from registrations g
                where g.organization_id = $1 and g.model_id = m.id order by g.connection_id limit 1)
            where m.organization_id = $1 and m.registrant_id = $2 and exists (
                select from registrations g where g.organization_id = $1 and g.model_id = m.id)
            """,
            organization_id,
            registrant_id,
        )
        return bool(known), ids, [row["model_id"] for row in models]

    async def remove_empty_models(
        self, tx: Transaction, organization_id: UUID, model_ids: Sequence[UUID]
    ) -> list[str]:
        """Remove those of the models that nothing belongs to any more; their names."""
        rows = await tx.fetch(
            """
            delete from models m where m.organization_id = $1 and m.id = any($2::uuid[])
                and not exists (select from components c where c.organization_id = $1 and c.model_id = m.id)
                and not exists (select from relationships r where r.organization_id = $1 and r.model_id = m.id)
                and not exists (select from policies p where p.organization_id = $1 and p.model_id = m.id)
                and not exists (select from connection_definitions d where d.organization_id = $1 and d.model_id = m.id)
            returning m.name
            """,
            organization_id,
            list(model_ids),
        )
        return sorted({row["name"] for row in rows})
