"""The fields of Meshery's own schema (2024), in its shapes: paging in texts, snake_case, pages pushed whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_common.background import pause
from meshery_contracts import connections, definitions, designs, inventory, registry
from meshery_contracts.connections import ConnectionId, KubernetesContext
from meshery_contracts.designs import Design, ListDesigns
from meshery_contracts.errors import Invalid, Unavailable
from meshery_contracts.inventory import Summarize
from meshery_contracts.keys import Key
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_gateway.graphql.context import MAX_PAGE_SIZE, Context, Info
from meshery_gateway.graphql.scalars import time_text
from meshery_gateway.http.live import Following
from meshery_gateway.http.reading import id_of, message_from, number_from

T = TypeVar("T")

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_pattern = ObjectType("PatternResult")
_catalog_pattern = ObjectType("CatalogPattern")

BINDABLES = (_query, _mutation, _subscription, _pattern, _catalog_pattern)
#: A burst of changes is told as one.
_BURST_SECONDS = 0.3
_EMPTY_PAGE = {"page": 0, "page_size": 0, "total_count": 0}


def _page_of(selector: dict[str, Any]) -> dict[str, Any]:
    """Meshery's paging, in which numbers are texts and a page may be as long as one likes; ours ends at the limit."""
    size_text = selector.get("page_size", selector.get("pagesize", ""))
    values = {
        "page": _number("page", selector.get("page", ""), 0),
        "page_size": max(1, min(_number("pageSize", size_text, 10), MAX_PAGE_SIZE)),
    }
    for name in ("search", "order", "visibility", "updated_after"):
        if selector.get(name):
            values[name] = selector[name]
    return values


def _number(name: str, text: str, default: int) -> int:
    text = text.strip()
    return MAX_PAGE_SIZE if text.lower() == "all" else number_from(name, text, default)


async def _patterns(context: Context, selector: dict[str, Any]) -> dict[str, Any]:
    page = await context.ask(designs.LIST, message_from(ListDesigns, _page_of(selector)))
    counts = {name: getattr(page, name) for name in _EMPTY_PAGE}
    return {**counts, "patterns": page.patterns}


@_query.field("fetchPatterns")
async def fetch_patterns(_: object, info: Info, selector: dict[str, Any]) -> dict[str, Any]:
    """A page of designs."""
    return await _patterns(info.context, selector)


@_query.field("fetchPatternCatalogContent")
async def fetch_catalog(_: object, info: Info, selector: dict[str, Any] | None = None) -> list[Design]:
    """Published designs."""
    values = {**_page_of(selector or {}), "visibility": [designs.Visibility.PUBLISHED]}
    return (await info.context.ask(designs.LIST, message_from(ListDesigns, values))).patterns


@_pattern.field("canSupport")
def can_support(_: Design, __: Info) -> bool:
    """Whether every kind of it is known; Meshery's own clients ignore it."""
    return True


@_pattern.field("errmsg")
def no_message(_: Design, __: Info) -> None:
    """What speaks against it; nothing."""


@_pattern.field("created_at")
@_catalog_pattern.field("created_at")
def created_at(one: Design, _: Info) -> str:
    """The instant as a text."""
    return time_text(one.created_at)


@_pattern.field("updated_at")
@_catalog_pattern.field("updated_at")
def updated_at(one: Design, _: Info) -> str:
    """The instant as a text."""
    return time_text(one.updated_at)


@_query.field("getAvailableNamespaces")
async def list_namespaces(
    _: object, info: Info, k8s_cluster_ids: list[str] | None = None
) -> list[dict[str, str]]:
    """Namespaces of the named clusters, or of all, which the UI writes as `all`."""
    wanted = None if k8s_cluster_ids is None or "all" in k8s_cluster_ids else k8s_cluster_ids
    summary = await info.context.ask(inventory.SUMMARIZE, Summarize(cluster_ids=wanted))
    return [{"namespace": name} for name in summary.namespaces]


def _named(ids: list[str] | None) -> list[str]:
    """The UI writes `all` for all."""
    return [] if not ids or "all" in ids else ids


async def _summary(context: Context, selector: dict[str, Any]) -> dict[str, Any]:
    """How much each model brings; `type` picks one of the two, anything else gives both."""
    counts = await context.ask(definitions.SUMMARY, Nothing())
    found: dict[str, Any] = {}
    for part in ("components", "relationships"):
        if selector["type"] in (part, part[:-1]) or selector["type"] not in _SUMMARY_TYPES:
            found[part] = getattr(counts, f"{part}_by_model")
    return found


