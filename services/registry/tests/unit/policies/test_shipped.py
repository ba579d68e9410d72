"""The policies that ship with us: each is proved by its own tests, and could be switched on at once."""

from __future__ import annotations

from importlib.resources import files

import pytest

from meshery_registry.domain.entities import PolicyEntity
from meshery_registry.domain.policies.contents import read_policies
from meshery_registry.domain.policies.documents import read_document
from meshery_registry.domain.policies.judging import Judge
from meshery_registry.domain.policies.trials import hindrance

FOLDER = files("meshery_registry") / "content" / "kubernetes" / "policies"
SHIPPED = read_policies(FOLDER.iterdir())


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda one: one.name)
def test_a_shipped_policy_keeps_its_promises(policy: PolicyEntity) -> None:
    judge = Judge(read_document(policy.definition))
    outcomes = judge.tried()
    assert [f"{one.name}: {one.message}" for one in outcomes if not one.passed] == []
    assert hindrance(outcomes) == ""
    spoke = {finding.rule for one in outcomes for finding in one.findings}
    silent = [rule.name for rule in judge.document.rules if rule.name not in spoke]
    assert silent in ([], ["known-registry"]), "each rule is shown by a test; that one needs a parameter"
    assert not any(finding.failed for one in outcomes for finding in one.findings)
    assert all(rule.remedy or rule.proposal for rule in judge.document.rules)


def test_they_are_many_and_named_once() -> None:
    names = [one.name for one in SHIPPED]
    assert len(names) == len(set(names)) >= 8
