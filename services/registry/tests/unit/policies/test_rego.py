"""What a Rego package holds, as findings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from meshery_contracts.policies import Enforcement, Outcome
from meshery_registry.domain.policies.documents import design_of, read_document
from meshery_registry.domain.policies.rego import findings_of, input_of
from meshery_registry.domain.policies.verdicts import Named

DOCUMENT = read_document({"name": "old", "language": "rego"}, "package a")
NAMED = Named(UUID(int=1), 2, Enforcement.ENFORCE)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({}, []),
        ({"deny": [], "warn": None, "other": [1]}, []),
        ({"deny": False, "violation": {}}, []),
        ({"deny": ["b", "a"]}, [("deny", Outcome.DENY, "a"), ("deny", Outcome.DENY, "b")]),
        ({"deny": True}, [("deny", Outcome.DENY, "`deny` holds.")]),
        ({"deny": {"x": "a"}}, [("deny", Outcome.DENY, "a")]),
        ({"violation": [{"msg": "m"}]}, [("violation", Outcome.DENY, "m")]),
        ({"warn": "w", "deny": [7]}, [("deny", Outcome.DENY, "`deny` holds."), ("warn", Outcome.WARN, "w")]),
    ],
)
def test_every_way_to_say_no_is_heard(result: dict[str, Any], said: list[Any]) -> None:
    found = findings_of(result, DOCUMENT, NAMED, {})
    assert [(one.rule, one.outcome, one.message) for one in found] == said
    dry = Named(UUID(int=1), 2, Enforcement.WARN)
    assert Outcome.DENY not in [one.outcome for one in findings_of(result, DOCUMENT, dry, {})]


def test_the_server_gets_no_secrets() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"p": "hunter2"}}
    told = input_of(
        {**design_of([secret]), "schemaVersion": "designs.meshery.io/v1beta3", "extra": "hunter2"}
    )
    assert "hunter2" not in str(told)
    assert told["components"][0]["configuration"]["data"] == {"p": "(hidden)"}
    assert told["objects"][0]["kind"] == "Secret"
