"""Who registered what, and writing what clusters teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.paging import PageRequest
from meshery_registry.domain.definitions import CLUSTER, NewComponent, NewModel, Registrant
from meshery_registry.store.definitions import DefinitionStore
from meshery_registry.store.models import words_of

_ORDER = OrderBy(
    columns={
        "name": Sort("r.name", str),
        "created_at": Sort("r.created_at"),
        "updated_at": Sort("r.updated_at"),
    },
    default="name asc",
    id_sql="r.connection_id",
)
#: Who registers here and ships with us as well is one: by the name that it has here.
_REGISTRANTS: LiteralString = """
    (select distinct on (o.connection_id) o.* from registrants o
        where o.organization_id in ((select current_organization()), '00000000-0000-0000-0000-000000000000')
        order by o.connection_id, o.organization_id desc) r
"""
_REGISTERED: LiteralString = """
    g.connection_id = r.connection_id
        and g.organization_id in ((select current_organization()), '00000000-0000-0000-0000-000000000000')
"""
_REGISTRANT: LiteralString = f"""
    r.connection_id, r.kind, r.name, r.version, r.created_at, r.updated_at,
    (select count(distinct g.model_id) from registrations g where {_REGISTERED}) as models,
    (select coalesce(sum(cardinality(g.component_ids)), 0) from registrations g where {_REGISTERED}) as components,
    (select count(*) from registrations g
        join relationships e on e.organization_id = g.organization_id and e.id = any(g.other_ids)
        where {_REGISTERED}) as relationships,
    (select count(*) from registrations g
        join policies p on p.organization_id = g.organization_id and p.id = any(g.other_ids)
        where {_REGISTERED}) as policies
"""  # noqa: S608 -- texts of our own


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registrant registers of one part, as it was last told; a part is a group version or a model."""

    model_id: UUID
    fingerprint: bytes
    component_ids: list[UUID]
    other_ids: list[UUID] = field(default_factory=list)


