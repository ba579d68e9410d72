"""Starting imports and telling how they go. The work itself is done by the workers."""

from __future__ import annotations

from meshery_common import operations, outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.encoding import Encoded
from meshery_common.operations import Operation, OperationStatus
from meshery_common.processes import WorkerProcess
from meshery_contracts import imports as contract
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Conflict, FieldProblem, Invalid, RateLimited
from meshery_contracts.imports import (
    Import,
    ImportDefinitions,
    ImportEntryPage,
    ImportId,
    ImportPage,
    ImportStage,
    ListImportEntries,
    ListImports,
    ModelNaming,
)
from meshery_registry.domain import uploads
from meshery_registry.domain.logins import authorization_of
from meshery_registry.domain.packages.models import is_model_name
from meshery_registry.service.credentials import SourceCredentialSeals
from meshery_registry.service.facts import import_fact
from meshery_registry.service.sources import Sources
from meshery_registry.store.imports import (
    IMPORT_KIND,
    ImportInput,
    ImportProgress,
    ImportStore,
    import_of,
)

#: Imports of one organisation that wait or go on: each may hold a file.
_MAX_UNFINISHED = 50


class ImportsService:
    """Use cases over imports."""

    def __init__(
        self,
        db: Database,
        sources: Sources,
        seals: SourceCredentialSeals,
        beside: WorkerProcess,
        *,
        max_source_bytes: int,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = ImportStore()
        self._sources = sources
        self._seals = seals
        self._beside = beside
        self._max_source_bytes = max_source_bytes
        self._clock = clock

    async def start(self, asked: Encoded[ImportDefinitions], caller: Caller) -> Import:
        """Keep what is to be imported, and answer with the operation that will do it."""
        organization_id = caller.organization_id
        await self._db.recall(organization_id)
        request, files = await self._read(asked.payload)
        _check_one_source(request)
        _check_naming(request.model)
        source_kind, source = self._sources.described(request)
        authorization = authorization_of(request)
        told = ImportInput(source_kind=source_kind, source=source, dry_run=request.dry_run)
        async with self._db.command(organization_id) as tx:
            if await self._store.unfinished(tx, organization_id) >= _MAX_UNFINISHED:
                raise RateLimited(
                    f"{_MAX_UNFINISHED} imports of this organisation are under way.",
                    code="imports_under_way",
                    remedy="Wait until one has ended, or cancel one.",
                    retry_after_seconds=10,
                )
            import_id = await operations.start(
                tx,
                IMPORT_KIND,
                organization_id=organization_id,
                user_id=caller.user_id,
                input=told,
            )
            sealed = self._seals.seal(authorization, import_id)
            await self._store.put_order(tx, organization_id, import_id, request, sealed)
            if files:
                await self._store.put_files(tx, organization_id, import_id, files)
            started = await operations.get(tx, import_id)
            fact = import_fact(started, ImportProgress(), self._clock(), actor=caller.actor)
            await outbox.add(tx, contract.IMPORT_STARTED, fact, subject_id=import_id)
            return await tx.answer(import_of(started))

    async def get(self, request: ImportId, caller: Caller) -> Import:
        """An import and how far it is."""
        queries = self._db.within(caller.organization_id)
        return import_of(await self._store.get(queries, caller.organization_id, request.import_id))

    async def page(self, request: ListImports, caller: Caller) -> ImportPage:
        """Imports of the organisation, newest first."""
        organization_id = caller.organization_id
        return await self._store.page(self._db.within(organization_id), organization_id, request)

    async def entries(self, request: ListImportEntries, caller: Caller) -> ImportEntryPage:
        """What became of each entity so far."""
        queries = self._db.within(caller.organization_id)
        await self._store.get(queries, caller.organization_id, request.import_id)
        return await self._store.entries(queries, request)

    async def cancel(self, request: ImportId, caller: Caller) -> Import:
        """Stop an import; models that it has registered stay. One that no worker has begun ends at once."""
        async with self._db.command(caller.organization_id) as tx:
            found = await self._store.get(tx, caller.organization_id, request.import_id, lock=True)
            if found.finished_at is not None:
                raise Conflict(
                    f"Import {request.import_id} has ended already: {found.status.value}.",
                    code="import_finished",
                )
            found = await operations.request_cancel(tx, found.operation_id)
            if found.status is OperationStatus.CANCELLED:
                await self.close(tx, found)
            return await tx.answer(import_of(found))

    async def close(self, tx: Transaction, ended: Operation) -> None:
        """The end of an import, whoever ends it: forget what it held and announce it."""
        await self._store.forget(tx, ended.operation_id)
        progress = ImportProgress.model_validate(ended.state or {})
        if ended.status is OperationStatus.SUCCEEDED:
            progress = progress.model_copy(update={"stage": ImportStage.DONE})
        fact = import_fact(ended, progress, self._clock())
        await outbox.add(tx, contract.IMPORT_FINISHED, fact, subject_id=ended.operation_id)

    async def _read(self, payload: bytes) -> tuple[ImportDefinitions, uploads.Files]:
        return await self._beside.run_if_long(len(payload), uploads.read, payload, self._max_source_bytes)


def _check_one_source(request: ImportDefinitions) -> None:
    named = [name for name in ("file", "url", "chart", "artifact_hub", "sheets") if getattr(request, name)]
    if len(named) != 1:
        raise Invalid(
            f"An import names one source, this one names {len(named)}.",
            code="source_missing" if not named else "source_ambiguous",
            remedy="Send exactly one of file, url, chart, artifactHub and sheets.",
        )


def _check_naming(naming: ModelNaming) -> None:
    """What the importer calls the model has to be what a package could call it."""
    for field, text, usable in (
        ("name", naming.name, is_model_name(naming.name)),
        ("version", naming.version, naming.version.isprintable()),
    ):
        if text and not usable:
            raise Invalid(
                f"`model.{field}` is {text[:50]!r}: no model can be called so.",
                code="model_naming",
                fields=(FieldProblem(path=f"model.{field}", message="letters, digits, hyphens and dots"),),
                remedy="Take letters, digits, hyphens and dots, or leave it out.",
            )
