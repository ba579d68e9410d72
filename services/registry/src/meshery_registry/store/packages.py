"""Writing what packages describe: a model, its components, relationships and connection definitions, their icons.

Every statement writes many rows at once. All expect the lock of `RegistrationStore.locked_generation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Transaction
from meshery_registry.domain.openapi import StoredSchema
from meshery_registry.domain.prepared import (
    PreparedComponent,
    PreparedConnection,
    PreparedModel,
    PreparedRelationship,
)


@dataclass(frozen=True, slots=True)
class Known:
    """The entities of a model that are stored, each with the hash of its content."""

    model: bytes | None
    components: Mapping[UUID, bytes]
    relationships: Mapping[UUID, bytes]
    connections: Mapping[UUID, bytes]
    policies: Mapping[UUID, bytes]


class PackageStore:
    """Statements that write whole definitions."""

    async def known(self, tx: Transaction, organization_id: UUID, model_id: UUID) -> Known:
        """What is stored of a model."""
        rows = await tx.fetch(
            """
            select 'model' as what, id, content_hash from models where organization_id = $1 and id = $2
            union all select 'component', id, content_hash from components
                where organization_id = $1 and model_id = $2
            union all select 'relationship', id, content_hash from relationships
                where organization_id = $1 and model_id = $2
            union all select 'connection', id, content_hash from connection_definitions
                where organization_id = $1 and model_id = $2
            union all select 'policy', id, content_hash from policies where organization_id = $1 and model_id = $2
            """,
            organization_id,
            model_id,
        )
        found: dict[str, dict[UUID, bytes]] = {}
        for row in rows:
            found.setdefault(row["what"], {})[row["id"]] = row["content_hash"] or b""
        return Known(
            model=found.get("model", {}).get(model_id),
            components=found.get("component", {}),
            relationships=found.get("relationship", {}),
            connections=found.get("connection", {}),
            policies=found.get("policy", {}),
        )

    async def put_model(
        self, tx: Transaction, organization_id: UUID, registrant_id: UUID, model: PreparedModel
    ) -> None:
        """Store a model, or what changed of it."""
        await tx.execute(
            """
            insert into models (organization_id, id, registrant_kind, registrant_id, name, display_name,
                description, definition_version, model_version, model_order, category_id, sub_category, status,
                annotation, metadata, icons, content_hash)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            on conflict (organization_id, id) do update set
                registrant_id = excluded.registrant_id, display_name = excluded.display_name,
                description = excluded.description, category_id = excluded.category_id,
                sub_category = excluded.sub_category, status = excluded.status, annotation = excluded.annotation,
                metadata = excluded.metadata, icons = excluded.icons, content_hash = excluded.content_hash,
                updated_at = now()
            """,
            organization_id,
            model.model_id,
            model.registrant_kind,
            registrant_id,
            model.name,
            model.display_name,
            model.description,
            model.definition_version,
            model.version,
            model.order,
            model.category_id,
            model.sub_category,
            model.status,
            model.annotation,
            model.metadata,
            model.icons,
            model.content_hash,
        )

    async def touch_model(self, tx: Transaction, organization_id: UUID, model_id: UUID) -> None:
        """What belongs to a model has changed."""
        await tx.execute(
            "update models set updated_at = now() where organization_id = $1 and id = $2",
            organization_id,
            model_id,
        )

    async def put_schemas(
        self, tx: Transaction, organization_id: UUID, schemas: Iterable[StoredSchema]
    ) -> None:
        """Store schemas that are not there."""
        wanted = list(schemas)
        await tx.execute(
            """
            insert into schemas (organization_id, hash, body, bytes)
            select $1, s.* from unnest($2::text[], $3::bytea[], $4::integer[]) s
            on conflict do nothing
            """,
            organization_id,
            [one.hash for one in wanted],
            [one.body for one in wanted],
            [one.bytes for one in wanted],
        )

    async def put_icons(self, tx: Transaction, organization_id: UUID, icons: Mapping[str, str]) -> None:
        """Store icons that are not there."""
        await tx.execute(
            """
            insert into icons (organization_id, hash, body)
            select $1, i.* from unnest($2::text[], $3::text[]) i
            on conflict do nothing
            """,
            organization_id,
            list(icons),
            list(icons.values()),
        )

    async def put_components(
        self,
        tx: Transaction,
        organization_id: UUID,
        model: PreparedModel,
        components: Sequence[PreparedComponent],
    ) -> None:
        """Store components, in place of those with the same ids. Their schemas are there."""
        await tx.execute(
            """
            insert into components (organization_id, model_id, model_name, id, kind, api_version, display_name,
                description, definition_version, namespaced, custom, status, annotation, schema_hash, schema_bytes,
                schema_usable, styles, capabilities, metadata, configuration, icons, content_hash)
            select $1, $2, $3, n.id, n.kind, n.api_version, n.display_name, n.description, n.definition_version,
                n.namespaced, n.custom, n.status, n.annotation, n.schema_hash, n.schema_bytes, n.schema_usable,
                n.styles, n.capabilities, n.metadata, n.configuration, string_to_array(n.icons, ' '), n.content_hash
            from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
                $11::boolean[], $12::text[], $13::boolean[], $14::text[], $15::integer[], $16::boolean[],
                $17::jsonb[], $18::jsonb[], $19::jsonb[], $20::jsonb[], $21::text[], $22::bytea[])
                n(id, kind, api_version, display_name, description, definition_version, namespaced, custom, status,
                    annotation, schema_hash, schema_bytes, schema_usable, styles, capabilities, metadata,
                    configuration, icons, content_hash)
            on conflict (organization_id, id) do update set
                display_name = excluded.display_name, description = excluded.description,
                namespaced = excluded.namespaced, custom = excluded.custom, status = excluded.status,
                annotation = excluded.annotation, schema_hash = excluded.schema_hash,
                schema_bytes = excluded.schema_bytes, schema_usable = excluded.schema_usable,
                styles = excluded.styles, capabilities = excluded.capabilities, metadata = excluded.metadata,
                configuration = excluded.configuration, icons = excluded.icons,
                content_hash = excluded.content_hash, updated_at = now()
            """,
            organization_id,
            model.model_id,
            model.name,
            [one.component_id for one in components],
            [one.kind for one in components],
            [one.api_version for one in components],
            [one.display_name for one in components],
            [one.description for one in components],
            [one.definition_version for one in components],
            [one.namespaced for one in components],
            [one.custom for one in components],
            [one.status for one in components],
            [one.annotation for one in components],
            [one.schema_hash for one in components],
            [one.schema_bytes for one in components],
            [one.schema_usable for one in components],
            [one.styles for one in components],
            [one.capabilities for one in components],
            [one.metadata for one in components],
            [one.configuration for one in components],
            [" ".join(one.icons) for one in components],
            [one.content_hash for one in components],
        )

    async def put_relationships(
        self,
        tx: Transaction,
        organization_id: UUID,
        model: PreparedModel,
        relationships: Sequence[PreparedRelationship],
    ) -> None:
        """Store relationships, in place of those with the same ids."""
        await tx.execute(
            """
            insert into relationships (organization_id, model_id, model_name, id, kind, type, sub_type, status,
                definition, icons, content_hash)
            select $1, $2, $3, n.id, n.kind, n.type, n.sub_type, n.status, n.definition,
                string_to_array(n.icons, ' '), n.content_hash
            from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[],
                $11::bytea[]) n(id, kind, type, sub_type, status, definition, icons, content_hash)
            on conflict (organization_id, id) do update set
                status = excluded.status, definition = excluded.definition, icons = excluded.icons,
                content_hash = excluded.content_hash, updated_at = now()
            """,
            organization_id,
            model.model_id,
            model.name,
            [one.relationship_id for one in relationships],
            [one.kind for one in relationships],
            [one.type for one in relationships],
            [one.sub_type for one in relationships],
            [one.status for one in relationships],
            [one.definition for one in relationships],
            [" ".join(one.icons) for one in relationships],
            [one.content_hash for one in relationships],
        )

    async def put_connections(
        self,
        tx: Transaction,
        organization_id: UUID,
        model: PreparedModel,
        connections: Sequence[PreparedConnection],
    ) -> None:
        """Store connection definitions, in place of those with the same ids."""
        await tx.execute(
            """
            insert into connection_definitions
                (organization_id, model_id, model_name, id, kind, definition, icons, content_hash)
            select $1, $2, $3, n.id, n.kind, n.definition, string_to_array(n.icons, ' '), n.content_hash
            from unnest($4::uuid[], $5::text[], $6::jsonb[], $7::text[], $8::bytea[])
                n(id, kind, definition, icons, content_hash)
            on conflict (organization_id, id) do update set definition = excluded.definition,
                icons = excluded.icons, content_hash = excluded.content_hash, updated_at = now()
            """,
            organization_id,
            model.model_id,
            model.name,
            [one.definition_id for one in connections],
            [one.kind for one in connections],
            [one.definition for one in connections],
            [" ".join(one.icons) for one in connections],
            [one.content_hash for one in connections],
        )

    async def remove(self, tx: Transaction, organization_id: UUID, ids: Sequence[UUID]) -> int:
        """Remove components and what else has these ids; how many were there. Models stay."""
        if not ids:
            return 0
        removed = 0
        for table in _PARTS:
            removed += await tx.execute(
                f"delete from {table} where organization_id = $1 and id = any($2::uuid[])",  # noqa: S608
                organization_id,
                list(ids),
            )
        await tx.execute(
            "delete from statuses where organization_id = $1 and id = any($2::uuid[])",
            organization_id,
            list(ids),
        )
        return removed

    async def remove_unused(self, tx: Transaction, organization_id: UUID) -> None:
        """Remove schemas and icons that nothing refers to any more."""
        await tx.execute(
            """
            delete from schemas s where s.organization_id = $1 and s.hash not in (
                select c.schema_hash from components c where c.organization_id = $1 and c.schema_hash is not null)
            """,
            organization_id,
        )
        await tx.execute(
            """
            delete from icons i where i.organization_id = $1 and i.hash not in (
                select unnest(c.icons) from components c where c.organization_id = $1
                union all select unnest(m.icons) from models m where m.organization_id = $1
                union all select unnest(e.icons) from relationships e where e.organization_id = $1
                union all select unnest(d.icons) from connection_definitions d where d.organization_id = $1)
            """,
            organization_id,
        )


_PARTS: tuple[LiteralString, ...] = (
    "components",
    "relationships",
    "connection_definitions",
    "policies",
)
