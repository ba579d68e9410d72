"""Reading, saving, importing and checking designs."""

from __future__ import annotations

import base64
import binascii
from uuid import UUID, uuid4

from meshery_common import outbox
from meshery_common.access import forget_object
from meshery_common.clock import Clock, utc_now
from meshery_common.context import answer_bytes
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.processes import WorkerProcess
from meshery_contracts import designs as contract
from meshery_contracts.caller import Caller
from meshery_contracts.designs import (
    CloneDesign,
    CreateDesign,
    Design,
    DesignId,
    DesignManifest,
    DesignPage,
    DesignType,
    DesignVersionPage,
    ExportDesign,
    GetDesign,
    ImportDesign,
    ImportedDesign,
    ListDesigns,
    ListVersions,
    NullString,
    SupportedType,
    SupportedTypes,
    UpdateDesign,
    ValidateDesign,
    ValidationReport,
    Visibility,
)
from meshery_contracts.errors import Conflict, Invalid
from meshery_contracts.keys import Key
from meshery_contracts.messages import Nothing
from meshery_designs.clients import RegistryClient
from meshery_designs.domain import design_files, saving, validation
from meshery_designs.domain.design_files import StoredFile
from meshery_designs.service import facts
from meshery_designs.store import DeployedStore, DesignStore, RunStore

_TYPES = [
    SupportedType(
        design_type=DesignType.KUBERNETES_MANIFEST, supported_extensions=[".yaml", ".yml", ".json"]
    ),
    SupportedType(design_type=DesignType.DESIGN, supported_extensions=[".yaml", ".yml", ".json"]),
]


