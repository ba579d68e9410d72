"""What the registry announces of imports, in sentences for people."""

from __future__ import annotations

from datetime import datetime

from meshery_common.operations import Operation
from meshery_contracts.imports import ImportFact, ImportStage, ImportStatus, Outcome
from meshery_contracts.messages import Severity
from meshery_registry.store.imports import ImportInput, ImportProgress, import_of

_SEVERITY = {
    ImportStatus.PENDING: Severity.INFORMATIONAL,
    ImportStatus.RUNNING: Severity.INFORMATIONAL,
    ImportStatus.SUCCEEDED: Severity.SUCCESS,
    ImportStatus.FAILED: Severity.ERROR,
    ImportStatus.CANCELLED: Severity.WARNING,
}
_DOING = {
    ImportStage.FETCH: "is being fetched",
    ImportStage.READ: "is being read",
    ImportStage.REGISTER: "is being registered",
    ImportStage.DONE: "is done",
}


def import_fact(
    operation: Operation, progress: ImportProgress, now: datetime, *, actor: str = "registry"
) -> ImportFact:
    """Where an import stands."""
    told = ImportInput.model_validate(operation.input)
    status = import_of(operation).status
    totals = {outcome.value: progress.total_of(outcome) for outcome in Outcome}
    severity = _SEVERITY[status]
    if status is ImportStatus.SUCCEEDED and totals["refused"]:
        severity = Severity.WARNING
    return ImportFact(
        organization_id=operation.organization_id,
        user_id=operation.user_id,
        actor=actor,
        occurred_at=now,
        severity=severity,
        category="model",
        action="import",
        description=_sentence(told, operation, status, progress),
        acted_upon=operation.operation_id,
        operation_id=operation.operation_id,
        metadata={"source": told.source, "sourceKind": told.source_kind, "dryRun": told.dry_run},
        import_id=operation.operation_id,
        status=status,
        stage=progress.stage,
        models_done=progress.done,
        models_total=progress.total,
        **totals,
    )


def _sentence(told: ImportInput, operation: Operation, status: ImportStatus, progress: ImportProgress) -> str:
    what = f"{'Trial import' if told.dry_run else 'Import'} of '{told.source}'"
    found = ", ".join(f"{progress.total_of(one)} {one}" for one in Outcome if progress.total_of(one))
    match status:
        case ImportStatus.PENDING:
            return f"{what} was started."
        case ImportStatus.RUNNING if progress.total:
            return f"{what}: {progress.done} of {progress.total} models are through."
        case ImportStatus.RUNNING:
            return f"{what} {_DOING[progress.stage]}."
        case ImportStatus.SUCCEEDED:
            return f"{what} is done: {found or 'it holds no definitions'}."
        case ImportStatus.FAILED:
            return f"{what} failed: {operation.problem.title if operation.problem else 'no reason is known'}"
        case ImportStatus.CANCELLED:
            return f"{what} was cancelled after {progress.done} of {progress.total} models."
