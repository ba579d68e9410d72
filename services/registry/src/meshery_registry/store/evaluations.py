"""Reading what an evaluation needs: definitions of relationships, and the components that it may add."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from meshery_common.database import Queries
from meshery_registry.domain.definitions import Component, Model, Relationship
from meshery_registry.store.components import ComponentStore
from meshery_registry.store.definitions import DefinitionStore
from meshery_registry.store.models import ModelStore
from meshery_registry.store.relationships import RelationshipStore


class EvaluationStore:
    """What is switched on in an organisation, with what ships with us."""

    def __init__(self) -> None:
        self._definitions = DefinitionStore()
        self._relationships = RelationshipStore()
        self._components = ComponentStore()
        self._models = ModelStore()

    async def generation(self, queries: Queries, organization_id: UUID) -> int:
        """How often what the organisation sees has changed."""
        return await self._definitions.generation(queries, organization_id)

    async def relationships(
        self, queries: Queries, organization_id: UUID
    ) -> list[tuple[Relationship, Model | None]]:
        """Every relationship that holds, with its model."""
        found = await self._relationships.enabled(queries, organization_id)
        models = await self._models.by_id(queries, organization_id, list({one.model_id for one in found}))
        return [(one, models.get(one.model_id)) for one in found]

    async def components(
        self, queries: Queries, organization_id: UUID, kinds: Sequence[str]
    ) -> list[tuple[Component, Model | None]]:
        """The components of some kinds, those of the newest model first."""
        found = await self._components.of_kinds(queries, organization_id, kinds)
        models = await self._models.by_id(queries, organization_id, list({one.model_id for one in found}))
        return [(one, models.get(one.model_id)) for one in found]