class DesignsService:
    """Use cases over designs."""

    def __init__(
        self, db: Database, registry: RegistryClient, beside: WorkerProcess, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = DesignStore()
        self._runs = RunStore()
        self._deployed = DeployedStore()
        self._registry = registry
        self._beside = beside
        self._clock = clock

    async def get(self, request: GetDesign, caller: Caller) -> Design:
        """A design in its newest or in a named version."""
        queries = self._db.within(caller.organization_id)
        design = await self._store.get(queries, request.design_id, caller, with_source=request.with_source)
        if request.version is None or request.version == design.version:
            return design
        return await self._store.in_version(queries, design, request.version)

    async def page(self, request: ListDesigns, caller: Caller) -> DesignPage:
        """A page of the designs that the caller may read."""
        # A file stands in the answer twice, as JSON in JSON.
        most = answer_bytes() // 3
        queries = self._db.within(caller.organization_id)
        return await self._store.page(queries, request, caller, most_bytes=most)

    async def create(self, request: CreateDesign, caller: Caller) -> Design:
        """Save a new design from a design file, or an empty one."""
        _require_publishing(Visibility.PRIVATE, request.visibility, caller)
        design_id = uuid4()
        file = await self._saved(request.file, design_id, request.name, 1)
        async with self._db.command(caller.organization_id) as tx:
            design = await self._store.insert(
                tx,
                design_id,
                file,
                caller,
                visibility=request.visibility,
                design_type=DesignType.DESIGN,
                location=request.location,
            )
            await self._announce_saved(tx, design, caller, "create")
            return await tx.answer(design)

    async def update(self, request: UpdateDesign, caller: Caller) -> Design:
        """Save the next version: from a whole file, from changed components, or only under another name.

        A save that changes nothing makes none, for editors save again and again: the answer is what is there.
        """
        if request.file is not None and request.changes is not None:
            raise Invalid(
                "The request holds a whole file and changes.",
                code="edit_ambiguous",
                cause="Nobody can say which of the two would win where they differ.",
                remedy="Send either `file` or `changes`.",
            )
        await self._db.recall(caller.organization_id)
        queries = self._db.within(caller.organization_id)
        began = await self._store.get(queries, request.design_id, caller)
        await self._store.require_edit(queries, began.id, caller)
        # Before the transaction, which should not wait for it.
        file = await self._edited(began, request)
        async with self._db.command(caller.organization_id) as tx:
            if request.base_version is None:
                # Who does not say what he began with means whatever is there.
                await self._store.lock(tx, request.design_id)
            current = await self._store.get(tx, request.design_id, caller)
            await self._store.require_edit(tx, current.id, caller)
            _require_publishing(current.visibility, request.visibility, caller)
            if request.base_version is None and current.version != began.version:
                file = await self._edited(current, request)
            base_version = request.base_version or current.version
            visibility = request.visibility or current.visibility
            if visibility is current.visibility and file.numbered(base_version).text == current.pattern_file:
                return await tx.answer(current)
            design = await self._store.update(
                tx, current.id, base_version, file, caller, visibility=visibility
            )
            await self._announce_saved(tx, design, caller, "update")
            return await tx.answer(design)

    async def export(self, request: ExportDesign, caller: Caller) -> DesignManifest:
        """A design as the manifest that a deployment would apply. Raises Invalid when it contradicts itself."""
        design = await self.get(GetDesign(design_id=request.design_id, version=request.version), caller)
        file = design.pattern_file
        manifest, objects = await self._beside.run_if_long(len(file), saving.exported, file)
        return DesignManifest(name=design.name, manifest=manifest, objects=objects)

    async def clone(self, request: CloneDesign, caller: Caller) -> Design:
        """A private design of the caller with the file of one that he may read, which counts it."""
        await self._db.recall(caller.organization_id)
        queries = self._db.within(caller.organization_id)
        original = await self._store.get(queries, request.design_id, caller, with_source=True)
        design_id = uuid4()
        name = request.name.strip() or design_files.name_of_clone(original.name)
        file = await self._saved(original.pattern_file, design_id, name, 1)
        source = original.source_content
        # What another organisation has published lies beyond the caller's rows, and counts its clones all the same.
        at_home = original.organization_id == caller.organization_id
        async with self._db.command(caller.organization_id if at_home else EVERY_ORGANIZATION) as tx:
            design = await self._store.insert(
                tx,
                design_id,
                file,
                caller,
                visibility=Visibility.PRIVATE,
                design_type=original.type.string,
                source_content=base64.b64decode(source) if source is not None else None,
                location=original.location,
            )
            await self._store.count_clone(tx, original.id)
            fact = facts.design_cloned(design, original, caller, self._clock())
            await outbox.add(tx, contract.CLONED, fact, subject_id=design.id)
            return await tx.answer(design)

    async def delete(self, request: DesignId, caller: Caller) -> Design:
        """Delete a design that no cluster holds anything of: nobody could undeploy it any more."""
        async with self._db.command(caller.organization_id) as tx:
            design = await self._store.get(tx, request.design_id, caller)
            await self._store.require_edit(tx, design.id, caller)
            await self._runs.require_idle(tx, design.id)
            if holding := await self._deployed.connections(tx, design.id):
                raise Conflict(
                    f"Design '{design.name}' is deployed in {facts.counted(len(holding), 'cluster')}.",
                    code="design_deployed",
                    detail=f"connections {', '.join(sorted(str(one) for one in holding))}",
                    remedy="Undeploy it first, or delete the connection of a cluster that is gone.",
                )
            await self._store.delete(tx, design.id)
            await forget_object(tx, design.id)
            fact = facts.design_deleted(design, caller, self._clock())
            await outbox.add(tx, contract.DELETED, fact, subject_id=design.id)
            return await tx.answer(design)

    async def versions(self, request: ListVersions, caller: Caller) -> DesignVersionPage:
        """The saved versions of a design, newest first."""
        queries = self._db.within(caller.organization_id)
        await self._store.get(queries, request.design_id, caller)
        return await self._store.versions(queries, request)

    async def types(self, _request: Nothing, _caller: Caller) -> SupportedTypes:
        """The document kinds that can be imported."""
        return SupportedTypes(types=_TYPES)

    async def import_document(self, request: ImportDesign, caller: Caller) -> ImportedDesign:
        """Find out what a document is, turn it into a design and save that."""
        await self._db.recall(caller.organization_id)
        content = _decoded(request.file)
        kinds = await self._beside.run_if_long(len(content), saving.kinds_in, content)
        known = {} if kinds is None else await self._registry.resolve(kinds)
        design_id = uuid4()
        kind, file, notes = await self._beside.run_if_long(
            len(content),
            saving.imported,
            *(content, known, design_id, request.name, request.file_name, uuid4),
        )
        async with self._db.command(caller.organization_id) as tx:
            if not request.save:
                shown = self._unsaved(design_id, file, kind, caller)
                return await tx.answer(ImportedDesign(design=shown, notes=notes))
            design = await self._store.insert(
                tx,
                design_id,
                file,
                caller,
                visibility=Visibility.PRIVATE,
                design_type=kind,
                source_content=content.encode(),
            )
            await self._announce_saved(tx, design, caller, "import")
            return await tx.answer(ImportedDesign(design=design, notes=notes))

    def _unsaved(self, design_id: UUID, file: StoredFile, kind: DesignType, caller: Caller) -> Design:
        """A design that is shown and not kept."""
        now = self._clock()
        return Design(
            id=design_id,
            name=file.name,
            pattern_file=file.text,
            user_id=caller.user_id,
            organization_id=caller.organization_id,
            visibility=Visibility.PRIVATE,
            type=NullString(string=kind, valid=True),
            version=0,
            created_at=now,
            updated_at=now,
        )

    async def validate(self, request: ValidateDesign, caller: Caller) -> ValidationReport:
        """Check every component against the schema of its kind, and the design against the policies in force."""
        file, _ = await self.file_of(request.design_id, request.file, None, caller)
        named = await self._beside.run_if_long(len(file), validation.kinds_in, file)
        kinds = await self._registry.resolve(named)
        schemas = await self._registry.schemas(one.schema_hash for one in kinds.values())
        # Always: the schemas are long, whatever the file is.
        checked, reports = await self._beside.run(validation.reports_of, file, kinds, schemas)
        judged = await self._registry.check(file)
        return ValidationReport(
            valid=judged.allowed and not any(one.problems for one in reports),
            checked=checked,
            components=reports,
            policies=judged.findings,
        )

    async def file_of(
        self, design_id: UUID | None, file: str | None, version: int | None, caller: Caller
    ) -> tuple[str, int]:
        """The design file (JSON) that a request names and its version: a stored one, or one that is not saved (0)."""
        if design_id is not None:
            design = await self.get(GetDesign(design_id=design_id, version=version), caller)
            if file is None:
                return design.pattern_file, design.version
        if file is None:
            raise Invalid(
                "The request names no design.", code="design_missing", remedy="Send `designId` or `file`."
            )
        return (await self._saved(file, design_id or uuid4(), "", 0)).text, 0

    async def _saved(self, text: str, design_id: UUID, name: str, version: int) -> StoredFile:
        return await self._beside.run_if_long(len(text), saving.saved, text, design_id, name, version, uuid4)

    async def _edited(self, current: Design, request: UpdateDesign) -> StoredFile:
        """The version after `current`, or after the one that the request began with."""
        changes = "" if request.changes is None else request.changes.model_dump_json()
        return await self._beside.run_if_long(
            len(current.pattern_file) + len(request.file or "") + len(changes),
            saving.edited,
            *(current.pattern_file, current.name, request.file, request.changes),
            *(current.id, request.name or "", (request.base_version or current.version) + 1, uuid4),
        )

    async def _announce_saved(self, tx: Transaction, design: Design, caller: Caller, action: str) -> None:
        fact = facts.design_saved(design, caller, action, self._clock())
        await outbox.add(tx, contract.SAVED, fact, subject_id=design.id)


def _require_publishing(before: Visibility, after: Visibility | None, caller: Caller) -> None:
    """Raise Forbidden unless the caller may show a design beyond the organisation, or take it back."""
    if after is None or after is before:
        return
    if after is Visibility.PUBLISHED:
        caller.require(Key.PUBLISH_DESIGN)
    elif before is Visibility.PUBLISHED:
        caller.require(Key.UNPUBLISH_DESIGN)


def _decoded(file: str) -> str:
    try:
        content = base64.b64decode(file, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(
            "The file is not in base64.",
            code="file_encoding",
            remedy="Encode it, e.g. with `base64 < FILE | tr -d '\\n'`.",
        ) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid(
            "The file is no text in UTF-8.",
            code="file_encoding",
            cause="Archives (Helm charts, OCI images) cannot be imported yet.",
            remedy="Send a YAML or JSON file in UTF-8.",
        ) from None