class RegistrationStore:
    """Statements over registrations. Those that write expect the lock of `locked_generation`."""

    def __init__(self) -> None:
        self._definitions = DefinitionStore()

    async def registrants(self, queries: Queries, request: PageRequest) -> tuple[Page, list[Registrant]]:
        """A page of those who registered something."""
        select = SelectBuilder("registrants", _REGISTRANT, _REGISTRANTS)
        for word in words_of(request.search):
            select.where("lower(r.name) like {} or r.kind = {}", contains(word), word)
        page = await select.page(queries, _ORDER, request)
        return page, [_registrant(row) for row in page.rows]

    async def registration(
        self, queries: Queries, organization_id: UUID, connection_id: UUID, group_version: str
    ) -> Registration | None:
        """What a cluster was last told to serve of a group version."""
        row = await queries.fetchrow(
            """
            select model_id, fingerprint, component_ids, other_ids from registrations
            where organization_id = $1 and connection_id = $2 and group_version = $3
            """,
            organization_id,
            connection_id,
            group_version,
        )
        if row is None:
            return None
        return Registration(row["model_id"], row["fingerprint"], row["component_ids"], row["other_ids"])

    async def locked_generation(self, tx: Transaction, organization_id: UUID) -> int:
        """The generation of an organisation's registry; its own part nobody else changes until this ends."""
        await tx.execute(
            "insert into generations (organization_id) values ($1) on conflict do nothing", organization_id
        )
        await tx.execute("select from generations where organization_id = $1 for update", organization_id)
        return await self._definitions.generation(tx, organization_id)

    async def next_generation(self, tx: Transaction, organization_id: UUID) -> int:
        """Count a change; the new generation, as lists have it."""
        await tx.execute(
            "update generations set generation = generation + 1, updated_at = now() where organization_id = $1",
            organization_id,
        )
        return await self._definitions.generation(tx, organization_id)

    async def put_registrant(
        self,
        tx: Transaction,
        organization_id: UUID,
        connection_id: UUID,
        *,
        name: str,
        version: str,
        kind: str = CLUSTER,
    ) -> bool:
        """Note who registers; whether that is news."""
        return bool(
            await tx.execute(
                """
                insert into registrants as r (organization_id, connection_id, kind, name, version)
                values ($1, $2, $3, $4, $5)
                on conflict (organization_id, connection_id) do update
                set kind = excluded.kind, name = excluded.name, version = excluded.version, updated_at = now()
                where (r.kind, r.name, r.version) is distinct from (excluded.kind, excluded.name, excluded.version)
                """,
                organization_id,
                connection_id,
                kind,
                name,
                version,
            )
        )

    async def kind_of(self, queries: Queries, organization_id: UUID, registrant_id: UUID) -> str | None:
        """The kind of a registrant; None when nobody is known by the id."""
        kind: str | None = await queries.fetchval(
            "select kind from registrants where organization_id = $1 and connection_id = $2",
            organization_id,
            registrant_id,
        )
        return kind

    async def known(self, tx: Transaction, organization_id: UUID, component_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the components that are there."""
        rows = await tx.fetch(
            "select id from components where organization_id = $1 and id = any($2::uuid[])",
            organization_id,
            list(component_ids),
        )
        return {row["id"] for row in rows}

    async def kinds_of(
        self, tx: Transaction, organization_id: UUID, component_ids: Sequence[UUID]
    ) -> set[str]:
        """The kinds that these components stand for."""
        rows = await tx.fetch(
            "select kind from components where organization_id = $1 and id = any($2::uuid[])",
            organization_id,
            list(component_ids),
        )
        return {row["kind"] for row in rows}

    async def put_model(
        self, tx: Transaction, organization_id: UUID, connection_id: UUID, model: NewModel
    ) -> None:
        """Store a model unless it is there."""
        await tx.execute(
            """
            insert into models (organization_id, id, registrant_kind, registrant_id, name, display_name,
                description, model_version, model_order, category_id, sub_category, metadata)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict do nothing
            """,
            organization_id,
            model.model_id,
            CLUSTER,
            connection_id,
            model.name,
            model.display_name,
            model.description,
            model.version,
            model.order,
            model.category_id,
            model.sub_category,
            model.metadata,
        )

    async def put_components(
        self,
        tx: Transaction,
        organization_id: UUID,
        model: NewModel,
        group_version: str,
        components: Sequence[NewComponent],
        *,
        custom: bool,
    ) -> None:
        """Store components with their schemas."""
        learned = [one.learned for one in components]
        await tx.execute(
            """
            insert into schemas (organization_id, hash, body, bytes)
            select $1, s.hash, s.body, s.bytes from unnest($2::text[], $3::bytea[], $4::integer[]) s(hash, body, bytes)
            on conflict do nothing
            """,
            organization_id,
            [one.schema_hash for one in learned],
            [one.schema_body for one in learned],
            [one.schema_bytes for one in learned],
        )
        await tx.execute(
            """
            insert into components (organization_id, model_id, model_name, api_version, custom,
                id, kind, display_name, description, namespaced, schema_hash, schema_bytes, schema_usable)
            select $1, $2, $3, $4, $5, n.* from unnest(
                $6::uuid[], $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[], $12::integer[],
                $13::boolean[]
            ) n
            on conflict do nothing
            """,
            organization_id,
            model.model_id,
            model.name,
            group_version,
            custom,
            [one.component_id for one in components],
            [one.kind for one in learned],
            [one.display_name for one in components],
            [one.description for one in learned],
            [one.namespaced for one in learned],
            [one.schema_hash for one in learned],
            [one.schema_bytes for one in learned],
            [one.usable for one in learned],
        )
        await tx.execute(
            "update models set updated_at = now() where organization_id = $1 and id = $2",
            organization_id,
            model.model_id,
        )

    async def put_registration(
        self,
        tx: Transaction,
        organization_id: UUID,
        connection_id: UUID,
        group_version: str,
        registration: Registration,
    ) -> None:
        """Note what a cluster serves of a group version now."""
        await tx.execute(
            """
            insert into registrations
                (organization_id, connection_id, group_version, model_id, fingerprint, component_ids, other_ids)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (organization_id, connection_id, group_version) do update
            set model_id = excluded.model_id, fingerprint = excluded.fingerprint,
                component_ids = excluded.component_ids, other_ids = excluded.other_ids, registered_at = now()
            """,
            organization_id,
            connection_id,
            group_version,
            registration.model_id,
            registration.fingerprint,
            registration.component_ids,
            registration.other_ids,
        )

    async def forget_fingerprints(
        self, tx: Transaction, organization_id: UUID, model_id: UUID, *, besides: UUID
    ) -> None:
        """A model has changed: what others registered of it is to be compared anew when they come again."""
        await tx.execute(
            """
            update registrations set fingerprint = ''
            where organization_id = $1 and model_id = $2 and connection_id <> $3
            """,
            organization_id,
            model_id,
            besides,
        )

    async def remove_unserved(
        self, tx: Transaction, organization_id: UUID, group_version: str, component_ids: Sequence[UUID]
    ) -> list[str]:
        """Remove those of the components that no registration names any more; their kinds."""
        rows = await tx.fetch(
            """
            delete from components c
            where c.organization_id = $1 and c.id = any($2::uuid[]) and not exists (
                select from registrations g
                where g.organization_id = $1 and g.group_version = $3 and c.id = any(g.component_ids)
            )
            returning c.kind, c.schema_hash
            """,
            organization_id,
            list(component_ids),
            group_version,
        )
        await tx.execute(
            """
            delete from schemas s where s.organization_id = $1 and s.hash = any($2::text[]) and not exists (
                select from components c where c.organization_id = $1 and c.schema_hash = s.hash
            )
            """,
            organization_id,
            [row["schema_hash"] for row in rows],
        )
        return [row["kind"] for row in rows]

    async def remove_model_if_empty(self, tx: Transaction, organization_id: UUID, model_id: UUID) -> None:
        """Remove a model that nothing belongs to."""
        await tx.execute(
            """
            delete from models m where m.organization_id = $1 and m.id = $2
                and not exists (select from components c where c.organization_id = $1 and c.model_id = m.id)
                and not exists (select from relationships r where r.organization_id = $1 and r.model_id = m.id)
                and not exists (select from policies p where p.organization_id = $1 and p.model_id = m.id)
                and not exists (select from connection_definitions d where d.organization_id = $1 and d.model_id = m.id)
            """,
            organization_id,
            model_id,
        )


def _registrant(row: Row) -> Registrant:
    return Registrant(
        connection_id=row["connection_id"],
        kind=row["kind"],
        name=row["name"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        models=row["models"],
        components=row["components"],
        relationships=row["relationships"],
        policies=row["policies"],
    )
