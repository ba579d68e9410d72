"""Changing the registry: status, deletion, registrants, quarantine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType

from meshery_contracts import registrations as contract
from meshery_contracts.registrations import (
    DefinitionStatus,
    DeleteConnectionDefinition,
    DeletedDefinition,
    DeletedModel,
    DeleteModel,
    Judged,
    ListQuarantined,
    Quarantined,
    QuarantineId,
    QuarantinePage,
    RegisterDefinition,
    RegisteredDefinition,
    SetStatus,
    StatusReport,
    StatusType,
    Verdict,
)
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_quarantined = ObjectType("Quarantined")

BINDABLES = (_query, _mutation, _quarantined)


@_mutation.field("setDefinitionStatus")
async def set_status(_: object, info: Info, type: str, id: UUID, status: str) -> StatusReport:
    """Enable, disable or ignore."""
    request = SetStatus(entity_type=StatusType(type), id=id, status=DefinitionStatus(status))
    return await info.context.ask(contract.SET_STATUS, request)


@_mutation.field("deleteModel")
async def delete_model(_: object, info: Info, id: UUID) -> DeletedModel:
    """Delete a model."""
    return await info.context.ask(contract.DELETE_MODEL, DeleteModel(model_id=id))


@_mutation.field("deleteConnectionDefinition")
async def delete_connection_definition(_: object, info: Info, id: UUID) -> DeletedDefinition:
    """Delete a kind of connections."""
    request = DeleteConnectionDefinition(definition_id=id)
    return await info.context.ask(contract.DELETE_CONNECTION_DEFINITION, request)


@_mutation.field("registerDefinition")
async def register(_: object, info: Info, input: dict[str, Any]) -> RegisteredDefinition:
    """Register one definition."""
    request = message_from(RegisterDefinition, input)
    return await info.context.ask(contract.REGISTER_DEFINITION, request)


@_query.field("quarantine")
async def list_quarantined(_: object, info: Info, page: int, page_size: int) -> QuarantinePage:
    """What waits for approval."""
    request = message_from(ListQuarantined, page_of(page, page_size))
    return await info.context.ask(contract.LIST_QUARANTINED, request)


@_quarantined.field("definition")
async def definition_of(one: Quarantined, info: Info) -> dict[str, Any]:
    """The whole document."""
    return (await info.context.ask(contract.GET_QUARANTINED, QuarantineId(id=one.id))).entity


@_mutation.field("approveDefinitions")
async def approve(_: object, info: Info, ids: list[UUID]) -> Verdict:
    """Register what waits."""
    return await info.context.ask(contract.APPROVE, message_from(Judged, {"ids": ids}))


@_mutation.field("rejectDefinitions")
async def reject(_: object, info: Info, ids: list[UUID]) -> Verdict:
    """Drop what waits."""
    return await info.context.ask(contract.REJECT, message_from(Judged, {"ids": ids}))
