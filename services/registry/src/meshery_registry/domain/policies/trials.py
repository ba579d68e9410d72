"""A policy's own tests: example designs with what it must say of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from meshery_contracts.policies import Enforcement, Finding, TestOutcome
from meshery_registry.domain.policies.documents import Example
from meshery_registry.domain.policies.judging import Design, Judge, Named, strongest

_NOBODY = Named(UUID(int=0), 0, Enforcement.ENFORCE)
#: Findings shown of one test.
_MOST_SHOWN = 20


def tried(judge: Judge) -> list[TestOutcome]:
    """Run every test of a policy, as if it were enforced."""
    return [_tried(judge, one) for one in judge.document.examples]


def outcome_of(example: Example, findings: Sequence[Finding]) -> TestOutcome:
    """Whether what was said of an example is what its author expected."""
    outcome = strongest(findings)
    spoke = sorted({one.rule for one in findings})
    complaints = []
    if outcome is not example.expect:
        complaints.append(f"expected {example.expect}, but it is {outcome}")
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


def _tried(judge: Judge, example: Example) -> TestOutcome:
    return outcome_of(example, list(islice(judge.findings(Design(example.design), _NOBODY), 500)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
