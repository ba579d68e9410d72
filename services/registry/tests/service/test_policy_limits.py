"""Policies that take too much: each costs its own limit, and the next one is judged all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import TooLarge, Unavailable
from meshery_contracts.policies import Enforcement, Outcome
from meshery_registry.domain.policies.verdicts import Named
from meshery_registry.service.policies import Evaluator
from meshery_testkit.builders import a_component, a_design_file

NAMED = Named(UUID(int=1), 1, Enforcement.ENFORCE)
DESIGN = a_design_file(a_component())
#: The evaluator itself reserves half of it.
MEMORY_BYTES = 512 * 1024 * 1024


def policy(expression: str, **fields: Any) -> dict[str, Any]:
    return {"name": "some", "rules": [{"name": "r", "action": "deny", "expression": expression}], **fields}


#: A text that doubles twenty times.
GREEDY = policy(
    "variables.v19 == ''",
    variables=[
        {"name": "v0", "expression": f"'{'a' * 3900}'"},
        *(
            {"name": f"v{place}", "expression": f"variables.v{place - 1} + variables.v{place - 1}"}
            for place in range(1, 20)
        ),
    ],
    tests=[{"name": "any", "object": {"apiVersion": "v1", "kind": "A"}, "expect": "pass"}],
)


@pytest.fixture
async def evaluator() -> AsyncIterator[Evaluator]:
    async with WorkerProcess.open(memory_bytes=MEMORY_BYTES) as worker:
        yield Evaluator(worker, None, seconds=10)


async def test_a_policy_that_builds_up_memory_costs_its_limit_and_no_more(evaluator: Evaluator) -> None:
    (refused,) = (await evaluator.judged(GREEDY, "", NAMED, DESIGN)).findings
    assert (refused.outcome, refused.failed) == (Outcome.DENY, True)
    assert "memory" in refused.message
    with pytest.raises((TooLarge, Unavailable), match=r"memory|died"):
        await evaluator.tried(GREEDY, "")
    ignored = {**GREEDY, "failurePolicy": "ignore"}
    (warned,) = (await evaluator.judged(ignored, "", NAMED, DESIGN)).findings
    assert warned.outcome is Outcome.WARN
    assert (await evaluator.judged(policy("object.kind == 'ConfigMap'"), "", NAMED, DESIGN)).findings == []
