"""Switching definitions on and off, deleting models, and forgetting registrants that are gone."""

from __future__ import annotations

from uuid import UUID

from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_contracts import registrations as contract
from meshery_contracts.caller import Caller
from meshery_contracts.definitions import ListConnectionDefinitions
from meshery_contracts.endpoints import Topic
from meshery_contracts.errors import Conflict, NotFound
from meshery_contracts.registrations import (
    DeleteConnectionDefinition,
    DeletedDefinition,
    DeletedModel,
    DeleteModel,
    RegistryFact,
    SetStatus,
    StatusReport,
)
from meshery_registry.service.registrations.announcing import tell_caches, tell_people
from meshery_registry.store import (
    ModelStore,
    PackageStore,
    RegistrationStore,
    RelationshipStore,
    RemovalStore,
)
from meshery_registry.store.visible import SHIPPED

_DOING = {
    "enabled": "enabled",
    "disabled": "disabled",
    "ignored": "ignored",
    "duplicate": "called a duplicate",
}


class RemovalsService:
    """Use cases that hide and remove."""

    def __init__(self, db: Database, *, clock: Clock = utc_now) -> None:
        self._db = db
        self._store = RemovalStore()
        self._models = ModelStore()
        self._relationships = RelationshipStore()
        self._packages = PackageStore()
        self._registrations = RegistrationStore()
        self._clock = clock

    async def set_status(self, request: SetStatus, caller: Caller) -> StatusReport:
        """Switch a definition on or off for the organisation. Raises NotFound."""
        organization_id = caller.organization_id
        async with self._db.command(organization_id) as tx:
            generation = await self._registrations.locked_generation(tx, organization_id)
            found = await self._store.switchable(tx, organization_id, request.entity_type.value, request.id)
            if found is None:
                raise NotFound(
                    f"There is no {request.entity_type.value} {request.id}.",
                    code="definition_unknown",
                    remedy="List the definitions with an empty status: hidden ones are among them.",
                )
            if found.status != request.status.value:
                await self._store.set_status(
                    tx,
                    organization_id,
                    request.entity_type.value,
                    request.id,
                    request.status.value,
                    caller.user_id,
                )
                what = request.entity_type.value.capitalize()
                generation = await self._announce(
                    tx,
                    contract.STATUS_SET,
                    caller,
                    about=request.id,
                    entity_type=request.entity_type.value,
                    name=found.name,
                    model=found.model_name,
                    action="update",
                    sentence=f"{what} '{found.name}' was {_DOING[request.status.value]}.",
                )
            return await tx.answer(
                StatusReport(
                    entity_type=request.entity_type,
                    id=request.id,
                    status=request.status,
                    previous=found.status,
                    generation=generation,
                )
            )

    async def delete_model(self, request: DeleteModel, caller: Caller) -> DeletedModel:
        """Delete one of the organisation's own models. Raises NotFound, Conflict for what ships with us."""
        organization_id = caller.organization_id
        async with self._db.command(organization_id) as tx:
            await self._registrations.locked_generation(tx, organization_id)
            found = (await self._models.by_id(tx, organization_id, [request.model_id])).get(request.model_id)
            if found is None:
                raise NotFound(f"There is no model {request.model_id}.", code="model_unknown")
            if found.organization_id == SHIPPED:
                raise Conflict(
                    f"Model '{found.display_name}' {found.version} ships with the registry and cannot be deleted.",
                    code="model_shipped",
                    remedy="Set its status to ignored: then nothing of it is offered.",
                )
            (deleted,) = await self._store.delete_models(tx, organization_id, [request.model_id])
            await self._packages.remove_unused(tx, organization_id)
            generation = await self._announce(
                tx,
                contract.MODEL_DELETED,
                caller,
                about=request.model_id,
                entity_type="model",
                name=deleted.name,
                model=deleted.name,
                action="delete",
                sentence=f"Model '{deleted.display_name}' {deleted.version} was deleted with {deleted.components} "
                f"components and {deleted.relationships} relationships.",
            )
            return await tx.answer(
                DeletedModel(
                    id=request.model_id,
                    name=deleted.name,
                    version=deleted.version,
                    components=deleted.components,
                    relationships=deleted.relationships,
                    generation=generation,
                )
            )

    async def delete_connection_definition(
        self, request: DeleteConnectionDefinition, caller: Caller
    ) -> DeletedDefinition:
        """Delete one of the organisation's own kinds of connections. Raises NotFound, Conflict for what ships."""
        organization_id, definition_id = caller.organization_id, request.definition_id
        async with self._db.command(organization_id) as tx:
            await self._registrations.locked_generation(tx, organization_id)
            wanted = ListConnectionDefinitions(definition_id=definition_id)
            _, found = await self._relationships.connection_definitions(tx, organization_id, wanted)
            if not found:
                raise NotFound(
                    f"There is no connection definition {definition_id}.",
                    code="connection_definition_unknown",
                )
            kind, model = found[0].kind, found[0].model_name
            model_id = await self._store.delete_connection_definition(tx, organization_id, definition_id)
            if model_id is None:
                raise Conflict(
                    f"The connection definition '{kind}' ships with the registry and cannot be deleted.",
                    code="definition_shipped",
                )
            if await self._store.is_empty(tx, organization_id, model_id):
                await self._store.delete_models(tx, organization_id, [model_id])
            await self._packages.remove_unused(tx, organization_id)
            generation = await self._announce(
                tx,
                contract.DEFINITION_DELETED,
                caller,
                about=definition_id,
                entity_type="connection",
                name=kind,
                model=model,
                action="delete",
                sentence=f"Connection definition '{kind}' of model '{model}' was deleted.",
            )
            return await tx.answer(
                DeletedDefinition(
                    id=definition_id,
                    entity_type="connection",
                    name=kind,
                    model=model,
                    generation=generation,
                )
            )

    async def forget(self, tx: Transaction, caller: Caller, registrant_id: UUID, name: str) -> None:
        """A connection is gone: with it what it registered and nobody else does."""
        organization_id = caller.organization_id
        await self._registrations.locked_generation(tx, organization_id)
        known, ids, model_ids = await self._store.forget_registrant(tx, organization_id, registrant_id)
        if not known:
            return
        await self._packages.remove(tx, organization_id, ids)
        models = await self._store.remove_empty_models(tx, organization_id, model_ids)
        await self._packages.remove_unused(tx, organization_id)
        generation = await self._registrations.next_generation(tx, organization_id)
        await tell_caches(
            tx,
            caller,
            self._clock(),
            about=registrant_id,
            action="update",
            sentence=f"With connection '{name}' went what it alone registered: {len(ids)} definitions.",
            generation=generation,
            models=models,
        )

    async def _announce(
        self,
        tx: Transaction,
        topic: Topic[RegistryFact],
        caller: Caller,
        *,
        about: UUID,
        entity_type: str,
        name: str,
        model: str,
        action: str,
        sentence: str,
    ) -> int:
        """Tell people and caches of a change; the generation that it makes."""
        generation = await self._registrations.next_generation(tx, caller.organization_id)
        now = self._clock()
        await tell_people(
            tx,
            topic,
            caller,
            now,
            about=about,
            entity_type=entity_type,
            name=name,
            action=action,
            sentence=sentence,
            generation=generation,
        )
        await tell_caches(
            tx,
            caller,
            now,
            about=about,
            action="update",
            sentence=sentence,
            generation=generation,
            models=[model],
        )
        return generation