_SUMMARY_TYPES = ("components", "component", "relationships", "relationship")


@_query.field("getMeshModelSummary")
async def get_summary(_: object, info: Info, selector: dict[str, Any]) -> dict[str, Any]:
    """Counts of the registry."""
    return await _summary(info.context, selector)


@_mutation.field("resyncCluster")
async def resync_cluster(
    _: object, info: Info, k8scontext_id: str, selector: dict[str, str] | None = None
) -> str:
    """Have a cluster read anew; it goes on after the answer."""
    wishes = {name for name, text in (selector or {}).items() if text.strip().lower() == "true"}
    if "hard_reset" in wishes:
        raise Invalid(
            "Nobody resets the whole database from here.",
            code="hard_reset_refused",
            cause="`hardReset` would drop what other clusters and other organisations have stored.",
            remedy="Leave it out: `ReSync` puts right what is stored of this cluster.",
        )
    if not wishes:
        raise Invalid(
            "The selector asks for nothing.", code="resync_nothing", remedy='Send `ReSync: "true"`.'
        )
    request = ConnectionId(connection_id=id_of("k8scontextID", k8scontext_id))
    await info.context.ask(connections.RESYNC, request)
    return "PROCESSING"


# --- pages that are pushed whole ----------------------------------------------------------------------------


async def _repeated(following: Following, read: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
    """What is read, at once and again after changes, unless it is the same."""
    last = await read()
    yield last
    async for _ in following:
        await pause(_BURST_SECONDS)
        following.skip()
        try:
            now = await read()
        except Unavailable:
            following.miss()  # a service is away for a moment: its page is read when it is back
            continue
        if now != last:
            last = now
            yield now


@_subscription.source("subscribeK8sContext")
async def follow_contexts(
    _: object, info: Info, selector: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """Clusters, on each change of a connection."""
    context = info.context
    request = message_from(PageRequest, _page_of(selector))

    async def read() -> dict[str, Any]:
        page = await context.ask(connections.LIST_CONTEXTS, request)
        return {"total_count": page.total_count, "contexts": [_context_of(one) for one in page.contexts]}

    key = Key.VIEW_ALL_KUBERNETES_CLUSTERS
    with context.live.follow(context.session, key, connections.CHANGED) as following:
        async for page in _repeated(following, read):
            yield page


def _context_of(one: KubernetesContext) -> dict[str, Any]:
    found = one.model_dump(mode="json", by_alias=False)
    return {**found, "kubernetes_server_id": one.kubernetes_server_id or ""}


@_subscription.source("subscribeConfiguration")
async def follow_configuration(
    _: object, info: Info, pattern_selector: dict[str, Any], **__: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """Designs, on each save. Applications are designs today; filters have no service yet: both are empty."""
    context = info.context

    async def read() -> dict[str, Any]:
        return {
            "patterns": await _patterns(context, pattern_selector),
            "filters": {**_EMPTY_PAGE, "filters": []},
            "applications": {**_EMPTY_PAGE, "applications": []},
        }

    topics = (designs.SAVED, designs.CLONED, designs.DELETED)
    with context.live.follow(context.session, Key.VIEW_DESIGNS, *topics) as following:
        async for page in _repeated(following, read):
            yield page


@_subscription.source("subscribeClusterResources")
async def follow_cluster_resources(
    _: object, info: Info, namespace: str, k8scontext_ids: list[str] | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Counts by kind, on each change in a cluster."""
    context = info.context
    wanted = _named(k8scontext_ids)

    async def read() -> dict[str, Any]:
        request = Summarize(namespace=namespace)
        if wanted:
            page = await context.ask(connections.LIST_CONTEXTS, PageRequest(page_size=1000))
            ids = [one.connection_id for one in page.contexts if one.id in wanted and one.connection_id]
            if not ids:
                return {"resources": []}  # an empty filter would mean all clusters
            request = Summarize(namespace=namespace, connection_ids=ids)
        summary = await context.ask(inventory.SUMMARIZE, request)
        return {"resources": [{"kind": one.kind, "count": one.count} for one in summary.kinds]}

    key = Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE
    with context.live.follow(context.session, key, inventory.CHANGED) as following:
        async for page in _repeated(following, read):
            yield page


@_subscription.source("subscribeMeshModelSummary")
async def follow_summary(
    _: object, info: Info, selector: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """Counts of the registry, when kinds were learned."""
    context = info.context
    with context.live.follow(context.session, Key.VIEW_REGISTRY, registry.MODELS_REGISTERED) as following:
        async for page in _repeated(following, lambda: _summary(context, selector)):
            yield page
