"""Reading, saving, importing and checking designs."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from uuid import UUID, uuid4

import orjson

from meshery_common import outbox
from meshery_common.access import forget_object
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.processes import WorkerProcess
from meshery_contracts import designs as contract
from meshery_contracts.caller import Caller
from meshery_contracts.designs import (
    CreateDesign,
    Design,
    DesignDeleted,
    DesignId,
    DesignPage,
    DesignSaved,
    DesignType,
    DesignVersionPage,
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
from meshery_contracts.errors import Invalid
from meshery_contracts.messages import Nothing, Severity
from meshery_designs.clients import RegistryClient
from meshery_designs.domain import design_files, manifests, validation
from meshery_designs.domain.design_files import StoredFile
from meshery_designs.domain.documents import read_documents
from meshery_designs.store import DesignStore

#: Texts longer than this are read in the worker process, so that no request waits for them.
_HEAVY_CHARACTERS = 64 * 1024
_TYPES = [
    SupportedType(
        design_type=DesignType.KUBERNETES_MANIFEST, supported_extensions=[".yaml", ".yml", ".json"]
    ),
    SupportedType(design_type=DesignType.DESIGN, supported_extensions=[".yaml", ".yml", ".json"]),
]


class DesignsService:
    """Use cases over designs."""

    def __init__(
        self, db: Database, registry: RegistryClient, worker: WorkerProcess, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = DesignStore()
        self._registry = registry
        self._worker = worker
        self._clock = clock

    async def get(self, request: GetDesign, caller: Caller) -> Design:
        """A design in its newest or in a named version."""
        queries = self._db.within(caller.organization_id)
        if request.version is None:
            return await self._store.get(queries, request.design_id, caller)
        return await self._store.get_version(queries, request.design_id, request.version, caller)

    async def page(self, request: ListDesigns, caller: Caller) -> DesignPage:
        """A page of the designs that the caller may read."""
        return await self._store.page(self._db.within(caller.organization_id), request, caller)

    async def create(self, request: CreateDesign, caller: Caller) -> Design:
        """Save a new design from a design file, or an empty one."""
        design_id = uuid4()
        document = await self._document(request.file) if request.file else {}
        file = design_files.checked(document, design_id=design_id, name=request.name, version=1, new_id=uuid4)
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
        """Save the next version: from a whole file, from changed components, or only under another name."""
        async with self._db.command(caller.organization_id) as tx:
            current = await self._store.get(tx, request.design_id, caller)
            await self._store.require_edit(tx, current.id, caller)
            document = orjson.loads(current.pattern_file)
            if request.file is not None:
                document = await self._document(request.file)
            elif request.changes is not None:
                document = design_files.changed(document, request.changes.changed, request.changes.removed)
            name = request.name or (str(document.get("name") or "") if request.file else "") or current.name
            file = design_files.checked(
                document, design_id=current.id, name=name, version=current.version + 1, new_id=uuid4
            )
            design = await self._store.update(
                tx,
                current.id,
                current.version if request.base_version is None else request.base_version,
                file,
                caller,
                visibility=request.visibility,
            )
            await self._announce_saved(tx, design, caller, "update")
            return await tx.answer(design)

    async def delete(self, request: DesignId, caller: Caller) -> Design:
        """Delete a design. What it deployed stays in the clusters: undeploy it before."""
        async with self._db.command(caller.organization_id) as tx:
            design = await self._store.get(tx, request.design_id, caller)
            await self._store.require_edit(tx, design.id, caller)
            await self._store.delete(tx, design.id)
            await forget_object(tx, design.id)
            fact = DesignDeleted(
                organization_id=design.organization_id,
                user_id=caller.user_id,
                actor=caller.actor,
                occurred_at=self._clock(),
                category="design",
                action="delete",
                description=f"Design '{design.name}' was deleted.",
                acted_upon=design.id,
                design_id=design.id,
                name=design.name,
            )
            await outbox.add(tx, contract.DELETED, fact, subject_id=design.id)
            return await tx.answer(design)

    async def versions(self, request: ListVersions, caller: Caller) -> DesignVersionPage:
        """The saved versions of a design, newest first."""
        queries = self._db.within(caller.organization_id)
        await self._store.get(queries, request.design_id, caller)
        offset = request.page * request.page_size
        versions, total = await self._store.versions(
            queries, request.design_id, limit=request.page_size, offset=offset
        )
        return DesignVersionPage(
            page=request.page, page_size=request.page_size, total_count=total, versions=versions
        )

    async def types(self, _request: Nothing, _caller: Caller) -> SupportedTypes:
        """The document kinds that can be imported."""
        return SupportedTypes(types=_TYPES)

    async def import_document(self, request: ImportDesign, caller: Caller) -> ImportedDesign:
        """Find out what a document is, turn it into a design and save that."""
        content = _decoded(request.file)
        documents = await self._documents(content)
        design_id = uuid4()
        name = request.name or request.file_name.rsplit(".", 1)[0]
        notes: list[contract.ImportNote] = []
        if len(documents) == 1 and design_files.is_design_file(documents[0]):
            kind, document = DesignType.DESIGN, documents[0]
        else:
            kind = DesignType.KUBERNETES_MANIFEST
            found = manifests.manifests_of(documents)
            known = await self._registry.resolve(one.kind for one in found)
            components, notes = manifests.components_of(found, known, uuid4)
            document = design_files.new_file(name, components, design_id)
        file = design_files.checked(document, design_id=design_id, name=name, version=1, new_id=uuid4)
        if not request.save:
            return ImportedDesign(design=self._unsaved(design_id, file, kind, caller), notes=notes)
        async with self._db.command(caller.organization_id) as tx:
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
        """Check every component against the schema of its kind."""
        document = await self.document(request.design_id, request.file, None, caller)
        components = [one for one in document.get("components") or [] if manifests.is_deployable(one)]
        kinds = await self._registry.resolve(validation.kind_of(one) for one in components)
        schemas = await self._registry.schemas(one.schema_hash for one in kinds.values())
        reports = await self._worker.run(validation.reports_on, components, kinds, schemas)
        return ValidationReport(
            valid=not any(one.problems for one in reports), checked=len(components), components=reports
        )

    async def document(
        self, design_id: UUID | None, file: str | None, version: int | None, caller: Caller
    ) -> dict[str, Any]:
        """The design file that a request names: a text of its own, or a stored design."""
        if file is not None:
            document = await self._document(file)
            checked = design_files.checked(
                document, design_id=design_id or uuid4(), name="", version=version or 1, new_id=uuid4
            )
            return _loaded(checked)
        if design_id is None:
            raise Invalid(
                "The request names no design.", code="design_missing", remedy="Send `designId` or `file`."
            )
        design = await self.get(GetDesign(design_id=design_id, version=version), caller)
        loaded: dict[str, Any] = orjson.loads(design.pattern_file)
        return loaded

    async def _documents(self, text: str) -> list[Any]:
        if len(text) > _HEAVY_CHARACTERS:
            return await self._worker.run(read_documents, text)
        return read_documents(text)

    async def _document(self, text: str) -> Any:
        documents = await self._documents(text)
        if len(documents) != 1:
            raise Invalid(
                f"A design file is one document; this has {len(documents)}.",
                code="design_documents",
                remedy="Import the file instead if it holds Kubernetes manifests.",
            )
        return documents[0]

    async def _announce_saved(self, tx: Transaction, design: Design, caller: Caller, action: str) -> None:
        done = {"create": "created", "update": "saved", "import": "imported"}[action]
        fact = DesignSaved(
            organization_id=design.organization_id,
            user_id=caller.user_id,
            actor=caller.actor,
            occurred_at=self._clock(),
            severity=Severity.SUCCESS,
            category="design",
            action=action,
            description=f"Design '{design.name}' was {done} in version {design.version}.",
            acted_upon=design.id,
            design_id=design.id,
            name=design.name,
            version=design.version,
        )
        await outbox.add(tx, contract.SAVED, fact, subject_id=design.id)


def _decoded(file: str) -> str:
    try:
        return base64.b64decode(file, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Invalid(
            "The file is no text in base64.",
            code="file_encoding",
            cause="Archives (Helm charts, OCI images) cannot be imported yet.",
            remedy="Send a YAML or JSON file, base64 encoded, in UTF-8.",
        ) from None


def _loaded(file: StoredFile) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(file.text)
    return loaded
