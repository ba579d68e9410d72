"""Imports: what they were told, what they fetched, and what became of each entity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from pydantic import BaseModel, Field

from meshery_common.database import Queries, Row, Transaction
from meshery_common.operations import Operation
from meshery_common.operations.records import COLUMNS, operation_of
from meshery_common.paging import OrderBy, SelectBuilder, Sort
from meshery_contracts.errors import NotFound
from meshery_contracts.imports import (
    Import,
    ImportDefinitions,
    ImportEntry,
    ImportEntryPage,
    ImportPage,
    ImportStage,
    ImportStatus,
    ListImportEntries,
    ListImports,
    Outcome,
    OutcomeCounts,
    SourceKind,
)

#: The kind of the durable operation that an import is.
IMPORT_KIND = "import_definitions"
_ORDER = OrderBy({"created_at": Sort("created_at")}, default="created_at desc", id_sql="operation_id")
#: Fields of an entry that most entities have not all of.
_TOLD_ABOUT = ("display_name", "category", "api_version", "from_kinds", "to_kinds")
_ENTRY_ORDER = OrderBy({"position": Sort("position", int)}, default="position asc", id_sql="id")
_PLURALS = {
    "model": "models",
    "component": "components",
    "relationship": "relationships",
    "policy": "policies",
    "connection": "connections",
}


class ImportInput(BaseModel):
    """What everybody may read of an import's order: the input of its operation."""

    source_kind: SourceKind
    source: str
    dry_run: bool


