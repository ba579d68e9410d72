"""Background work: imports. What is fetched is kept, so that an import that another worker takes over reads the same.

A model is stored in one fenced transaction together with its report and the checkpoint: it is registered whole and
told once, whenever the process ends. Rights are asked for again before each model.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Protocol, TypeVar
from uuid import UUID

from meshery_common import inbox, operations, outbox
from meshery_common.bus import Received
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.delegation import Delegation
from meshery_common.processes import WorkerProcess
from meshery_contracts import imports as contract
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.errors import ProblemError, TooLarge
from meshery_contracts.imports import ImportDefinitions, ImportEntry, ImportStage, Outcome, SourceKind
from meshery_contracts.keys import Key
from meshery_registry.clients.helm import ChartRenderer
from meshery_registry.domain.entities import Refusal
from meshery_registry.domain.materials import Form, Material
from meshery_registry.domain.packages import Limits, Origin, is_chart
from meshery_registry.domain.parts import Parts, parts_of
from meshery_registry.domain.prepared import PreparedPackage
from meshery_registry.service.credentials import SourceCredentialSeals
from meshery_registry.service.facts import import_fact
from meshery_registry.service.registrations import RemovalsService
from meshery_registry.service.sources import Sources
from meshery_registry.store.imports import ImportInput, ImportProgress, ImportStore, progress_of

T = TypeVar("T")

#: Progress is announced at most this often, in seconds.
_ANNOUNCE_SECONDS = 0.5
_NO_RENDERER = "The chart's templates were not rendered: CRDs among them, if any, are missing."
_UPLOADED = {SourceKind.FILE: Form.FILE, SourceKind.SHEETS: Form.SHEETS}


class Registrar(Protocol):
    """Stores models."""

    async def register(self, tx: Transaction, package: PreparedPackage, caller: Caller) -> list[ImportEntry]:
        """Store a model in this transaction, announce the change in it, and say what became of each entity."""
        ...


class ImportRuns:
    """Does the operations of kind `import_definitions`: fetch, read, register; stops when rights are revoked."""

    def __init__(
        self,
        db: Database,
        sources: Sources,
        seals: SourceCredentialSeals,
        registrar: Registrar,
        rights: Delegation,
        reading: WorkerProcess,
        renderer: ChartRenderer | None,
        *,
        limits: Limits,
        read_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = ImportStore()
        self._sources = sources
        self._seals = seals
        self._registrar = registrar
        self._rights = rights
        self._reading = reading
        self._renderer = renderer
        self._limits = limits
        self._read_seconds = read_seconds
        self._clock = clock

    async def work(self, run: operations.Run) -> None:
        """Bring an import to its end; the worker ends the operation, and `close` of the service announces that."""
        await self._caller(run)
        queries = self._db.within(run.organization_id)
        order = await self._store.order(queries, run.operation_id)
        progress = progress_of(run.operation)
        if progress.stage is ImportStage.FETCH:
            progress = await self._fetch(run, order, progress)
        files = await self._store.files(queries, run.operation_id)
        material = Material(Form(progress.form), files, Origin(**progress.origin), progress.detail)
        parts, notes = await _unless_cancelled(run, self._read(material, order, run.organization_id))
        if progress.stage is ImportStage.READ:
            progress = await self._begin_to_register(run, progress, parts, notes)
        told_at = time.monotonic()
        while progress.done < progress.total:
            if await run.cancelled():
                raise operations.OperationCancelled
            caller = await self._caller(run)
            announce = time.monotonic() - told_at > _ANNOUNCE_SECONDS
            package = await asyncio.to_thread(_package_of, parts.packages[progress.done])
            progress = await self._register(run, package, caller, progress, announce=announce)
            if announce:
                told_at = time.monotonic()

    async def _caller(self, run: operations.Run) -> Caller:
        """The person with the rights of now. Raises Forbidden, NotFound."""
        caller = await self._rights.caller_for(run.organization_id, run.user_id)
        caller.require(Key.IMPORT_MODELS)
        return caller

    async def _fetch(
        self, run: operations.Run, order: ImportDefinitions, progress: ImportProgress
    ) -> ImportProgress:
        """Fetch and keep what the order names; what was uploaded is kept already."""
        told = ImportInput.model_validate(run.input)
        form = _UPLOADED.get(told.source_kind)
        if form is None:
            queries = self._db.within(run.organization_id)
            sealed = await self._store.sealed_authorization(queries, run.operation_id)
            authorization = self._seals.open(sealed, run.operation_id)
            material = await _unless_cancelled(run, self._sources.fetch(order, authorization))
        else:
            material = Material(form, [])
        progress = progress.model_copy(
            update={
                "stage": ImportStage.READ,
                "form": material.form.value,
                "origin": asdict(material.origin),
                "detail": dict(material.detail),
            }
        )
        async with run.transaction() as tx:
            await self._store.put_files(tx, run.organization_id, run.operation_id, material.files)
            await self._store.forget_authorization(tx, run.operation_id)
            await self._checkpoint(run, tx, progress, announce=True)
        return progress

    async def _read(
        self, material: Material, order: ImportDefinitions, organization_id: UUID
    ) -> tuple[Parts, list[str]]:
        """All models of a material, prepared, and what the reader should know of them. Raises TooLarge."""
        rendered: str | None = None
        notes: list[str] = []
        if material.form is Form.FILE and is_chart(material.files[0][1]):
            rendered, notes = await self._rendered(material.files[0][1])
        try:
            async with asyncio.timeout(self._read_seconds):
                parts = await self._reading.run(
                    parts_of, material, rendered, order.model, self._limits, organization_id
                )
        except TimeoutError:
            raise _too_much(f"It cannot be read within {self._read_seconds:g} seconds.") from None
        except MemoryError:
            raise _too_much("Reading it needs more memory than imports may use.") from None
        return parts, notes

    async def _rendered(self, chart: bytes) -> tuple[str | None, list[str]]:
        if self._renderer is None:
            return None, [_NO_RENDERER]
        try:
            return await self._renderer.render(chart), []
        except ProblemError as error:
            return None, [f"{_NO_RENDERER} {error.problem.title}"]

    async def _begin_to_register(
        self, run: operations.Run, progress: ImportProgress, parts: Parts, notes: Sequence[str]
    ) -> ImportProgress:
        """Note what was found, and what was refused before it came to any model."""
        refused = [_refusal(one) for one in parts.refused]
        async with run.transaction() as tx:
            progress = await self._reported(run, tx, progress, refused)
            progress = progress.model_copy(
                update={
                    "stage": ImportStage.REGISTER,
                    "total": len(parts.packages),
                    "notes": [*progress.notes, *notes],
                }
            )
            await self._checkpoint(run, tx, progress, announce=True)
        return progress

    async def _register(
        self,
        run: operations.Run,
        package: PreparedPackage,
        caller: Caller,
        progress: ImportProgress,
        *,
        announce: bool,
    ) -> ImportProgress:
        """Store one model with its report; a trial only finds out what it would change."""
        entries: list[ImportEntry] = []
        trial = ImportInput.model_validate(run.input).dry_run
        if trial:
            with suppress(_TrialEnded):
                async with run.transaction() as tx:
                    entries = await self._registrar.register(tx, package, caller)
                    raise _TrialEnded
        async with run.transaction() as tx:
            if not trial:
                entries = await self._registrar.register(tx, package, caller)
            entries += [_refusal(one, package) for one in package.refused]
            progress = await self._reported(run, tx, progress, entries)
            progress = progress.model_copy(update={"done": progress.done + 1})
            await self._checkpoint(run, tx, progress, announce=announce)
        return progress

    async def _reported(
        self, run: operations.Run, tx: Transaction, progress: ImportProgress, entries: Sequence[ImportEntry]
    ) -> ImportProgress:
        placed = [
            one.model_copy(update={"position": progress.entries + at}) for at, one in enumerate(entries)
        ]
        await self._store.add_entries(tx, run.organization_id, run.operation_id, placed)
        return progress.model_copy(
            update={"entries": progress.entries + len(placed), "counts": progress.counted(placed)}
        )

    async def _checkpoint(
        self, run: operations.Run, tx: Transaction, progress: ImportProgress, *, announce: bool
    ) -> None:
        await run.checkpoint(progress, tx)
        if announce:
            now = await operations.get(tx, run.operation_id)
            fact = import_fact(now, progress, self._clock())
            await outbox.add(tx, contract.IMPORT_PROGRESSED, fact, subject_id=run.operation_id)


class ConnectionFacts:
    """What becomes of a connection's definitions when it is deleted: what nobody else registers goes."""

    def __init__(self, db: Database, removals: RemovalsService) -> None:
        self._db = db
        self._removals = removals

    async def take(self, batch: Sequence[Received]) -> None:
        """Forget the registrants that are gone."""
        for one in batch:
            fact = ConnectionFact.model_validate_json(one.payload)
            if fact.status is not ConnectionStatus.DELETED:
                continue
            caller = Caller(
                kind=CallerKind.SERVICE,
                user_id=UUID(int=0),
                organization_id=fact.organization_id,
                actor="registry",
            )
            async with self._db.transaction(fact.organization_id) as tx:
                if not await inbox.seen(tx, "connections", one.message_id):
                    await self._removals.forget(tx, caller, fact.connection_id, fact.name)


