"""The registry, which learns the kinds of connected clusters."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import registry
from meshery_contracts.registry import RegisterOpenAPI, RegistrationReport


class RegistryClient:
    """Kinds of clusters."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def register(self, request: RegisterOpenAPI, assertion: str) -> RegistrationReport:
        """Teach the registry one group version. Raises TooLarge when the document fits into no message."""
        return await self._bus.request(registry.REGISTER_OPENAPI, request, assertion=assertion)
