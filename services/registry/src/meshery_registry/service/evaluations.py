"""Evaluating designs: who may, with which definitions; the work itself is done in the process beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from meshery_common.clock import Clock, utc_now
from meshery_common.context import answer_bytes
from meshery_common.database import Database
from meshery_common.encoding import Encoded
from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unavailable
from meshery_contracts.evaluation import EvaluateChange, EvaluateDesign, EvaluationResponse
from meshery_registry.domain import documents
from meshery_registry.domain.definitions import Component, Model, Relationship
from meshery_registry.domain.evaluation import beside
from meshery_registry.domain.evaluation.beside import Job
from meshery_registry.domain.evaluation.compiling import kinds_to_add
from meshery_registry.store import EvaluationStore

#: The part of what the caller takes that an answer fills.
_FILLED = 0.97
#: How often the process may forget the definitions while one request is at it.
_ATTEMPTS = 3
#: What a component that is added to a design has of its definition; its schema stays with the registry.
_COMPONENT_FIELDS = (
    "schemaVersion",
    "version",
    "displayName",
    "description",
    "format",
    "modelReference",
    "styles",
    "status",
    "metadata",
    "configuration",
    "component",
)


@dataclass(frozen=True)
class EvaluationLimits:
    """What the process beside keeps, in bytes of JSON."""

    max_sessions: int
    max_session_bytes: int


class EvaluationsService:
    """Use cases over evaluations."""

    def __init__(
        self, db: Database, worker: WorkerProcess, limits: EvaluationLimits, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = EvaluationStore()
        self._worker = worker
        self._limits = limits
        self._clock = clock

    async def evaluate(self, request: Encoded[EvaluateDesign], caller: Caller) -> Encoded[EvaluationResponse]:
        """Evaluate a whole design."""
        return await self._answer(request.payload, caller, is_change=False)

    async def evaluate_change(
        self, request: Encoded[EvaluateChange], caller: Caller
    ) -> Encoded[EvaluationResponse]:
        """Evaluate a change of a design that was evaluated lately. Raises Conflict when it is not known any more."""
        return await self._answer(request.payload, caller, is_change=True)

    async def _answer(
        self, request: bytes, caller: Caller, *, is_change: bool
    ) -> Encoded[EvaluationResponse]:
        organization_id = caller.organization_id
        for _ in range(_ATTEMPTS):
            generation = await self._store.generation(self._db.within(organization_id), organization_id)
            job = Job(
                catalogue=(str(organization_id), generation),
                owner=f"{organization_id} {caller.user_id}",
                request=request,
                is_change=is_change,
                timestamp=self._clock().isoformat().replace("+00:00", "Z"),
                max_answer_bytes=int(answer_bytes() * _FILLED),
                max_sessions=self._limits.max_sessions,
                max_session_bytes=self._limits.max_session_bytes,
            )
            answer = await self._worker.run(beside.evaluate, job)
            if answer is not None:
                return Encoded(answer)
            await self._worker.run(beside.learn, job.catalogue, await self._definitions(organization_id))
        raise Unavailable(
            "The registry changes faster than the design can be evaluated.",
            code="evaluation_overtaken",
            remedy="Try again in a moment.",
        )

    async def _definitions(self, organization_id: UUID) -> bytes:
        """What the process beside must know of an organisation, as JSON."""
        queries = self._db.within(organization_id)
        relationships = [
            _relationship(*one) for one in await self._store.relationships(queries, organization_id)
        ]
        kinds = kinds_to_add(relationships)
        components = await self._store.components(queries, organization_id, kinds)
        return orjson.dumps(
            {"definitions": relationships, "components": [_component(*one) for one in components]}
        )


def _relationship(relationship: Relationship, model: Model | None) -> dict[str, Any]:
    document = documents.relationship_document(relationship, model)
    return {**document, "model": None if model is None else _reference(model)}


def _component(component: Component, model: Model | None) -> dict[str, Any]:
    document = documents.component_document(component, model)
    document["modelReference"] = None if model is None else _reference(model)
    return {key: document[key] for key in _COMPONENT_FIELDS}


def _reference(model: Model) -> dict[str, Any]:
    """The short form of a model, in the spelling of designs."""
    return {key: value for key, value in documents.model_reference(model).items() if "_" not in key}