class _TrialEnded(Exception):
    """Takes back what a trial has written."""


def _package_of(packed: bytes) -> PreparedPackage:
    package: PreparedPackage = pickle.loads(packed)  # noqa: S301 -- written by our own process
    return package


def _refusal(refused: Refusal, package: PreparedPackage | None = None) -> ImportEntry:
    return ImportEntry(
        position=0,
        entity_type=refused.entity_type,
        name=refused.name,
        model=package.model.name if package else "",
        model_version=package.model.version if package else "",
        category=package.model.category if package else "",
        outcome=Outcome.REFUSED,
        reason=refused.reason,
        where=refused.where,
        remedy=refused.remedy,
    )


async def _unless_cancelled(run: operations.Run, work: Awaitable[T]) -> T:
    """What the work gives, unless somebody asks for the end of the import first. Raises OperationCancelled."""

    async def outcome() -> T | ProblemError:
        try:
            return await work
        except ProblemError as error:
            return error

    async with asyncio.TaskGroup() as group:
        working = group.create_task(outcome())
        asked = group.create_task(run.cancel_requested())
        await asyncio.wait((working, asked), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        asked.cancel()
    if working.cancelled():
        raise operations.OperationCancelled
    result = working.result()
    if isinstance(result, ProblemError):
        raise result
    return result


def _too_much(why: str) -> TooLarge:
    return TooLarge(
        "The source is too much for one import.",
        code="source_too_large",
        cause=why,
        remedy="Import it in parts: one folder, one chart or one package at a time.",
    )
