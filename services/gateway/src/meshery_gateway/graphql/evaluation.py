"""Evaluating the relationships of designs."""

from __future__ import annotations

from typing import Any

import orjson
from ariadne import QueryType

from meshery_contracts import evaluation as contract
from meshery_contracts.errors import Invalid
from meshery_contracts.evaluation import EvaluateChange, EvaluateDesign, EvaluationResponse
from meshery_gateway.graphql.context import Info
from meshery_gateway.http.reading import message_from

_query = QueryType()

BINDABLES = (_query,)


@_query.field("evaluateDesign")
async def evaluate(_: object, info: Info, input: dict[str, Any]) -> EvaluationResponse:
    """A saved design, or a file."""
    design = input.get("design")
    if design is None and input.get("design_id") is not None:
        design = orjson.loads((await info.context.designs.load(input["design_id"])).pattern_file)
    if design is None:
        raise Invalid(
            "The request names no design.", code="design_missing", remedy="Name `designId` or `design`."
        )
    values = {"design": design, "options": {"return_diff_only": input["return_diff_only"]}}
    return await info.context.ask(contract.EVALUATE, message_from(EvaluateDesign, values))


@_query.field("evaluateChange")
async def evaluate_change(_: object, info: Info, input: dict[str, Any]) -> EvaluationResponse:
    """A change of an evaluated design."""
    return await info.context.ask(contract.EVALUATE_CHANGE, message_from(EvaluateChange, input))
