"""Errors as Meshery's clients read them: the MeshKit shape, with our own fields beside it."""

from __future__ import annotations

import math
from typing import Any

import orjson
from aiohttp import web

from meshery_contracts.errors import STATUS, Problem, Word

_SEVERITY = {Word.INTERNAL: "CRITICAL", Word.UNAVAILABLE: "CRITICAL"}
#: Codes whose HTTP status is more exact than that of their word.
_STATUS_OF_CODE = {"host_foreign": 421, "method_unknown": 405, "body_too_slow": 408}


def problem_response(problem: Problem) -> web.Response:
    """The answer that tells a client about a problem."""
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(math.ceil(problem.retry_after_seconds))
    return web.Response(
        status=_STATUS_OF_CODE.get(problem.code, STATUS[problem.word]),
        body=orjson.dumps(problem_body(problem)),
        content_type="application/json",
        headers=headers,
    )


def problem_body(problem: Problem) -> dict[str, Any]:
    """The MeshKit error of a problem."""
    fields = [field.model_dump() for field in problem.fields]
    long_description = [problem.detail] if problem.detail else []
    long_description += [f"{field.path}: {field.message}" for field in problem.fields]
    body: dict[str, Any] = {
        "error": problem.title,
        "code": problem.code,
        "word": problem.word.value,
        "severity": _SEVERITY.get(problem.word, "ERROR"),
        "longDescription": long_description,
        "probableCause": list(problem.probable_cause),
        "suggestedRemediation": list(problem.remediation),
        "fields": fields,
    }
    if problem.trace_id:
        body["traceId"] = problem.trace_id
    return body
