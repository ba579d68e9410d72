"""Reading policies: every place that is wrong is named, none is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from meshery_contracts.errors import Invalid
from meshery_contracts.policies import Outcome
from meshery_registry.domain.policies.documents import read_document, rego_package

RULE = {"name": "few", "expression": "object.spec.replicas <= 5", "action": "deny"}


def problems(document: Any, source: str = "") -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read_document(document, source)
    assert caught.value.problem.code == "policy_invalid"
    return {one.path: one.message for one in caught.value.problem.fields}


def test_a_whole_policy_is_read() -> None:
    read = read_document(
        {
            "schemaVersion": "policies.meshery.io/v1",
            "name": "few-replicas",
            "match": {"kinds": ["Deployment"], "labels": {"tier": "web"}, "excludeNamespaces": ["kube-*"]},
            "params": {"most": 5},
            "variables": [{"name": "n", "expression": "object.spec.replicas"}],
            "rules": [
                {**RULE, "severity": "high", "remedy": "Ask for fewer."},
                {
                    **RULE,
                    "name": "fix",
                    "action": "mutate",
                    "proposal": {"path": "spec.replicas", "valueExpression": "params.most"},
                },
            ],
            "failurePolicy": "ignore",
            "tests": [
                {"name": "one", "object": {"apiVersion": "apps/v1", "kind": "Deployment"}, "expect": "deny"},
                {"name": "none", "objects": [], "expect": "pass", "rules": []},
                {"name": "file", "design": {"components": []}, "expect": "pass"},
            ],
        }
    )
    assert (read.name, read.scope, read.failure_policy) == ("few-replicas", "component", "ignore")
    assert read.match.labels == {"tier": "web"}
    assert [one.action for one in read.rules] == [Outcome.DENY, Outcome.MUTATE]
    assert (read.rules[1].path, read.rules[0].severity, read.rules[1].severity) == (
        "spec.replicas",
        "high",
        "medium",
    )
    first = read.examples[0]
    assert (first.expect, first.rules, read.examples[1].rules) == (Outcome.DENY, None, ())
    assert first.design["components"][0]["component"] == {"version": "apps/v1", "kind": "Deployment"}


def test_a_misspelt_key_is_no_silence() -> None:
    found = problems(
        {
            "name": "Few Replicas",
            "matches": {},
            "match": {"kind": ["Deployment"], "labels": {"a": 1}, "namespaces": "x"},
            "variables": [{"name": "not a name", "expression": "1"}, "x"],
            "rules": [
                {"name": "few", "expresion": "true", "action": "refuse"},
                {**RULE, "proposal": {}},
                {**RULE, "name": "fix", "action": "mutate"},
                {**RULE, "name": "long", "expression": "x" * 4001, "message": 5},
            ],
            "tests": [
                {"name": "t", "expect": "no"},
                {"name": "t", "objects": [{"kind": "A"}], "expect": "pass"},
            ],
        }
    )
    assert found == {
        "name": "must be of a-z, 0-9, dots and dashes, e.g. `no-host-path`",
        "matches": "is not known here; there are schemaVersion, name, description, language, scope, match, "
        "params, variables, rules, failurePolicy, tests",
        "match.kind": "is not known here; there are kinds, apiVersions, namespaces, excludeNamespaces, labels",
        "match.labels": "must be a mapping of texts",
        "match.namespaces": "must be a list of texts",
        "variables.0.name": "must be a name that an expression can use, e.g. `containers`",
        "variables.1": "must be a mapping",
        "variables.1.name": "is missing",
        "variables.1.expression": "is missing",
        "rules.0.expresion": "is not known here; there are name, expression, action, message, messageExpression, "
        "severity, path, remedy, proposal",
        "rules.0.expression": "is missing",
        "rules.0.action": "must be one of deny, warn, mutate",
        "rules.1.proposal": "is for rules with `action: mutate`",
        "rules.1.name": "'few' occurs twice",
        "rules.2.proposal": "is missing",
        "rules.2.proposal.path": "is missing",
        "rules.2.proposal.valueExpression": "is missing",
        "rules.3.expression": "must be a text of at most 4,000 characters",
        "rules.3.message": "must be a text",
        "tests.0": "must have one of `object`, `objects` and `design`",
        "tests.0.expect": "must be one of pass, mutate, warn, deny",
        "tests.1.objects.0.apiVersion": "is missing",
        "tests.1.name": "'t' occurs twice",
    }


@pytest.mark.parametrize(
    "document", [None, [], "x", {}, {"name": "a", "rules": {}}, {"name": "a", "rules": []}]
)
def test_what_is_no_policy(document: Any) -> None:
    assert problems(document)


def test_rego_keeps_its_rules_in_its_text() -> None:
    text = "# about\npackage shop.rules # here\n\ndeny[msg] { msg := 1 }\n"
    read = read_document({"name": "old", "language": "rego"}, text)
    assert (read.package, read.scope, read.rules) == ("shop.rules", "design", ())
    assert rego_package("import x") == ""
    assert rego_package("# a\r\npackage a.b\r\n") == "a.b"
    assert "" in problems({"name": "old", "language": "rego"}, "deny = 1")
    assert "rules" in problems({"name": "old", "language": "rego", "rules": [RULE]}, text)
    assert "language" in problems({"name": "old", "rules": [RULE]}, text)
