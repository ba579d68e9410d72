"""Designs and their versions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import orjson
from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import designs as contract
from meshery_contracts.designs import (
    CloneDesign,
    CreateDesign,
    Design,
    DesignCloned,
    DesignDeleted,
    DesignId,
    DesignPage,
    DesignSaved,
    DesignVersionPage,
    ExportDesign,
    GetDesign,
    ImportDesign,
    ImportedDesign,
    ListDesigns,
    ListVersions,
    SupportedType,
    UpdateDesign,
    ValidateDesign,
    ValidationReport,
)
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, Nothing
from meshery_gateway.graphql.context import Info, page_of, wanted_fields
from meshery_gateway.graphql.following import Told, deliveries
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_design = ObjectType("Design")
_design_page = ObjectType("DesignPage")
_design_delivery = ObjectType("DesignDelivery")
_clone_delivery = ObjectType("CloneDelivery")

BINDABLES = (_query, _mutation, _subscription, _design, _design_page, _design_delivery, _clone_delivery)
_FILE_FIELDS = {"patternFile", "document"}

# --- reading ------------------------------------------------------------------------------------------------


@_query.field("designs")
async def list_designs(_: object, info: Info, page: int, page_size: int, **filters: Any) -> DesignPage:
    """A page; files are read only when they are asked for."""
    values = page_of(page, page_size, **filters)
    values["with_files"] = bool(_FILE_FIELDS & wanted_fields(info))
    return await info.context.ask(contract.LIST, message_from(ListDesigns, values))


@_query.field("design")
async def get_design(_: object, info: Info, id: UUID, version: int | None = None) -> Design:
    """One design."""
    context = info.context
    if version is None:
        return await context.designs.load(id)
    request = message_from(GetDesign, {"design_id": id, "version": version})
    return await context.ask(contract.GET, request)


@_query.field("designManifest")
async def export_design(_: object, info: Info, id: UUID, version: int | None = None) -> str:
    """A design's objects."""
    request = message_from(ExportDesign, {"design_id": id, "version": version})
    return (await info.context.ask(contract.EXPORT, request)).manifest


@_query.field("designTypes")
async def list_types(_: object, info: Info) -> list[SupportedType]:
    """What can be imported."""
    return (await info.context.ask(contract.TYPES, Nothing())).types


@_query.field("validateDesign")
async def validate_design(
    _: object, info: Info, id: UUID | None = None, file: str | None = None
) -> ValidationReport:
    """What is wrong with a design."""
    request = message_from(ValidateDesign, {"design_id": id, "file": file})
    return await info.context.ask(contract.VALIDATE, request)


@_design_page.field("designs")
def designs_of_page(page: DesignPage, _: Info) -> list[Design]:
    """The rows, which Meshery calls patterns."""
    return page.patterns


@_design.field("type")
def type_of_design(design: Design, _: Info) -> str | None:
    """Go's text-or-nothing as a value that may be null."""
    return design.type.string if design.type.valid else None


@_design.field("document")
def document_of_design(design: Design, _: Info) -> Any:
    """The design file as a value; null when there is none."""
    return orjson.loads(design.pattern_file) if design.pattern_file else None


@_design.field("versions")
async def versions_of_design(design: Design, info: Info, page: int, page_size: int) -> DesignVersionPage:
    """Its saved versions."""
    request = message_from(ListVersions, page_of(page, page_size, design_id=design.id))
    return await info.context.ask(contract.LIST_VERSIONS, request)


# --- writing ------------------------------------------------------------------------------------------------


@_mutation.field("createDesign")
async def create_design(_: object, info: Info, input: dict[str, Any]) -> Design:
    """Save a new design."""
    return await info.context.ask(contract.CREATE, message_from(CreateDesign, input))


@_mutation.field("updateDesign")
async def update_design(_: object, info: Info, input: dict[str, Any]) -> Design:
    """Save a new version."""
    values = {("design_id" if name == "id" else name): value for name, value in input.items()}
    return await info.context.ask(contract.UPDATE, message_from(UpdateDesign, values))


@_mutation.field("cloneDesign")
async def clone_design(_: object, info: Info, id: UUID, name: str) -> Design:
    """Make a private copy."""
    request = message_from(CloneDesign, {"design_id": id, "name": name})
    return await info.context.ask(contract.CLONE, request)


@_mutation.field("deleteDesign")
async def delete_design(_: object, info: Info, id: UUID) -> Design:
    """Delete a design."""
    return await info.context.ask(contract.DELETE, DesignId(design_id=id))


@_mutation.field("importDesign")
async def import_design(_: object, info: Info, input: dict[str, Any]) -> ImportedDesign:
    """Make a design of a document."""
    return await info.context.ask(contract.IMPORT, message_from(ImportDesign, input))


# --- following ----------------------------------------------------------------------------------------------


@_subscription.source("designChanges")
def follow_designs(_: object, info: Info) -> AsyncGenerator[Told, None]:
    """Saves, of which a clone is the first, and deletions.

    Names are not told here: the design is read under the rights of who follows.
    """
    topics = (contract.SAVED, contract.CLONED, contract.DELETED)
    return deliveries(info, Key.VIEW_DESIGNS, *topics, tell=_told_of_change)


def _told_of_change(event: Message) -> Told:
    change: Told = {"change": "saved"}
    if isinstance(event, DesignSaved):
        change["version"] = event.version
    elif isinstance(event, DesignCloned):
        change["version"] = 1
    elif isinstance(event, DesignDeleted):
        change["change"] = "deleted"
    else:
        return {}
    return {**change, "design_id": event.design_id, "user_id": event.user_id}


@_subscription.source("designCloned")
def follow_clones(_: object, info: Info) -> AsyncGenerator[Told, None]:
    """Clones in the organisation. As above only ids are told: a clone is private."""
    return deliveries(info, Key.VIEW_DESIGNS, contract.CLONED, tell=_told_of_clone)


def _told_of_clone(event: Message) -> Told:
    return event.model_dump(include={"design_id", "original_id", "user_id"}, by_alias=False)


@_clone_delivery.field("design")
@_design_delivery.field("design")
async def design_of_delivery(told: dict[str, Any], info: Info) -> Design | None:
    """The design as it is now."""
    design_id = told.get("design_id")
    return await info.context.designs.load_or_none(design_id) if design_id is not None else None


@_clone_delivery.field("original")
async def original_of_delivery(told: dict[str, Any], info: Info) -> Design | None:
    """The design that was cloned."""
    original_id = told.get("original_id")
    return await info.context.designs.load_or_none(original_id) if original_id is not None else None
