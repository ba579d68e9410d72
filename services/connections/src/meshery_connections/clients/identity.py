"""Identity, for work that goes on when nobody is asking."""

from __future__ import annotations

from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import identity


class IdentityClient:
    """Fresh assertions for what is done on behalf of a connection's owner."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def assertion_for(self, organization_id: UUID, user_id: UUID) -> str:
        """An assertion for a person. Raises NotFound or Forbidden when he may do nothing any more."""
        request = identity.Delegate(organization_id=organization_id, user_id=user_id, actor="connections")
        return (await self._bus.request(identity.DELEGATE, request)).assertion
