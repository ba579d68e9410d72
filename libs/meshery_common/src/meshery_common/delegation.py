"""Whose work goes on when he no longer asks: durable runs get the rights that their person has now, before each step.

Identity answers those services only that its contract names (`services_only` of `DELEGATE`). What must not be in
here: what the work is about.
"""

from __future__ import annotations

from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import identity
from meshery_contracts.caller import Caller
from meshery_contracts.keys import BY_ID, bits_of


class Delegation:
    """Asks identity on behalf of people; both methods raise NotFound or Forbidden once somebody may do nothing more."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def assertion_for(self, organization_id: UUID, user_id: UUID) -> str:
        """A fresh assertion of the person, to ask other services with. Raises Unavailable."""
        return (await self._delegated(organization_id, user_id)).assertion

    async def caller_for(self, organization_id: UUID, user_id: UUID) -> Caller:
        """The person with the keys of now, to decide here by `require`; teams and workspaces are not known.

        Raises Unavailable.
        """
        assertion = await self._delegated(organization_id, user_id)
        held = frozenset(BY_ID[one] for one in assertion.key_ids if one in BY_ID)
        return Caller(
            user_id=assertion.user_id,
            organization_id=assertion.organization_id,
            key_bits=bits_of(held),
            actor=self._bus.service,
        )

    async def _delegated(self, organization_id: UUID, user_id: UUID) -> identity.Assertion:
        request = identity.Delegate(organization_id=organization_id, user_id=user_id, actor=self._bus.service)
        return await self._bus.request(identity.DELEGATE, request)
