"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import definitions as details
from meshery_contracts import imports as packages
from meshery_contracts import policies as rules
from meshery_contracts import registry as contract
from meshery_registry.service import DefinitionsService, RegistrationsService
from meshery_registry.service.exports import ExportsService
from meshery_registry.service.imports import ImportsService
from meshery_registry.service.policies import PoliciesService


async def serve(
    bus: Bus,
    definitions: DefinitionsService,
    registrations: RegistrationsService,
    policies: PoliciesService,
    imports: ImportsService,
    exports: ExportsService,
) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.RESOLVE_KINDS, definitions.resolve)
    await bus.serve(contract.GET_SCHEMAS, definitions.schemas)
    await bus.serve(contract.LIST_MODELS, definitions.models)
    await bus.serve(contract.LIST_COMPONENTS, definitions.components)
    await bus.serve(contract.LIST_RELATIONSHIPS, definitions.relationships)
    await bus.serve(contract.LIST_POLICIES, policies.page)
    await bus.serve(contract.LIST_CATEGORIES, definitions.categories)
    await bus.serve(contract.LIST_REGISTRANTS, definitions.registrants)
    await bus.serve(contract.REGISTER_OPENAPI, registrations.register_openapi)
    await bus.serve(details.LIST_CONNECTION_DEFINITIONS, definitions.connection_definitions)
    await bus.serve(details.GET_MODEL, definitions.model)
    await bus.serve(details.GET_MODELS, definitions.many_models)
    await bus.serve(details.GET_COMPONENTS, definitions.many_components)
    await bus.serve(details.GET_ICONS, definitions.icons)
    await bus.serve(details.SUMMARY, definitions.summary)
    await bus.serve(rules.SAVE_POLICY, policies.save)
    await bus.serve(rules.GET_POLICY, policies.get)
    await bus.serve(rules.LIST_POLICY_VERSIONS, policies.versions)
    await bus.serve(rules.SET_POLICY_STATE, policies.set_state)
    await bus.serve(rules.DELETE_POLICY, policies.delete)
    await bus.serve(rules.TEST_POLICY, policies.test)
    await bus.serve(rules.CHECK_DESIGN, policies.check)
    await bus.serve(packages.IMPORT_DEFINITIONS, imports.start)
    await bus.serve(packages.GET_IMPORT, imports.get)
    await bus.serve(packages.LIST_IMPORTS, imports.page)
    await bus.serve(packages.LIST_IMPORT_ENTRIES, imports.entries)
    await bus.serve(packages.CANCEL_IMPORT, imports.cancel)
    await bus.serve(packages.EXPORT_MODEL, exports.export)
    await bus.announce(contract, packages, rules)
