"""Definitions that registrants push: stored when the registrant proved who it is, else kept apart until approved."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

import orjson

from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.processes import WorkerProcess
from meshery_contracts import registrations as contract
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.errors import Conflict, NotFound
from meshery_contracts.imports import Outcome
from meshery_contracts.messages import Severity
from meshery_contracts.registrations import (
    Judged,
    ListQuarantined,
    Quarantined,
    QuarantineId,
    QuarantinePage,
    RegisterDefinition,
    RegisteredDefinition,
    RegisterUnverified,
    Registrant,
    Verdict,
)
from meshery_contracts.registry import Document
from meshery_registry.domain import names
from meshery_registry.domain.pushed import Pushed, decoded, read_pushed
from meshery_registry.service.registrations.announcing import tell_people
from meshery_registry.service.registrations.packages import PackageRegistrar, Source
from meshery_registry.store import QuarantineStore, RegistrationStore
from meshery_registry.store.quarantine import QuarantinedDefinition

_NAMESPACE = UUID("0c9ad2a4-57c9-5d6b-8f1c-1d1f6f4f7b52")


class PushedDefinitionsService:
    """Use cases of registrants, and of those who judge what unproven ones sent."""

    def __init__(
        self,
        db: Database,
        worker: WorkerProcess,
        registrar: PackageRegistrar,
        *,
        most_quarantined: int,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._worker = worker
        self._registrar = registrar
        self._store = QuarantineStore()
        self._registrations = RegistrationStore()
        self._most = most_quarantined
        self._clock = clock

    async def register(self, request: RegisterDefinition, caller: Caller) -> RegisteredDefinition:
        """Store a definition of a registrant that holds the key. Raises Invalid, Conflict."""
        pushed = await self._read(request, caller.organization_id)
        async with self._db.command(caller.organization_id) as tx:
            registered = await self._stored(tx, pushed, request.connection, caller)
            return await tx.answer(registered)

    async def quarantine(self, request: RegisterUnverified, _: Caller) -> RegisteredDefinition:
        """Keep a definition apart. Raises Invalid, Conflict when too many wait."""
        organization_id = request.organization_id
        pushed = await self._read(request, organization_id)
        registrant = request.connection.model_copy(update={"id": None})
        told = orjson.dumps([registrant.kind, registrant.name, pushed.entity_type]) + pushed.text.encode()
        definition = QuarantinedDefinition(
            quarantine_id=uuid5(_NAMESPACE, f"{organization_id} {hashlib.sha256(told).hexdigest()}"),
            registrant=registrant.model_dump(mode="json", exclude={"id", "metadata"}),
            received_from=request.received_from,
            entity_type=pushed.entity_type,
            name=pushed.name,
            kind=pushed.kind,
            api_version=pushed.api_version,
            model_name=pushed.package.model.name,
            model_version=pushed.package.model.version,
            bytes=0,
            times=1,
            received_at=self._clock(),
        )
        async with self._db.command(organization_id) as tx:
            await self._registrations.locked_generation(tx, organization_id)
            known = await self._store.get(tx, organization_id, [definition.quarantine_id])
            if not known and await self._store.count(tx, organization_id) >= self._most:
                raise Conflict(
                    f"{self._most:,} definitions wait for approval already.",
                    code="quarantine_full",
                    remedy="Approve or reject some of them, or let the registrant use a token.",
                )
            if await self._store.put(tx, organization_id, definition, pushed.text):
                sender = f"{registrant.name or registrant.kind} at {request.received_from}"
                await tell_people(
                    tx,
                    contract.DEFINITION_QUARANTINED,
                    _system(organization_id),
                    self._clock(),
                    about=definition.quarantine_id,
                    entity_type=pushed.entity_type,
                    name=pushed.name,
                    action="register",
                    sentence=f"{pushed.entity_type.capitalize()} '{pushed.name}' of {sender} waits for approval.",
                    generation=0,
                    severity=Severity.WARNING,
                )
            return await tx.answer(
                RegisteredDefinition(
                    entity_type=pushed.entity_type,
                    name=pushed.name,
                    model=pushed.package.model.name,
                    quarantined=True,
                    quarantine_id=definition.quarantine_id,
                )
            )

    async def page(self, request: ListQuarantined, caller: Caller) -> QuarantinePage:
        """What waits for approval."""
        page, found = await self._store.page(
            self._db.within(caller.organization_id), caller.organization_id, request
        )
        return QuarantinePage(
            quarantined=[
                Quarantined(
                    id=one.quarantine_id,
                    registrant=one.registrant,
                    received_from=one.received_from,
                    entity_type=one.entity_type,
                    name=one.name,
                    kind=one.kind,
                    api_version=one.api_version,
                    model=one.model_name,
                    model_version=one.model_version,
                    bytes=one.bytes,
                    received_at=one.received_at,
                    times=one.times,
                )
                for one in found
            ],
            **page.envelope,
        )

    async def get(self, request: QuarantineId, caller: Caller) -> Document:
        """The document of one that waits. Raises NotFound."""
        found = await self._store.get(
            self._db.within(caller.organization_id), caller.organization_id, [request.id]
        )
        if not found:
            raise NotFound(f"Nothing is quarantined as {request.id}.", code="quarantine_unknown")
        return Document(entity=orjson.loads(found[0][1]))

    async def approve(self, request: Judged, caller: Caller) -> Verdict:
        """Register what waited: from now on it is like what a proven registrant sent."""
        organization_id = caller.organization_id
        waiting = await self._store.get(self._db.within(organization_id), organization_id, request.ids)
        read: dict[UUID, tuple[Registrant, Pushed]] = {}
        for one, text in waiting:
            registrant = Registrant.model_validate(one.registrant)
            read[one.quarantine_id] = (
                registrant,
                await self._pushed(text, one.entity_type, registrant, organization_id),
            )
        async with self._db.command(organization_id) as tx:
            generation = await self._registrations.locked_generation(tx, organization_id)
            # Somebody else may have judged some of them meanwhile.
            left = await self._store.remove(tx, organization_id, list(read))
            registered = [
                (await self._stored(tx, pushed, registrant, caller)).model_copy(update={"quarantine_id": one})
                for one, (registrant, pushed) in read.items()
                if one in left
            ]
            generation = max([generation, *(one.generation for one in registered)])
            return await tx.answer(Verdict(definitions=registered, generation=generation))

    async def reject(self, request: Judged, caller: Caller) -> Verdict:
        """Drop what waited."""
        organization_id = caller.organization_id
        async with self._db.command(organization_id) as tx:
            generation = await self._registrations.locked_generation(tx, organization_id)
            waiting = await self._store.get(tx, organization_id, request.ids)
            await self._store.remove(tx, organization_id, [one.quarantine_id for one, _ in waiting])
            for one, _ in waiting:
                await tell_people(
                    tx,
                    contract.DEFINITION_REJECTED,
                    caller,
                    self._clock(),
                    about=one.quarantine_id,
                    entity_type=one.entity_type,
                    name=one.name,
                    action="delete",
                    sentence=f"{one.entity_type.capitalize()} '{one.name}' was rejected.",
                    generation=generation,
                )
            dropped = [
                RegisteredDefinition(
                    entity_type=one.entity_type,
                    name=one.name,
                    model=one.model_name,
                    quarantine_id=one.quarantine_id,
                )
                for one, _ in waiting
            ]
            return await tx.answer(Verdict(definitions=dropped, generation=generation))

    async def _read(self, request: RegisterDefinition, organization_id: UUID) -> Pushed:
        return await self._pushed(
            decoded(request.entity), request.entity_type, request.connection, organization_id
        )

    async def _pushed(
        self, text: str, entity_type: str, registrant: Registrant, organization_id: UUID
    ) -> Pushed:
        # Reading and checking a schema of megabytes takes long: beside us.
        return await self._worker.run(
            read_pushed, text, entity_type, registrant.kind, registrant.name, organization_id
        )

    async def _stored(
        self, tx: Transaction, pushed: Pushed, registrant: Registrant, caller: Caller
    ) -> RegisteredDefinition:
        organization_id, model = caller.organization_id, pushed.package.model
        name = registrant.name or registrant.kind
        source = Source(
            registrant.id or names.registrant_id(registrant.kind, name),
            registrant.kind,
            name,
            registrant.version,
        )
        await self._check(tx, organization_id, source)
        entries = await self._registrar.register(
            tx, pushed.package, caller, source=source, keep_model=not pushed.whole_model
        )
        outcome = next(one.outcome for one in entries if one.entity_type == pushed.entity_type)
        generation = await self._registrations.locked_generation(tx, organization_id)
        if outcome is not Outcome.UNCHANGED:
            await tell_people(
                tx,
                contract.DEFINITION_REGISTERED,
                caller,
                self._clock(),
                about=pushed.entity_id,
                entity_type=pushed.entity_type,
                name=pushed.name,
                action="register",
                sentence=f"{name} registered the {pushed.entity_type} '{pushed.name}' of model '{model.name}'.",
                generation=generation,
            )
        return RegisteredDefinition(
            id=pushed.entity_id,
            entity_type=pushed.entity_type,
            name=pushed.name,
            model=model.name,
            outcome=outcome,
            generation=generation,
        )

    async def _check(self, tx: Transaction, organization_id: UUID, source: Source) -> None:
        """A registrant must not take the place of another one. Raises Conflict."""
        kind = await self._registrations.kind_of(tx, organization_id, source.registrant_id)
        if kind not in (None, source.kind):
            raise Conflict(
                f"{source.registrant_id} is a registrant of the kind {kind!r}, not {source.kind!r}.",
                code="registrant_kind",
                remedy="Send `connection.id` of the registrant's own connection, or none.",
            )


def _system(organization_id: UUID) -> Caller:
    """Nobody in particular."""
    return Caller(
        kind=CallerKind.SERVICE, user_id=UUID(int=0), organization_id=organization_id, actor="registry"
    )
