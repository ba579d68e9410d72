"""What policies have to tell, as sentences for people."""

from __future__ import annotations

from datetime import datetime

from meshery_contracts.caller import Caller
from meshery_contracts.messages import Severity
from meshery_contracts.policies import Enforcement, PolicyFact, PolicyState
from meshery_registry.domain.policies.records import StoredPolicy


def policy_fact(
    policy: StoredPolicy, action: str, caller: Caller, now: datetime, generation: int
) -> PolicyFact:
    """A policy was saved (`save`), switched (`switch`) or deleted (`delete`); `policy` is what it is now."""
    return PolicyFact(
        organization_id=caller.organization_id,
        user_id=caller.user_id,
        actor=caller.actor,
        occurred_at=now,
        severity=Severity.SUCCESS if action == "save" else Severity.INFORMATIONAL,
        category="policy",
        action=action,
        description=_sentence(policy, action),
        acted_upon=policy.policy_id,
        policy_id=policy.policy_id,
        name=policy.name,
        version=policy.version,
        state=policy.state,
        enforcement=policy.enforcement,
        generation=generation,
    )


def _sentence(policy: StoredPolicy, action: str) -> str:
    if action == "save":
        return f"Policy '{policy.name}' was saved in version {policy.version}."
    if action == "delete":
        return f"Policy '{policy.name}' was deleted."
    if policy.state is not PolicyState.ENABLED:
        return f"Policy '{policy.name}' was switched off."
    force = "refuses" if policy.enforcement is Enforcement.ENFORCE else "only warns"
    return f"Policy '{policy.name}' was switched on in version {policy.active_version}: it {force}."
