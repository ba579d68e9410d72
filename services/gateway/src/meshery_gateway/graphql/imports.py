"""Imports: started, looked at, stopped, and followed to their end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import imports as contract
from meshery_contracts.imports import (
    Import,
    ImportDefinitions,
    ImportEntryPage,
    ImportFact,
    ImportId,
    ImportPage,
    ImportStatus,
    ListImportEntries,
    ListImports,
)
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.graphql.following import Told, progress
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_import = ObjectType("Import")
_delivery = ObjectType("ImportDelivery")

BINDABLES = (_query, _mutation, _subscription, _import, _delivery)
_FIRST = ImportStatus.PENDING
_FINISHED = (ImportStatus.SUCCEEDED, ImportStatus.FAILED, ImportStatus.CANCELLED)
_STEP = ("import_id", "status", "stage", "models_done", "models_total")
_COUNTS = ("added", "updated", "unchanged", "refused")


@_query.field("imports")
async def list_imports(_: object, info: Info, page: int, page_size: int) -> ImportPage:
    """Imports, newest first."""
    return await info.context.ask(contract.LIST_IMPORTS, message_from(ListImports, page_of(page, page_size)))


@_query.field("import")
async def get_import(_: object, info: Info, id: UUID) -> Import:
    """One import."""
    return await info.context.ask(contract.GET_IMPORT, ImportId(import_id=id))


@_import.field("entries")
async def entries_of_import(
    one: Import, info: Info, page: int, page_size: int, **filters: Any
) -> ImportEntryPage:
    """What became of each entity."""
    values = page_of(page, page_size, import_id=one.id, **filters)
    return await info.context.ask(contract.LIST_IMPORT_ENTRIES, message_from(ListImportEntries, values))


@_mutation.field("importDefinitions")
async def import_definitions(_: object, info: Info, input: dict[str, Any]) -> Import:
    """Start an import; the answer does not wait for its end."""
    return await info.context.ask(contract.IMPORT_DEFINITIONS, message_from(ImportDefinitions, input))


@_mutation.field("cancelImport")
async def cancel_import(_: object, info: Info, id: UUID) -> Import:
    """Stop an import."""
    return await info.context.ask(contract.CANCEL_IMPORT, ImportId(import_id=id))


@_subscription.source("importProgress")
def follow_import(_: object, info: Info, import_id: UUID) -> AsyncGenerator[Told, None]:
    """An import: where it stands at once, then each step."""

    async def read() -> Told:
        return _told_of(await info.context.ask(contract.GET_IMPORT, ImportId(import_id=import_id)))

    def tell(fact: Message) -> Told | None:
        if not isinstance(fact, ImportFact) or fact.import_id != import_id:
            return None
        return {name: getattr(fact, name) for name in (*_STEP, *_COUNTS)}

    topics = (contract.IMPORT_STARTED, contract.IMPORT_PROGRESSED, contract.IMPORT_FINISHED)
    return progress(
        info,
        Key.IMPORT_MODELS,
        *topics,
        read=read,
        tell=tell,
        far=lambda told: (told["status"] in _FINISHED, told["status"] is not _FIRST, told["models_done"]),
        over=lambda told: told["status"] in _FINISHED,
    )


def _told_of(one: Import) -> Told:
    groups = (one.models, one.components, one.relationships, one.policies, one.connections)
    counts = {name: sum(getattr(group, name) for group in groups) for name in _COUNTS}
    counts["refused"] += one.files_refused
    return {**{name: getattr(one, name) for name in _STEP[1:]}, **counts, "import_id": one.id}


@_delivery.field("import")
async def import_of_delivery(told: Told, info: Info) -> Import:
    """The import as it is now."""
    return await info.context.ask(contract.GET_IMPORT, ImportId(import_id=told["import_id"]))
