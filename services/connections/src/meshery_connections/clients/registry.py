"""The registry, which learns the kinds of clusters."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import imports, registry
from meshery_contracts.imports import Import, ImportDefinitions
from meshery_contracts.registry import RegisterOpenAPI, RegistrationReport


class RegistryClient:
    """Kinds of clusters."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def register(self, request: RegisterOpenAPI, assertion: str) -> RegistrationReport:
        """Teach the registry one group version. Raises TooLarge when the document fits into no message."""
        return await self._bus.request(registry.REGISTER_OPENAPI, request, assertion=assertion)

    async def import_definitions(self, request: ImportDefinitions, idempotency_key: str) -> Import:
        """Begin an import as the one who is being served. Raises Forbidden, TooLarge."""
        return await self._bus.request(imports.IMPORT_DEFINITIONS, request, idempotency_key=idempotency_key)
