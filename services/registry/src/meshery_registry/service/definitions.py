"""Reading the registry: lists in Meshery's shapes, kinds in bulk, schemas by hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from meshery_common.database import Database, Queries
from meshery_common.paging import Page
from meshery_contracts.caller import Caller
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import (
    EntityPage,
    GetSchemas,
    KindName,
    ListCategories,
    ListComponents,
    ListModels,
    ListRelationships,
    ModelReference,
    ResolvedKind,
    ResolvedKinds,
    ResolveKinds,
    Schemas,
)
from meshery_registry.domain import documents, names
from meshery_registry.domain.definitions import Component, Model
from meshery_registry.store import DefinitionStore, RegistrationStore

#: The part of the largest message that an answer fills; the rest is for what is around the documents.
_FILLED = 0.93


class DefinitionsService:
    """Use cases that read."""

    def __init__(self, db: Database, *, max_message_bytes: int) -> None:
        self._db = db
        self._answer_bytes = int(max_message_bytes * _FILLED)
        self._store = DefinitionStore()
        self._registrations = RegistrationStore()

    async def resolve(self, request: ResolveKinds, caller: Caller) -> ResolvedKinds:
        """The component for each kind; without a component id where the registry knows none."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        found = await self._store.resolve(queries, caller.organization_id, request.kinds)
        models = await self._store.models_by_id(
            queries, caller.organization_id, list({one[1] for one in found if one})
        )
        references = {model_id: _reference(model) for model_id, model in models.items()}
        kinds = [
            _resolved(kind, one[0], references[one[1]]) if one else ResolvedKind(kind=kind)
            for kind, one in zip(request.kinds, found, strict=True)
        ]
        return ResolvedKinds(kinds=kinds, generation=generation)

    async def schemas(self, request: GetSchemas, caller: Caller) -> Schemas:
        """JSON schemas by hash, as many as fit into one answer."""
        queries = self._db.within(caller.organization_id)
        sizes = await self._store.schema_sizes(queries, caller.organization_id, request.hashes)
        known = sorted(sizes)
        # With its hash and what stands between, each takes a little more than its text.
        count = _fitting([sizes[one] + 100 for one in known], self._answer_bytes)
        schemas = await self._store.schemas(queries, caller.organization_id, known[:count])
        return Schemas(schemas=schemas, omitted=known[count:])

    async def models(self, request: ListModels, caller: Caller) -> EntityPage:
        """A page of models, with what belongs to them when asked for."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, models = await self._store.models(queries, caller.organization_id, request)
        written = [documents.model_document(model) for model in models]
        if request.with_components:
            components = await self._store.components_of(
                queries, caller.organization_id, [model.model_id for model in models]
            )
            inside = await self._component_documents(
                queries, caller.organization_id, components, {}, with_schemas=request.with_schemas
            )
            by_model: defaultdict[str, list[documents.Document]] = defaultdict(list)
            for document in inside:
                by_model[document["modelId"]].append(document)
            for model in written:
                model["components"] = by_model[model["id"]]
        if request.with_relationships:
            for model in written:
                model["relationships"] = []
        return EntityPage(models=written, generation=generation, **_envelope(page))

    async def components(self, request: ListComponents, caller: Caller) -> EntityPage:
        """A page of components; their schemas are read only when asked for."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, components = await self._store.components(queries, caller.organization_id, request)
        models = await self._store.models_by_id(
            queries, caller.organization_id, list({one.model_id for one in components})
        )
        written = await self._component_documents(
            queries, caller.organization_id, components, models, with_schemas=request.with_schemas
        )
        return EntityPage(components=written, generation=generation, **_envelope(page))

    async def relationships(self, request: ListRelationships, caller: Caller) -> EntityPage:
        """A page of relationships."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, relationships = await self._store.relationships(queries, caller.organization_id, request)
        return EntityPage(relationships=relationships, generation=generation, **_envelope(page))

    async def categories(self, request: ListCategories, caller: Caller) -> EntityPage:
        """A page of categories."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, categories = await self._store.categories(queries, request)
        written = [documents.category_document(category) for category in categories]
        return EntityPage(categories=written, generation=generation, **_envelope(page))

    async def registrants(self, request: PageRequest, caller: Caller) -> EntityPage:
        """A page of those who registered something."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, registrants = await self._registrations.registrants(queries, caller.organization_id, request)
        written = [documents.registrant_document(registrant) for registrant in registrants]
        return EntityPage(registrants=written, generation=generation, **_envelope(page))

    async def _component_documents(
        self,
        queries: Queries,
        organization_id: UUID,
        components: Sequence[Component],
        models: Mapping[UUID, Model],
        *,
        with_schemas: bool,
    ) -> list[documents.Document]:
        written = [documents.component_document(one, models.get(one.model_id)) for one in components]
        if with_schemas:
            left = self._answer_bytes - len(orjson.dumps(written))
            fitting = components[: _fitting([one.schema_bytes for one in components], left)]
            hashes = list({one.schema_hash for one in fitting})
            schemas = await self._store.schemas(queries, organization_id, hashes)
            for place, (document, one) in enumerate(zip(written, components, strict=True)):
                schema = schemas.get(one.schema_hash) if place < len(fitting) else None
                documents.put_schema(document, schema)
        return written


def _fitting(sizes: Sequence[int], budget: int) -> int:
    """How many things, from the first on, so many bytes hold; one in any case."""
    for count, size in enumerate(sizes):
        budget -= size
        if budget < 0 and count > 0:
            return count
    return len(sizes)


def _reference(model: Model) -> ModelReference:
    return ModelReference(
        id=model.model_id,
        name=model.name,
        display_name=model.display_name,
        version=names.DEFINITION_VERSION,
        model={"version": model.version},
        registrant={"kind": model.registrant_kind},
    )


def _resolved(kind: KindName, component: Component, model: ModelReference) -> ResolvedKind:
    return ResolvedKind(
        kind=kind,
        component_id=component.component_id,
        display_name=component.display_name,
        model=model,
        namespaced=component.namespaced,
        custom=component.custom,
        schema_hash=component.schema_hash,
    )


def _envelope(page: Page) -> dict[str, Any]:
    return {
        "page": page.page,
        "page_size": page.page_size,
        "total_count": page.total_count,
        "next_cursor": page.next_cursor,
    }
