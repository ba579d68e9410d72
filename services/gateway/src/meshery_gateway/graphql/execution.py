"""Running operations: from what a client sent to `{data, errors}`, the same for every transport.

One of the places that catch everything: an unforeseen exception of a resolver is logged with an id and answered
with that id alone.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import ariadne
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType
from prometheus_client import Counter, Histogram

from meshery_common.callers import NOBODY
from meshery_common.context import RequestContext, current_request, serving
from meshery_common.telemetry import span, tracing
from meshery_contracts.errors import Internal, Invalid, Problem, ProblemError
from meshery_gateway.graphql.context import Context
from meshery_gateway.graphql.limits import Document, Documents

log = structlog.get_logger()

#: The longest that a query or mutation may take, in seconds.
OPERATION_SECONDS = 90.0

OPERATIONS = Counter(
    "meshery_graphql_operations_total", "GraphQL operations, by outcome.", ["type", "outcome"]
)
SECONDS = Histogram(
    "meshery_graphql_seconds",
    "Time from a GraphQL query or mutation to its answer.",
    ["type"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)


class _Quiet(logging.Logger):
    """Ariadne logs every mistake of a client with a traceback; what matters is logged here instead."""

    def isEnabledFor(self, level: int) -> bool:
        return False


_QUIET = _Quiet("meshery.graphql")


@dataclass(frozen=True)
class Sent:
    """What a client sends for one operation."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    operation_name: str | None = None

    @classmethod
    def read(cls, value: Any) -> Sent:
        """A checked form of `{query, variables, operationName}`. Raises Invalid."""
        if isinstance(value, list):
            raise _shape("Send one operation at a time: batches are not served.")
        if not isinstance(value, dict):
            raise _shape("An operation is an object with `query`, `variables` and `operationName`.")
        query, variables = value.get("query"), value.get("variables")
        name = value.get("operationName")
        if not isinstance(query, str) or not query.strip():
            raise _shape("`query` must be the text of a GraphQL document.")
        if variables is not None and not isinstance(variables, dict):
            raise _shape("`variables` must be an object.")
        if name is not None and not isinstance(name, str):
            raise _shape("`operationName` must be a text.")
        return cls(query, variables or {}, name or None)


def _shape(title: str) -> Invalid:
    return Invalid(title, code="graphql_request_invalid", remedy="Send it as the GraphQL documentation says.")


@dataclass(frozen=True)
class Prepared:
    """An operation that may run."""

    sent: Sent
    document: Document
    operation: OperationDefinitionNode

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.operation


