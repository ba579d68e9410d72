"""Evaluating the relationships of a design, whole or only what a change touches."""

from __future__ import annotations

from aiohttp import web

from meshery_contracts import evaluation as contract
from meshery_gateway.http.calls import Call
from meshery_gateway.http.routes import Route, both_prefixes
from meshery_gateway.http.shapes import Content

_TAG = "Registry"
#: 5,000 components and 20,000 relationships; the body is handed on unread.
_MAX_BODY_BYTES = 32 * 1024 * 1024


async def evaluate(call: Call) -> web.StreamResponse:
    """What of a design belongs together; answers with actions and with a trace."""
    return await call.pass_on(contract.EVALUATE, await call.body_bytes(_MAX_BODY_BYTES) or b"{}")


async def evaluate_change(call: Call) -> web.StreamResponse:
    """What a change of an evaluated design leads to; `base` is the `evaluationHash` of the answer before."""
    return await call.pass_on(contract.EVALUATE_CHANGE, await call.body_bytes(_MAX_BODY_BYTES) or b"{}")


ROUTES = (
    *(
        Route(
            "POST",
            path,
            evaluate,
            contract.EVALUATE,
            "Evaluate a design",
            _TAG,
            max_body_bytes=_MAX_BODY_BYTES,
            body=Content(contract.EvaluateDesign),
        )
        for path in both_prefixes("/relationships/evaluate")
    ),
    Route(
        "POST",
        "/api/registry/relationships/evaluate/change",
        evaluate_change,
        contract.EVALUATE_CHANGE,
        "Evaluate a change",
        _TAG,
        max_body_bytes=_MAX_BODY_BYTES,
        body=Content(contract.EvaluateChange),
    ),
)
