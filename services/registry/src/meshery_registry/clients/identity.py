"""Identity, asked what a person may do now."""

from __future__ import annotations

from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import identity
from meshery_contracts.caller import Caller
from meshery_contracts.keys import Key, bits_of


class IdentityClient:
    """The rights of those for whom durable work goes on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def caller_for(self, organization_id: UUID, user_id: UUID) -> Caller:
        """A person with the rights of now. Raises NotFound or Forbidden when revoked, Unavailable."""
        request = identity.Delegate(organization_id=organization_id, user_id=user_id, actor="registry")
        assertion = await self._bus.request(identity.DELEGATE, request)
        held = frozenset(assertion.key_ids)
        return Caller(
            user_id=assertion.user_id,
            organization_id=assertion.organization_id,
            key_bits=bits_of(frozenset(key for key in Key if key.id in held)),
            actor="registry",
        )
