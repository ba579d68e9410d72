"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import registry as contract
from meshery_registry.service import DefinitionsService, RegistrationsService


async def serve(bus: Bus, definitions: DefinitionsService, registrations: RegistrationsService) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.RESOLVE_KINDS, definitions.resolve)
    await bus.serve(contract.GET_SCHEMAS, definitions.schemas)
    await bus.serve(contract.LIST_MODELS, definitions.models)
    await bus.serve(contract.LIST_COMPONENTS, definitions.components)
    await bus.serve(contract.LIST_RELATIONSHIPS, definitions.relationships)
    await bus.serve(contract.LIST_POLICIES, definitions.policies)
    await bus.serve(contract.LIST_CATEGORIES, definitions.categories)
    await bus.serve(contract.LIST_REGISTRANTS, definitions.registrants)
    await bus.serve(contract.REGISTER_OPENAPI, registrations.register_openapi)
    await bus.announce(contract)
