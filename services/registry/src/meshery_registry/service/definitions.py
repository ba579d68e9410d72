"""Reading the registry: lists in Meshery's shapes, one model whole, many by id, kinds in bulk, schemas by hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from meshery_common.context import MESSAGE_BYTES, answer_bytes
from meshery_common.database import Database, Queries
from meshery_common.encoding import Encoded
from meshery_common.paging import Page
from meshery_contracts import definitions as details
from meshery_contracts import registry as contract
from meshery_contracts.caller import Caller
from meshery_contracts.definitions import (
    GetComponents,
    GetIcons,
    GetModel,
    GetModels,
    Icons,
    ListConnectionDefinitions,
    NameCount,
    RegistrySummary,
)
from meshery_contracts.errors import NotFound
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import (
    Document,
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
from meshery_registry.domain import documents
from meshery_registry.domain.definitions import Component, Model, Relationship
from meshery_registry.service.answers import KeptAnswers
from meshery_registry.store import (
    ComponentStore,
    DefinitionStore,
    ModelStore,
    RegistrationStore,
    RelationshipStore,
)

#: The part of the largest answer that is filled; the rest is for what is around the documents.
_FILLED = 0.93
#: Of schemas and icons by hash: who wants more asks again.
_HASHED_BYTES = int(MESSAGE_BYTES * _FILLED)


class DefinitionsService:
    """Use cases that read."""

    def __init__(self, db: Database, *, kept_bytes: int) -> None:
        self._db = db
        self._kept = KeptAnswers(kept_bytes)
        self._store = DefinitionStore()
        self._models = ModelStore()
        self._components = ComponentStore()
        self._relationships = RelationshipStore()
        self._registrations = RegistrationStore()

    # --- kinds and schemas for other services -------------------------------------------------------------

    async def resolve(self, request: ResolveKinds, caller: Caller) -> ResolvedKinds:
        """The component for each kind; without a component id where the registry knows none."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        found = await self._components.resolve(queries, caller.organization_id, request.kinds)
        models = await self._models.by_id(
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
        count = _fitting([sizes[one] + 100 for one in known], _HASHED_BYTES)
        schemas = await self._store.schemas(queries, caller.organization_id, known[:count])
        return Schemas(schemas=schemas, omitted=known[count:])

    async def icons(self, request: GetIcons, caller: Caller) -> Icons:
        """Icons by hash, as many as fit into one answer."""
        queries = self._db.within(caller.organization_id)
        found = await self._store.icons(queries, caller.organization_id, request.hashes)
        known = sorted(found)
        count = _fitting([len(orjson.dumps(found[one])) + 100 for one in known], _HASHED_BYTES)
        return Icons(icons={one: found[one] for one in known[:count]}, omitted=known[count:])

    # --- lists --------------------------------------------------------------------------------------------

    async def models(self, request: ListModels, caller: Caller) -> Encoded[EntityPage]:
        """A page of models, with what belongs to them when asked for."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)

        async def make() -> EntityPage:
            page, models = await self._models.page(queries, organization_id, request)
            facets = await self._models.facets(queries, organization_id, request) if request.facets else None
            if request.trim:
                written = [documents.trimmed_model_document(model) for model in models]
            else:
                written = await self._whole(
                    queries,
                    organization_id,
                    models,
                    with_components=request.with_components,
                    with_relationships=request.with_relationships,
                    with_schemas=request.with_schemas,
                )
            return EntityPage(models=written, facets=facets, generation=generation, **_envelope(page))

        return await self._kept.answer(contract.LIST_MODELS, request, organization_id, generation, make)

    async def components(self, request: ListComponents, caller: Caller) -> Encoded[EntityPage]:
        """A page of components; their schemas are read only when asked for."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)

        async def make() -> EntityPage:
            page, components = await self._components.page(queries, organization_id, request)
            facets = (
                await self._components.facets(queries, organization_id, request) if request.facets else None
            )
            models = await self._models_of(queries, organization_id, components)
            written = await self._component_documents(
                queries, organization_id, components, models, with_schemas=request.with_schemas
            )
            return EntityPage(components=written, facets=facets, generation=generation, **_envelope(page))

        return await self._kept.answer(contract.LIST_COMPONENTS, request, organization_id, generation, make)

    async def relationships(self, request: ListRelationships, caller: Caller) -> Encoded[EntityPage]:
        """A page of relationships."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)

        async def make() -> EntityPage:
            page, found = await self._relationships.page(queries, organization_id, request)
            facets = (
                await self._relationships.facets(queries, organization_id, request)
                if request.facets
                else None
            )
            models = await self._models_of(queries, organization_id, found)
            written = [documents.relationship_document(one, models.get(one.model_id)) for one in found]
            return EntityPage(relationships=written, facets=facets, generation=generation, **_envelope(page))

        return await self._kept.answer(
            contract.LIST_RELATIONSHIPS, request, organization_id, generation, make
        )

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
        page, registrants = await self._registrations.registrants(queries, request)
        written = [documents.registrant_document(registrant) for registrant in registrants]
        return EntityPage(registrants=written, generation=generation, **_envelope(page))

    async def connection_definitions(self, request: ListConnectionDefinitions, caller: Caller) -> EntityPage:
        """A page of the kinds of connections that models bring along."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        page, found = await self._relationships.connection_definitions(
            queries, caller.organization_id, request
        )
        written = [documents.connection_definition_document(one) for one in found]
        return EntityPage(connection_definitions=written, generation=generation, **_envelope(page))

    # --- by id --------------------------------------------------------------------------------------------

    async def model(self, request: GetModel, caller: Caller) -> Encoded[Document]:
        """One model with what belongs to it. Raises NotFound."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)

        async def make() -> Document:
            if request.model_id is not None:
                found = (await self._models.by_id(queries, organization_id, [request.model_id])).get(
                    request.model_id
                )
            else:
                found = await self._models.by_name(queries, organization_id, request.name, request.version)
            if found is None:
                raise NotFound(
                    f"There is no model {request.model_id or f'{request.name} {request.version}'.strip()}.",
                    code="model_unknown",
                    remedy="List the models to see which there are.",
                )
            written = await self._whole(
                queries,
                organization_id,
                [found],
                with_components=request.with_components,
                with_relationships=request.with_relationships,
                with_schemas=request.with_schemas,
            )
            return Document(entity=written[0])

        return await self._kept.answer(details.GET_MODEL, request, organization_id, generation, make)

    async def many_models(self, request: GetModels, caller: Caller) -> EntityPage:
        """Models by ids, in that order."""
        queries = self._db.within(caller.organization_id)
        generation = await self._store.generation(queries, caller.organization_id)
        found = await self._models.by_id(queries, caller.organization_id, request.ids)
        models = [found[one] for one in request.ids if one in found]
        written = [documents.model_document(model) for model in models]
        return EntityPage(models=written, generation=generation, **_all_of(written))

    async def many_components(self, request: GetComponents, caller: Caller) -> EntityPage:
        """Components by ids, in that order."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)
        found = await self._components.by_id(queries, organization_id, request.ids)
        components = [found[one] for one in request.ids if one in found]
        models = await self._models_of(queries, organization_id, components)
        written = await self._component_documents(
            queries, organization_id, components, models, with_schemas=request.with_schemas
        )
        return EntityPage(components=written, generation=generation, **_all_of(written))

    async def summary(self, request: Nothing, caller: Caller) -> Encoded[RegistrySummary]:
        """How much there is."""
        queries, organization_id = self._db.within(caller.organization_id), caller.organization_id
        generation = await self._store.generation(queries, organization_id)

        async def make() -> RegistrySummary:
            found = await self._store.summary(queries, organization_id)
            return RegistrySummary(
                models=found.models,
                components=sum(found.components.values()),
                relationships=sum(found.relationships.values()),
                policies=found.policies,
                registrants=found.registrants,
                categories=found.categories,
                components_by_model=_counted(found.components),
                relationships_by_model=_counted(found.relationships),
                generation=generation,
            )

        return await self._kept.answer(details.SUMMARY, request, organization_id, generation, make)

    # --- documents ----------------------------------------------------------------------------------------

    async def _whole(
        self,
        queries: Queries,
        organization_id: UUID,
        models: Sequence[Model],
        *,
        with_components: bool,
        with_relationships: bool,
        with_schemas: bool,
    ) -> list[documents.Document]:
        """Models with what belongs to them."""
        written = [documents.model_document(model) for model in models]
        ids = [model.model_id for model in models]
        if with_components:
            components = await self._components.of_models(queries, organization_id, ids)
            inside = await self._component_documents(
                queries, organization_id, components, {}, with_schemas=with_schemas
            )
            _put_inside(written, "components", inside)
        if with_relationships:
            found = await self._relationships.of_models(queries, organization_id, ids)
            by_id = {model.model_id: model for model in models}
            inside = [documents.relationship_document(one, by_id.get(one.model_id)) for one in found]
            _put_inside(written, "relationships", inside)
        return written

    async def _models_of(
        self, queries: Queries, organization_id: UUID, entities: Iterable[Component | Relationship]
    ) -> dict[UUID, Model]:
        return await self._models.by_id(queries, organization_id, list({one.model_id for one in entities}))

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
            left = int(answer_bytes() * _FILLED) - len(orjson.dumps(written))
            sizes = [one.schema_bytes + documents.CAPABILITIES_BYTES for one in components]
            fitting = components[: _fitting(sizes, left)]
            hashes = list({one.schema_hash for one in fitting if one.schema_hash})
            schemas = await self._store.schemas(queries, organization_id, hashes)
            for place, (document, one) in enumerate(zip(written, components, strict=True)):
                if one.schema_hash:
                    schema = schemas.get(one.schema_hash) if place < len(fitting) else None
                    documents.put_schema(document, schema)
        return written


def _put_inside(
    models: Sequence[documents.Document], name: str, inside: Iterable[documents.Document]
) -> None:
    by_model: defaultdict[str, list[documents.Document]] = defaultdict(list)
    for one in inside:
        by_model[one["modelId"]].append(one)
    for model in models:
        model[name] = by_model[model["id"]]


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
        version=model.definition_version,
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


def _counted(counts: Mapping[str, int]) -> list[NameCount]:
    return [NameCount(name=name, count=count) for name, count in counts.items()]


def _all_of(entities: Sequence[Any]) -> dict[str, Any]:
    return {"page_size": len(entities), "total_count": len(entities)}


def _envelope(page: Page) -> dict[str, Any]:
    return {
        "page": page.page,
        "page_size": page.page_size,
        "total_count": page.total_count,
        "next_cursor": page.next_cursor,
    }
