"""Objects of connected clusters, and their changes as they happen."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import orjson
from ariadne import ObjectType, QueryType, SubscriptionType

from meshery_common.background import pause
from meshery_contracts import inventory as contract
from meshery_contracts.errors import DeadlineExceeded, Unavailable
from meshery_contracts.inventory import (
    ListResources,
    ResourceChange,
    ResourceId,
    ResourcePage,
    ResourcesChanged,
    Summarize,
    Summary,
)
from meshery_contracts.keys import Key
from meshery_gateway.graphql.context import Info, page_of, wanted_fields
from meshery_gateway.http.reading import message_from

_query = QueryType()
_subscription = SubscriptionType()
_page = ObjectType("ResourcePage")

BINDABLES = (_query, _subscription, _page)
#: Until a follower is told to read anew because nobody could say what he may see.
PAUSE_SECONDS = 1.0


@_query.field("resources")
async def list_resources(
    _: object,
    info: Info,
    page: int,
    page_size: int,
    filter: dict[str, Any] | None = None,
    **more: Any,
) -> ResourcePage:
    """A page of objects; the large parts are read only when they are asked for."""
    wanted = wanted_fields(info)
    values = {
        **page_of(page, page_size, **(filter or {}), **more),
        **{f"with_{part}": part in wanted or "raw" in wanted for part in _PARTS},
    }
    return await info.context.ask(contract.LIST, message_from(ListResources, values))


@_page.field("resources")
def objects_of_page(page: ResourcePage, _: Info) -> list[dict[str, Any]]:
    """The rows in our shape."""
    return [_object_of(one) for one in page.resources]


@_query.field("resource")
async def get_resource(_: object, info: Info, id: str) -> dict[str, Any]:
    """One object."""
    reply = await info.context.ask(contract.GET, ResourceId(resource_id=id))
    return _object_of(reply.resource)


@_query.field("resourceSummary")
async def summarize(_: object, info: Info, **filters: Any) -> Summary:
    """Kinds, namespaces and labels, with counts."""
    return await info.context.ask(contract.SUMMARIZE, message_from(Summarize, filters))


_PARTS = ("spec", "status", "labels", "annotations")


def _object_of(raw: dict[str, Any]) -> dict[str, Any]:
    """Meshery's shape with its nested JSON texts and key-value rows, as plain values."""
    metadata = raw.get("metadata") or {}
    return {
        "id": raw.get("id", ""),
        "api_version": raw.get("apiVersion", ""),
        "kind": raw.get("kind", ""),
        "namespace": metadata.get("namespace") or "",
        "name": metadata.get("name") or "",
        "cluster_id": raw.get("cluster_id") or raw.get("clusterId") or "",
        "spec": _value_of(raw.get("spec")),
        "status": _value_of(raw.get("status")),
        "labels": _pairs_of(metadata.get("labels")),
        "annotations": _pairs_of(metadata.get("annotations")),
        "raw": raw,
    }


def _value_of(part: Any) -> Any:
    """What stands in `attribute` as JSON text; a part that is a value already stays one."""
    if not isinstance(part, dict) or "attribute" not in part:
        return part
    text = part["attribute"]
    try:
        return orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        return text


def _pairs_of(rows: Any) -> Any:
    if not isinstance(rows, list):
        return rows
    return {one["key"]: one.get("value", "") for one in rows if isinstance(one, dict) and "key" in one}


@_subscription.source("resourceChanges")
async def follow_resources(
    _: object, info: Info, connection_ids: list[UUID], kinds: list[str], namespaces: list[str]
) -> AsyncGenerator[dict[str, Any], None]:
    """Changes in the caller's clusters; an empty filter lets everything through."""
    context = info.context
    key = Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE
    with context.live.follow(context.session, key, contract.CHANGED) as following:
        sequence = 0
        async for delivery in following:
            told: dict[str, Any] = {"resync": delivery.resync, "changes": []}
            event = delivery.happened.event if delivery.happened else None
            if isinstance(event, ResourcesChanged):
                if connection_ids and event.connection_id not in connection_ids:
                    continue
                changes = [one for one in event.changes if _passes(one, kinds, namespaces)]
                if not (changes or event.resync):
                    continue
                try:
                    if not await context.live.visible.has(context.session, event.connection_id):
                        continue
                except (Unavailable, DeadlineExceeded):
                    # Nobody can say whether this may be told: the follower reads anew under his own rights.
                    following.miss()
                    await pause(PAUSE_SECONDS)
                    continue
                told = {
                    "resync": event.resync,
                    "connection_id": event.connection_id,
                    "changes": changes,
                }
            sequence += 1
            yield {**told, "sequence": sequence}


def _passes(change: ResourceChange, kinds: list[str], namespaces: list[str]) -> bool:
    return (not kinds or change.kind in kinds) and (not namespaces or change.namespace in namespaces)
