"""What becomes of what rules say: the outcome under an enforcement, the strongest of several, policies that fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_contracts.policies import Enforcement, Finding, Outcome, PolicyReport
from meshery_registry.domain.policies.documents import MAX_TEXT_CHARACTERS, PolicyDocument

#: Findings of one policy in one design with the same outcome; the first ones show the mistake.
MAX_OF_ONE_POLICY = 500
#: Findings of one report, and what they take as JSON: a report must fit into an answer beside other things.
MAX_FINDINGS = 1000
MAX_REPORT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Named:
    """Which policy speaks, and whether its refusals are meant."""

    policy_id: UUID
    version: int
    enforcement: Enforcement


#: Who speaks in a policy's own tests.
NOBODY = Named(UUID(int=0), 0, Enforcement.ENFORCE)


def effective(action: Outcome, named: Named) -> Outcome:
    """What an action means: a refusal in a dry run is a warning."""
    dry = action is Outcome.DENY and named.enforcement is Enforcement.WARN
    return Outcome.WARN if dry else action


def strongest(findings: Sequence[Finding]) -> Outcome:
    """The strongest outcome; pass when nothing was said."""
    order = list(Outcome)
    return max((one.outcome for one in findings), key=order.index, default=Outcome.PASS)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one policy said, and how much more of the same there was."""

    findings: list[Finding]
    omitted: int = 0


def heard(findings: Iterable[Finding]) -> Heard:
    """All of it up to a limit for each outcome: a thousand warnings must not hide the one refusal after them."""
    kept: list[Finding] = []
    counts = dict.fromkeys(Outcome, 0)
    for one in findings:
        counts[one.outcome] += 1
        if counts[one.outcome] <= MAX_OF_ONE_POLICY:
            kept.append(one)
    return Heard(kept, sum(counts.values()) - len(kept))


def report_of(findings: Sequence[Finding], policies: int, *, omitted: int = 0) -> PolicyReport:
    """A report on a design: the strongest first, else in the order in which they came, as many as fit."""
    order = list(reversed(Outcome))
    ordered = sorted(findings, key=lambda one: order.index(one.outcome))
    kept: list[Finding] = []
    left = MAX_REPORT_BYTES
    for one in ordered[:MAX_FINDINGS]:
        left -= len(one.model_dump_json())
        if left < 0:
            break
        kept.append(one)
    return PolicyReport(
        allowed=not any(one.outcome is Outcome.DENY for one in findings),
        policies=policies,
        findings=kept,
        omitted=omitted + len(findings) - len(kept),
    )


def unheard(document: PolicyDocument, named: Named, reason: str) -> Finding:
    """A whole policy that could not be evaluated: it refuses if it ever could, unless it ignores failures."""
    could = not document.rules or any(one.action is Outcome.DENY for one in document.rules)
    refuses = could and document.failure_policy == "fail"
    action = Outcome.DENY if refuses else Outcome.WARN
    return Finding(
        policy_id=named.policy_id,
        policy_name=document.name,
        policy_version=named.version,
        rule="",
        action=action,
        outcome=effective(action, named),
        message=f"The policy could not be evaluated: {reason}"[:MAX_TEXT_CHARACTERS],
        remedy="Try again; if it stays so, mend the policy or switch it off.",
        failed=True,
    )
