"""What runs in the process beside the service: evaluations, and what they keep between two requests.

The process holds the compiled definitions of organisations and the sessions of designs that were evaluated lately.
It may end at any time: then it asks for the definitions again, and a change is refused so that the client sends its
whole design. Requests and answers come and go as JSON, so that the service never reads them.
"""

from __future__ import annotations

import gc
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from meshery_contracts.errors import Conflict, Invalid, TooLarge, not_valid
from meshery_contracts.evaluation import (
    EVALUATE,
    EVALUATE_CHANGE,
    RESPONSE_VERSION,
    STATE_UNKNOWN,
    EvaluateChange,
    EvaluateDesign,
    EvaluationOptions,
)
from meshery_contracts.messages import Message
from meshery_registry.domain.evaluation.actions import Action
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.definitions import value_of
from meshery_registry.domain.evaluation.session import Change, Outcome, Session

#: Compiled definitions that are kept: those of the organisations that evaluated last.
MAX_CATALOGUES: Final = 32

#: An organisation and the generation of its registry.
CatalogueKey = tuple[str, int]
MessageT = TypeVar("MessageT", bound=Message)


@dataclass(frozen=True)
class Job:
    """What is to be evaluated, and for whom."""

    catalogue: CatalogueKey
    #: Whose sessions are used: nobody else's.
    owner: str
    #: `EvaluateDesign` or `EvaluateChange` as it came.
    request: bytes
    is_change: bool
    timestamp: str
    max_answer_bytes: int
    max_sessions: int
    max_session_bytes: int


@dataclass(frozen=True)
class _Asked:
    """A request that was read."""

    #: A design, or a change.
    document: dict[str, Any]
    #: The same in the order and spelling that names the state.
    body: bytes
    #: The hash of the state that a change belongs to; empty for a whole design.
    base: str
    options: EvaluationOptions


@dataclass
class _Kept:
    """A session, the definitions that it began with, and the bytes of its design when it came."""

    session: Session
    catalogue: CatalogueKey
    size: int


_catalogues: OrderedDict[CatalogueKey, Catalogue] = OrderedDict()
_sessions: OrderedDict[tuple[str, str], _Kept] = OrderedDict()


def learn(key: CatalogueKey, body: bytes) -> tuple[str, ...]:
    """Take in an organisation's definitions and the components that may have to be added; what was refused."""
    told = orjson.loads(body)
    components: dict[str, list[Mapping[str, Any]]] = {}
    for one in told["components"]:
        components.setdefault(one["component"]["kind"], []).append(one)

    def lookup(kind: str, model: str) -> Mapping[str, Any] | None:
        for one in components.get(kind, ()):
            if not model or value_of(one.get("modelReference"), "name") == model:
                return one
        return None

    catalogue = _catalogues[key] = Catalogue(told["definitions"], lookup)
    # Older generations of the same organisation serve nobody any more.
    for other in [one for one in _catalogues if one[0] == key[0] and one != key]:
        del _catalogues[other]
    while len(_catalogues) > MAX_CATALOGUES:
        _catalogues.popitem(last=False)
    return catalogue.refused


def evaluate(job: Job) -> bytes | None:
    """The answer as JSON; none when the definitions must be told first. Raises Invalid, TooLarge, Conflict."""
    catalogue = _catalogues.get(job.catalogue)
    if catalogue is None:
        return None
    _catalogues.move_to_end(job.catalogue)
    with _no_collections():
        asked = _change(job) if job.is_change else _design(job)
        if asked.base:
            kept, outcome = _changed(job, asked)
            whole = False
        else:
            kept = _Kept(Session(catalogue, asked.document), job.catalogue, len(asked.body))
            outcome, whole = kept.session.first, not asked.options.return_diff_only
        state = _hash(job, asked)
        design = kept.session.design() if whole else outcome.difference
        answer = _answer(job, state, design, outcome, with_trace=asked.options.enable_trace)
        _keep(job, state, kept)
        return answer


def _design(job: Job) -> _Asked:
    request = _read(EvaluateDesign, job.request, EVALUATE.verb)
    return _Asked(request.design, orjson.dumps(request.design), "", request.options)


