"""A policy's own tests: how each went, and whether they allow to switch it on."""

from __future__ import annotations

from collections.abc import Sequence

from meshery_contracts.policies import Finding, Outcome, TestOutcome
from meshery_registry.domain.policies.documents import Example
from meshery_registry.domain.policies.verdicts import strongest

#: Findings shown of one test.
_MOST_SHOWN = 20


def outcome_of(example: Example, findings: Sequence[Finding]) -> TestOutcome:
    """Whether what was said of an example is what its author expected."""
    outcome = strongest(findings)
    spoke = sorted({one.rule for one in findings})
    complaints = []
    if outcome is not example.expect:
        complaints.append(f"expected {example.expect}, but it is {outcome}{_first(findings)}")
    if example.rules is not None and sorted(set(example.rules)) != spoke:
        complaints.append(
            f"expected the rules {_listed(example.rules)} to speak, but it was {_listed(spoke)}"
        )
    return TestOutcome(
        name=example.name,
        passed=not complaints,
        expected=example.expect,
        outcome=outcome,
        message="; ".join(complaints),
        findings=list(findings[:_MOST_SHOWN]),
    )


def hindrance(tests: Sequence[TestOutcome]) -> str:
    """Why a policy with these tests cannot be switched on; empty when it can.

    They must show both what it lets through and what it does not.
    """
    failed = [one for one in tests if not one.passed]
    if failed:
        return f"{len(failed)} of its {len(tests)} tests fail, first '{failed[0].name}': {failed[0].message}"
    if not any(one.expected is not Outcome.PASS for one in tests):
        return "it has no test that shows what it denies, warns of or proposes"
    if not any(one.expected is Outcome.PASS for one in tests):
        return "it has no test that shows what passes"
    return ""


def _first(findings: Sequence[Finding]) -> str:
    return f" ({findings[0].rule}: {findings[0].message})" if findings else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