class Failed(Exception):
    """An operation that does not run, with the errors that say why, ready to be sent."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"] if errors else "")
        self.errors = errors


class Executor:
    """Runs operations of one schema."""

    def __init__(self, schema: GraphQLSchema, *, max_depth: int, max_cost: int) -> None:
        self._schema = schema
        self.documents = Documents(schema, max_depth=max_depth, max_cost=max_cost)

    def prepare(self, sent: Sent) -> Prepared:
        """Parse, validate and weigh; nothing has run when this raises `Failed`."""
        try:
            document = self.documents.read(sent.query)
            if document.errors:
                OPERATIONS.labels("unknown", "refused").inc()
                raise Failed([_formatted(one, "graphql_validation") for one in document.errors])
            operation = document.operation(sent.operation_name)
            self.documents.check_cost(document, operation, sent.variables)
        except GraphQLError as error:
            OPERATIONS.labels("unknown", "refused").inc()
            raise Failed([_formatted(error, "graphql_syntax")]) from None
        return Prepared(sent, document, operation)

    async def run(self, prepared: Prepared, context: Context) -> dict[str, Any]:
        """The answer to a query or mutation."""
        started = time.perf_counter()
        type_name = prepared.type.value
        above = current_request()
        request_id = above.request_id if above is not None else secrets.token_hex(16)
        deadline = time.monotonic() + OPERATION_SECONDS
        with (
            serving(RequestContext(caller=NOBODY, request_id=request_id, deadline=deadline)),
            self._span(prepared),
        ):
            _, answer = await ariadne.graphql(
                self._schema,
                _data_of(prepared.sent),
                context_value=context,
                query_document=prepared.document.ast,
                query_validator=_validated,
                error_formatter=_format,
                logger=_QUIET,
            )
        SECONDS.labels(type_name).observe(time.perf_counter() - started)
        OPERATIONS.labels(type_name, "errors" if "errors" in answer else "ok").inc()
        found: dict[str, Any] = answer
        return found

    async def subscribe(self, prepared: Prepared, context: Context) -> AsyncGenerator[dict[str, Any], None]:
        """The deliveries of a subscription, each as `{data, errors}`. Raises Failed; close it when done."""
        with self._span(prepared):
            ok, found = await ariadne.subscribe(
                self._schema,
                _data_of(prepared.sent),
                context_value=context,
                query_document=prepared.document.ast,
                query_validator=_validated,
                error_formatter=_format,
                logger=_QUIET,
            )
        if not ok or isinstance(found, list):
            OPERATIONS.labels("subscription", "refused").inc()
            raise Failed(found if isinstance(found, list) else [])
        OPERATIONS.labels("subscription", "ok").inc()
        try:
            async for result in found:
                yield _answer_of(result)
        except ProblemError as error:
            raise Failed([error_of(error.problem)]) from None
        except Exception as error:
            raise Failed([error_of(_unforeseen(error))]) from error
        finally:
            await found.aclose()

    def _span(self, prepared: Prepared) -> Any:
        if not tracing():
            return nullcontext()
        name = prepared.operation.name.value if prepared.operation.name else ""
        return span(
            "gateway",
            f"graphql {prepared.type.value} {name}".rstrip(),
            attributes={"graphql.operation.type": prepared.type.value, "graphql.operation.name": name},
        )


def _data_of(sent: Sent) -> dict[str, Any]:
    return {"query": sent.query, "variables": sent.variables, "operationName": sent.operation_name}


def _validated(*_: Any, **__: Any) -> list[GraphQLError]:
    """The document was validated when it was first seen."""
    return []


def _answer_of(result: ExecutionResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_format(one) for one in result.errors]
    return answer


def _format(error: GraphQLError, _debug: bool = False) -> dict[str, Any]:
    return _formatted(error, "graphql_invalid")


def _formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    """A GraphQL error with what our Problem knows beside it."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    formatted: dict[str, Any] = dict(error.formatted)
    if original is None or isinstance(original, GraphQLError):
        extensions = {"code": code, "word": "invalid", **(error.extensions or {})}
        return {**formatted, "extensions": extensions}
    problem = original.problem if isinstance(original, ProblemError) else _unforeseen(original)
    return {**formatted, **error_of(problem)}


def _unforeseen(error: Exception) -> Problem:
    above = current_request()
    request_id = above.request_id if above is not None else secrets.token_hex(16)
    log.error("unforeseen error in a resolver", request_id=request_id, exc_info=error)
    return unforeseen(request_id)


def unforeseen(request_id: str) -> Problem:
    """What is told of an error that nobody foresaw: where to find it, and nothing else."""
    return Internal(
        "Something went wrong on our side.",
        remedy=f"Report this id to whoever runs the system: {request_id}",
        trace_id=request_id,
    ).problem


def error_of(problem: Problem) -> dict[str, Any]:
    """A problem as a GraphQL error."""
    extensions: dict[str, Any] = {
        "code": problem.code,
        "word": problem.word.value,
        "detail": problem.detail,
        "fields": [one.model_dump() for one in problem.fields],
        "probableCause": list(problem.probable_cause),
        "suggestedRemediation": list(problem.remediation),
    }
    if problem.trace_id:
        extensions["traceId"] = problem.trace_id
    if problem.retry_after_seconds is not None:
        extensions["retryAfterSeconds"] = problem.retry_after_seconds
    return {"message": problem.title, "extensions": extensions}
