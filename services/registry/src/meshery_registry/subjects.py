"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from dataclasses import dataclass

from meshery_common.bus import Bus
from meshery_contracts import definitions as details
from meshery_contracts import evaluation
from meshery_contracts import imports as packages
from meshery_contracts import policies as rules
from meshery_contracts import registrations as changes
from meshery_contracts import registry as contract
from meshery_registry.service import (
    DefinitionsService,
    PushedDefinitionsService,
    RegistrationsService,
    RemovalsService,
    ValidationService,
)
from meshery_registry.service.evaluations import EvaluationsService
from meshery_registry.service.exports import ExportsService
from meshery_registry.service.imports import ImportsService
from meshery_registry.service.policies import PoliciesService


@dataclass(frozen=True)
class UseCases:
    """All that is answered."""

    definitions: DefinitionsService
    registrations: RegistrationsService
    removals: RemovalsService
    pushed: PushedDefinitionsService
    validation: ValidationService
    policies: PoliciesService
    evaluations: EvaluationsService
    imports: ImportsService
    exports: ExportsService


async def serve(bus: Bus, use: UseCases) -> None:
    """Answer every endpoint of the contract; fails when one is forgotten."""
    await bus.serve(contract.RESOLVE_KINDS, use.definitions.resolve)
    await bus.serve(contract.GET_SCHEMAS, use.definitions.schemas)
    await bus.serve(contract.LIST_MODELS, use.definitions.models)
    await bus.serve(contract.LIST_COMPONENTS, use.definitions.components)
    await bus.serve(contract.LIST_RELATIONSHIPS, use.definitions.relationships)
    await bus.serve(contract.LIST_POLICIES, use.policies.page)
    await bus.serve(contract.LIST_CATEGORIES, use.definitions.categories)
    await bus.serve(contract.LIST_REGISTRANTS, use.definitions.registrants)
    await bus.serve(contract.REGISTER_OPENAPI, use.registrations.register_openapi)
    await bus.serve(details.LIST_CONNECTION_DEFINITIONS, use.definitions.connection_definitions)
    await bus.serve(details.GET_MODEL, use.definitions.model)
    await bus.serve(details.GET_MODELS, use.definitions.many_models)
    await bus.serve(details.GET_COMPONENTS, use.definitions.many_components)
    await bus.serve(details.GET_ICONS, use.definitions.icons)
    await bus.serve(details.SUMMARY, use.definitions.summary)
    await bus.serve(details.VALIDATE, use.validation.validate)
    await bus.serve(changes.SET_STATUS, use.removals.set_status)
    await bus.serve(changes.DELETE_MODEL, use.removals.delete_model)
    await bus.serve(changes.DELETE_CONNECTION_DEFINITION, use.removals.delete_connection_definition)
    await bus.serve(changes.REGISTER_DEFINITION, use.pushed.register)
    await bus.serve(changes.REGISTER_UNVERIFIED, use.pushed.quarantine)
    await bus.serve(changes.LIST_QUARANTINED, use.pushed.page)
    await bus.serve(changes.GET_QUARANTINED, use.pushed.get)
    await bus.serve(changes.APPROVE, use.pushed.approve)
    await bus.serve(changes.REJECT, use.pushed.reject)
    await bus.serve(rules.SAVE_POLICY, use.policies.save)
    await bus.serve(rules.GET_POLICY, use.policies.get)
    await bus.serve(rules.LIST_POLICY_VERSIONS, use.policies.versions)
    await bus.serve(rules.SET_POLICY_STATE, use.policies.set_state)
    await bus.serve(rules.DELETE_POLICY, use.policies.delete)
    await bus.serve(rules.TEST_POLICY, use.policies.test)
    await bus.serve(rules.CHECK_DESIGN, use.policies.check)
    await bus.serve_unread(evaluation.EVALUATE, use.evaluations.evaluate)
    await bus.serve_unread(evaluation.EVALUATE_CHANGE, use.evaluations.evaluate_change)
    await bus.serve_unread(packages.IMPORT_DEFINITIONS, use.imports.start)
    await bus.serve(packages.GET_IMPORT, use.imports.get)
    await bus.serve(packages.LIST_IMPORTS, use.imports.page)
    await bus.serve(packages.LIST_IMPORT_ENTRIES, use.imports.entries)
    await bus.serve(packages.CANCEL_IMPORT, use.imports.cancel)
    await bus.serve(packages.EXPORT_MODEL, use.exports.export)
    await bus.announce(contract, details, changes, packages, rules, evaluation)