class ImportProgress(BaseModel):
    """How far an import is: the checkpoint of its operation."""

    stage: ImportStage = ImportStage.FETCH
    #: Of the files that were fetched: a `Form`, an `Origin` and details, as plain values.
    form: str = ""
    origin: dict[str, str] = Field(default_factory=dict)
    detail: dict[str, str] = Field(default_factory=dict)
    done: int = 0
    total: int = 0
    entries: int = 0
    #: By type of entity, then by outcome.
    counts: dict[str, dict[Outcome, int]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    def counted(self, entries: Sequence[ImportEntry]) -> dict[str, dict[Outcome, int]]:
        """The counts with these entries."""
        counts = {kind: dict(by_outcome) for kind, by_outcome in self.counts.items()}
        for one in entries:
            of_type = counts.setdefault(one.entity_type, {})
            of_type[one.outcome] = of_type.get(one.outcome, 0) + 1
        return counts

    def total_of(self, outcome: Outcome) -> int:
        """Entities of all types with this outcome."""
        return sum(by_outcome.get(outcome, 0) for by_outcome in self.counts.values())


class ImportStore:
    """Statements over imports."""

    async def get(
        self, queries: Queries, organization_id: UUID, import_id: UUID, *, lock: bool = False
    ) -> Operation:
        """An import of the organisation; with `lock` nobody else ends it in this transaction. Raises NotFound."""
        locking: LiteralString = "for no key update" if lock else ""
        row = await queries.fetchrow(
            f"""
            select {COLUMNS} from operations
            where operation_id = $1 and kind = $2 and organization_id = $3
            {locking}
            """,  # noqa: S608 -- texts of our own
            import_id,
            IMPORT_KIND,
            organization_id,
        )
        if row is None:
            raise NotFound(
                f"There is no import {import_id}.",
                code="import_unknown",
                cause="It ended long ago, or it belongs to another organisation.",
                remedy="List the imports to see which there are.",
            )
        return operation_of(row)

    async def page(self, queries: Queries, organization_id: UUID, request: ListImports) -> ImportPage:
        """A page of the organisation's imports, newest first."""
        select = SelectBuilder("imports", COLUMNS, "operations").where("kind = {}", IMPORT_KIND)
        page = await select.where("organization_id = {}", organization_id).page(queries, _ORDER, request)
        return ImportPage(**page.envelope, imports=[import_of(operation_of(row)) for row in page.rows])

    async def unfinished(self, tx: Transaction, organization_id: UUID) -> int:
        """How many imports of the organisation have not ended."""
        count: int = await tx.fetchval(
            "select count(*) from operations where organization_id = $1 and kind = $2 and finished_at is null",
            organization_id,
            IMPORT_KIND,
        )
        return count

    async def put_order(
        self,
        tx: Transaction,
        organization_id: UUID,
        import_id: UUID,
        request: ImportDefinitions,
        sealed_authorization: bytes | None,
    ) -> None:
        """Keep what was asked for, without what was uploaded and with credentials as they are sealed."""
        told = request.model_copy(update={"file": None, "sheets": None, "credentials": None})
        await tx.execute(
            """
            insert into import_orders (import_id, organization_id, request, sealed_authorization)
            values ($1, $2, $3, $4)
            """,
            import_id,
            organization_id,
            told.model_dump_json().encode(),
            sealed_authorization,
        )

    async def order(self, queries: Queries, import_id: UUID) -> ImportDefinitions:
        """What was asked for."""
        request = await queries.fetchval("select request from import_orders where import_id = $1", import_id)
        return ImportDefinitions.model_validate_json(request)

    async def sealed_authorization(self, queries: Queries, import_id: UUID) -> bytes | None:
        """The credentials of the source as they were sealed; None without any, or once they were used."""
        sealed: bytes | None = await queries.fetchval(
            "select sealed_authorization from import_orders where import_id = $1", import_id
        )
        return sealed

    async def forget_authorization(self, tx: Transaction, import_id: UUID) -> None:
        """The source is fetched: its credentials are not needed any more."""
        await tx.execute(
            "update import_orders set sealed_authorization = null where import_id = $1", import_id
        )

    async def put_files(
        self, tx: Transaction, organization_id: UUID, import_id: UUID, files: Sequence[tuple[str, bytes]]
    ) -> None:
        """Keep what was uploaded or fetched."""
        await tx.executemany(
            """
            insert into import_files (import_id, position, organization_id, name, body)
            values ($1, $2, $3, $4, $5)
            """,
            [(import_id, at, organization_id, name, body) for at, (name, body) in enumerate(files)],
        )

    async def files(self, queries: Queries, import_id: UUID) -> list[tuple[str, bytes]]:
        """What was uploaded or fetched, in order."""
        rows = await queries.fetch(
            "select name, body from import_files where import_id = $1 order by position", import_id
        )
        return [(row["name"], row["body"]) for row in rows]

    async def add_entries(
        self, tx: Transaction, organization_id: UUID, import_id: UUID, entries: Sequence[ImportEntry]
    ) -> None:
        """What became of these entities; their positions are new."""
        columns: list[list[Any]] = [
            [one.position for one in entries],
            [one.entity_type for one in entries],
            [one.name for one in entries],
            [one.model for one in entries],
            [one.model_version for one in entries],
            [one.outcome for one in entries],
            [one.reason for one in entries],
            [one.where for one in entries],
            [one.remedy for one in entries],
            [_about(one) for one in entries],
        ]
        await tx.execute(
            """
            insert into import_entries (import_id, organization_id, position, entity_type, name, model,
                model_version, outcome, reason, place, remedy, about)
            select $1, $2, * from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::jsonb[])
            """,
            import_id,
            organization_id,
            *columns,
        )

    async def entries(self, queries: Queries, request: ListImportEntries) -> ImportEntryPage:
        """A page of a report."""
        select = SelectBuilder(
            "import_entries",
            "position, entity_type, name, model, model_version, outcome, reason, place, remedy, about",
            "import_entries",
        ).where("import_id = {}", request.import_id)
        if request.outcome is not None:
            select.where("outcome = {}", request.outcome)
        if request.entity_type:
            select.where("entity_type = {}", request.entity_type)
        page = await select.page(queries, _ENTRY_ORDER, request)
        return ImportEntryPage(**page.envelope, entries=[_entry(row) for row in page.rows])

    async def forget(self, tx: Transaction, import_id: UUID) -> None:
        """The import is over: what was asked for and fetched is not needed any more."""
        await tx.execute("delete from import_orders where import_id = $1", import_id)
        await tx.execute("delete from import_files where import_id = $1", import_id)


def progress_of(operation: Operation) -> ImportProgress:
    """How far an import is."""
    return ImportProgress.model_validate(operation.state or {})


def import_of(operation: Operation) -> Import:
    """An import as clients see it."""
    told = ImportInput.model_validate(operation.input)
    progress = progress_of(operation)
    status = ImportStatus(operation.status.for_people)
    counts = {
        _PLURALS[kind]: OutcomeCounts(**{str(outcome): count for outcome, count in by_outcome.items()})
        for kind, by_outcome in progress.counts.items()
        if kind in _PLURALS
    }
    return Import(
        id=operation.operation_id,
        source_kind=told.source_kind,
        source=told.source,
        dry_run=told.dry_run,
        status=status,
        stage=ImportStage.DONE if status is ImportStatus.SUCCEEDED else progress.stage,
        models_done=progress.done,
        models_total=progress.total,
        **counts,
        files_refused=progress.counts.get("file", {}).get(Outcome.REFUSED, 0),
        notes=progress.notes,
        problem=operation.problem,
        user_id=operation.user_id,
        created_at=operation.created_at,
        updated_at=operation.updated_at,
        finished_at=operation.finished_at,
    )


def _entry(row: Row) -> ImportEntry:
    return ImportEntry(
        position=row["position"],
        entity_type=row["entity_type"],
        name=row["name"],
        model=row["model"],
        model_version=row["model_version"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        where=row["place"],
        remedy=row["remedy"],
        **row["about"],
    )


def _about(entry: ImportEntry) -> dict[str, Any]:
    """What is told of an entity beside its name, without what there is nothing of."""
    told = {name: getattr(entry, name) for name in _TOLD_ABOUT}
    return {name: one for name, one in told.items() if one}
