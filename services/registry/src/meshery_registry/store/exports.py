"""Reading a whole model back as the package that it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from meshery_common.database import Queries, Row
from meshery_registry.domain.definitions import Model
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    PolicyEntity,
    RelationshipEntity,
)
from meshery_registry.store.visible import seen_by


class ExportStore:
    """Statements that read all that belongs to one model; schemas and icons apart."""

    async def size(self, queries: Queries, model: Model) -> int:
        """About how many bytes the components of a model are, written out."""
        size: int = await queries.fetchval(
            """
            select coalesce(sum(schema_bytes + 1000), 0)::bigint from components
            where organization_id = $1 and model_id = $2
            """,
            model.organization_id,
            model.model_id,
        )
        return size

    async def package(
        self, queries: Queries, model: Model, *, components: bool, relationships: bool
    ) -> tuple[Package, list[bytes | None]]:
        """The package of a model, its schemas left out, and the schema of each component, deflated."""
        rows = await self._components(queries, model) if components else []
        package = Package(
            model=_model(model),
            components=tuple(_component(row) for row in rows),
            relationships=await self._relationships(queries, model) if relationships else (),
            policies=await self._policies(queries, model),
            connections=await self._connections(queries, model),
        )
        return package, [row["body"] for row in rows]

    async def icons(self, queries: Queries, organization_id: UUID, model: Model) -> dict[str, str]:
        """SVG texts of a model and of what belongs to it, by their hashes; what ships with us lends its own."""
        rows = await queries.fetch(
            """
            select hash, body from icons where organization_id = any($1::uuid[]) and hash in (
                select unnest(icons) from models where organization_id = $2 and (id = $3 or name = $4)
                union select unnest(icons) from components where organization_id = $2 and model_id = $3
                union select unnest(icons) from relationships where organization_id = $2 and model_id = $3
                union select unnest(icons) from connection_definitions
                    where organization_id = $2 and model_id = $3)
            """,
            seen_by(organization_id),
            model.organization_id,
            model.model_id,
            model.name,
        )
        return {row["hash"]: row["body"] for row in rows}

    async def _components(self, queries: Queries, model: Model) -> Sequence[Row]:
        return await queries.fetch(
            """
            select c.kind, c.api_version, c.display_name, c.description, c.definition_version, c.namespaced,
                c.custom, c.status, c.annotation, c.styles, c.capabilities, c.metadata, c.configuration, s.body
            from components c left join schemas s
                on s.organization_id = c.organization_id and s.hash = c.schema_hash
            where c.organization_id = $1 and c.model_id = $2
            order by c.kind, c.api_version, c.id
            """,
            model.organization_id,
            model.model_id,
        )

    async def _relationships(self, queries: Queries, model: Model) -> tuple[RelationshipEntity, ...]:
        rows = await queries.fetch(
            """
            select kind, type, sub_type, status, definition from relationships
            where organization_id = $1 and model_id = $2 order by kind, type, sub_type, id
            """,
            model.organization_id,
            model.model_id,
        )
        return tuple(
            RelationshipEntity(
                row["kind"], row["type"], row["sub_type"], row["definition"], status=row["status"]
            )
            for row in rows
        )

    async def _policies(self, queries: Queries, model: Model) -> tuple[PolicyEntity, ...]:
        rows = await queries.fetch(
            """
            select name, language, source, definition from policies
            where organization_id = $1 and model_id = $2 order by name, id
            """,
            model.organization_id,
            model.model_id,
        )
        return tuple(
            PolicyEntity(row["name"], row["language"], row["source"], row["definition"]) for row in rows
        )

    async def _connections(self, queries: Queries, model: Model) -> tuple[ConnectionEntity, ...]:
        rows = await queries.fetch(
            """
            select kind, definition from connection_definitions
            where organization_id = $1 and model_id = $2 order by kind, id
            """,
            model.organization_id,
            model.model_id,
        )
        return tuple(ConnectionEntity(row["kind"], row["definition"]) for row in rows)


def _model(model: Model) -> ModelEntity:
    return ModelEntity(
        name=model.name,
        version=model.version,
        display_name=model.display_name,
        description=model.description,
        definition_version=model.definition_version,
        category=model.category.name,
        sub_category=model.sub_category,
        status=model.status,
        annotation=model.annotation,
        registrant_kind=model.registrant_kind,
        registrant_name=model.registrant_name,
        metadata=model.metadata,
    )


def _component(row: Row) -> ComponentEntity:
    metadata: Mapping[str, Any] = row["metadata"]
    return ComponentEntity(
        kind=row["kind"],
        api_version=row["api_version"],
        display_name=row["display_name"],
        description=row["description"],
        definition_version=row["definition_version"],
        namespaced=row["namespaced"],
        custom=row["custom"],
        status=row["status"],
        annotation=row["annotation"],
        styles=row["styles"],
        capabilities=tuple(row["capabilities"]),
        metadata=metadata,
        configuration=row["configuration"],
    )
