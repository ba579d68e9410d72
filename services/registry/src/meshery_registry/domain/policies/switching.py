"""When a policy may be switched on: its tests must show both what it lets through and what it does not."""

from __future__ import annotations

from collections.abc import Sequence

from meshery_contracts.policies import Outcome, TestOutcome


def hindrance(tests: Sequence[TestOutcome]) -> str:
    """Why a policy with these tests cannot be switched on; empty when it can."""
    failed = [one for one in tests if not one.passed]
    if failed:
        return f"{len(failed)} of its {len(tests)} tests fail, first '{failed[0].name}': {failed[0].message}"
    if not any(one.expected is not Outcome.PASS for one in tests):
        return "it has no test that shows what it denies, warns of or proposes"
    if not any(one.expected is Outcome.PASS for one in tests):
        return "it has no test that shows what passes"
    return ""
