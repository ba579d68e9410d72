"""What the organisation's policies say of a design, and what follows for a deployment."""

from __future__ import annotations

from collections.abc import Sequence

from meshery_contracts.errors import Conflict, FieldProblem, Problem, Word
from meshery_contracts.policies import Finding, Outcome, PolicyReport

#: Findings that a run remembers; the strongest come first.
MAX_REMEMBERED = 100


def refusal(report: PolicyReport) -> Conflict | None:
    """The error that a deployment ends with, naming policy, rule, component and remedy; None when it may go on."""
    denied = [one for one in report.findings if one.outcome is Outcome.DENY]
    if report.allowed and not denied:
        return None
    first = denied[0]
    more = f" and {len(denied) - 1} more" if len(denied) > 1 else ""
    remedies = dict.fromkeys(one.remedy for one in denied if one.remedy)
    return Conflict(
        f"Policy {_rule(first)} refuses {_subject(first)}{more}: {first.message}",
        code="policy_denied",
        fields=tuple(
            FieldProblem(path=_path(one), message=f"{_rule(one)}: {one.message}") for one in denied[:100]
        ),
        cause="The organisation's policies are judged before a run starts.",
        remedy=(*tuple(remedies)[:10], "Mend the design, or have the policy changed or switched off."),
    )


def remembered(findings: Sequence[Finding]) -> list[Finding]:
    """What a run keeps of what was said at its start."""
    return list(findings[:MAX_REMEMBERED])


def not_asked(problem: Problem) -> Problem:
    """Why nothing may be deployed while the policies cannot be asked."""
    return Problem(
        word=problem.word if problem.word in (Word.FORBIDDEN, Word.TOO_LARGE) else Word.UNAVAILABLE,
        code="policies_not_asked",
        title="The organisation's policies could not be asked, so nothing is deployed.",
        detail=problem.title,
        probable_cause=problem.probable_cause,
        remediation=problem.remediation or ("Look whether the registry runs, then try again.",),
        retry_after_seconds=problem.retry_after_seconds,
        trace_id=problem.trace_id,
    )


def _rule(one: Finding) -> str:
    return f"'{one.policy_name}' (rule '{one.rule}')" if one.rule else f"'{one.policy_name}'"


def _subject(one: Finding) -> str:
    return f"{one.kind} '{one.component_name}'" if one.component_name else "the design"


def _path(one: Finding) -> str:
    return ".".join(part for part in (one.component_name or "design", one.path) if part)