def _change(job: Job) -> _Asked:
    request = _read(EvaluateChange, job.request, EVALUATE_CHANGE.verb)
    change = {
        "components": request.components,
        "removedComponents": request.removed_components,
        "relationships": request.relationships,
        "removedRelationships": request.removed_relationships,
        "preferences": request.preferences,
    }
    return _Asked(change, orjson.dumps(change), request.base, request.options)


def _read(kind: type[MessageT], request: bytes, name: str) -> MessageT:
    """The request. Raises Invalid with its places."""
    try:
        # Several times faster than to have pydantic read the JSON: documents are taken as they are.
        return kind.model_validate(orjson.loads(request or b"{}"))
    except orjson.JSONDecodeError as error:
        raise Invalid(
            f"The request of {name} is no JSON.",
            code="request_invalid",
            detail=str(error)[:200],
            remedy="Send a JSON object.",
        ) from None
    except ValidationError as error:
        raise not_valid(error, name) from None


def _changed(job: Job, asked: _Asked) -> tuple[_Kept, Outcome]:
    # What fails in the middle must not be taken for a state: the session is put back when all is done.
    kept = _sessions.pop((job.owner, asked.base), None)
    if kept is None or kept.catalogue != job.catalogue:
        raise Conflict(
            "The design's last evaluation is not known any more.",
            code=STATE_UNKNOWN,
            cause="It was a while ago, the registry has changed since, or another change came first.",
            remedy="Evaluate the whole design; its answer is the base of the next change.",
        )
    told = asked.document
    change = Change(
        components=tuple(told["components"]),
        removed_components=tuple(told["removedComponents"]),
        relationships=tuple(told["relationships"]),
        removed_relationships=tuple(told["removedRelationships"]),
        preferences=told["preferences"],
    )
    try:
        outcome = kept.session.change(change)
    except (Invalid, TooLarge):
        _sessions[job.owner, asked.base] = kept
        raise
    kept.size += len(asked.body)
    return kept, outcome


def _answer(job: Job, state: str, design: Mapping[str, Any], outcome: Outcome, *, with_trace: bool) -> bytes:
    trace = outcome.trace
    if not with_trace:
        trace = {"policyActions": trace["policyActions"], "warnings": trace["warnings"]}
    document = {
        "schemaVersion": RESPONSE_VERSION,
        "schema_version": RESPONSE_VERSION,
        "design": design,
        "actions": outcome.actions,
        "trace": trace,
        "evaluationHash": state,
        "evaluation_hash": state,
        "timestamp": job.timestamp,
    }
    answer = orjson.dumps(document)
    if len(answer) > job.max_answer_bytes:
        told = "The answer would be too large: `trace` has no entities, and items of actions are in `design` only."
        document["trace"] = {
            "policyActions": trace["policyActions"],
            "warnings": [*trace["warnings"], told],
        }
        document["actions"] = [_short(one) for one in outcome.actions]
        answer = orjson.dumps(document)
    if len(answer) > job.max_answer_bytes:
        raise TooLarge(
            f"The answer has {len(answer):,} bytes, {job.max_answer_bytes:,} are allowed.",
            code="evaluation_too_large",
            remedy="Ask with `returnDiffOnly`, or split the design into several.",
        )
    return answer


def _short(action: Action) -> Action:
    """An action whose entity is named only."""
    item = action["value"].get("item")
    return action if item is None else {**action, "value": {"item": {"id": item["id"]}}}


def _keep(job: Job, state: str, kept: _Kept) -> None:
    _sessions[job.owner, state] = kept
    _sessions.move_to_end((job.owner, state))
    total = sum(one.size for one in _sessions.values())
    while _sessions and (len(_sessions) > job.max_sessions or total > job.max_session_bytes):
        total -= _sessions.popitem(last=False)[1].size


def _hash(job: Job, asked: _Asked) -> str:
    """The name of a state: evaluation is deterministic, so what went in names what came out."""
    digest = hashlib.blake2b(orjson.dumps([*job.catalogue, asked.base]), digest_size=16)
    digest.update(asked.body)
    return digest.hexdigest()


@contextmanager
def _no_collections() -> Iterator[None]:
    """Python looks for cycles again and again while a large design is built up: there are none in it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
