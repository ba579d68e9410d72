"""What becomes of what rules say: the outcome under an enforcement, the strongest of several, policies that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_contracts.policies import Enforcement, Finding, Outcome
from meshery_registry.domain.policies.documents import MAX_TEXT_CHARACTERS, PolicyDocument


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


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The strongest first; those that are equally strong stay as they are."""
    order = list(reversed(Outcome))
    return sorted(findings, key=lambda one: order.index(one.outcome))


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
