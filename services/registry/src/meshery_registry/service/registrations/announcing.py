"""What the registry says of changes that people make: a sentence for people, and a generation for caches."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from meshery_common import outbox
from meshery_common.database import Transaction
from meshery_contracts import registry as contract
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.endpoints import Topic
from meshery_contracts.messages import Severity
from meshery_contracts.registrations import RegistryFact
from meshery_contracts.registry import ModelsRegistered


async def tell_people(
    tx: Transaction,
    topic: Topic[RegistryFact],
    caller: Caller,
    now: datetime,
    *,
    about: UUID,
    entity_type: str,
    name: str,
    action: str,
    sentence: str,
    generation: int,
    severity: Severity = Severity.INFORMATIONAL,
) -> None:
    """Announce a change with the sentence that people read."""
    fact = RegistryFact(
        organization_id=caller.organization_id,
        user_id=_person(caller),
        actor=caller.actor,
        occurred_at=now,
        severity=severity,
        category="model",
        action=action,
        description=sentence,
        acted_upon=about,
        entity_type=entity_type,
        name=name,
        generation=generation,
    )
    await outbox.add(tx, topic, fact, subject_id=about)


async def tell_caches(
    tx: Transaction,
    caller: Caller,
    now: datetime,
    *,
    about: UUID,
    action: str,
    sentence: str,
    generation: int,
    models: list[str],
    registrant_id: UUID | None = None,
) -> None:
    """Announce that what was read of the registry before may be old."""
    fact = ModelsRegistered(
        organization_id=caller.organization_id,
        user_id=_person(caller),
        actor=caller.actor,
        occurred_at=now,
        severity=Severity.DEBUG,
        category="model",
        action=action,
        description=sentence,
        acted_upon=about,
        connection_id=registrant_id,
        models=models,
        generation=generation,
        registered_at=now,
    )
    await outbox.add(tx, contract.MODELS_REGISTERED, fact, subject_id=about)


def _person(caller: Caller) -> UUID | None:
    """Whose doing it was; none when nobody proved who he is, and for the system's own doing."""
    nobody = caller.kind is CallerKind.SERVICE or caller.user_id.int == 0
    return None if nobody else caller.user_id
