"""Connections and Kubernetes contexts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from ariadne import EnumType, MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import connections as contract
from meshery_contracts.connections import (
    Connection,
    ConnectionFact,
    ConnectionId,
    ConnectionPage,
    ConnectionStatus,
    ContextList,
    Kubeconfig,
    KubernetesContextPage,
    ListConnections,
    RegisterDefinitions,
    RegisteredContexts,
    RegisteredDefinitions,
    RegisterKubeconfig,
    SetStatus,
)
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_contracts.paging import PageRequest
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.graphql.following import Told, deliveries
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_page = ObjectType("ConnectionPage")
_delivery = ObjectType("ConnectionDelivery")
#: One of Meshery's words has a blank in it.
_status = EnumType("ConnectionStatus", {one.name.lower(): one.value for one in ConnectionStatus})

BINDABLES = (_query, _mutation, _subscription, _page, _delivery, _status)


@_query.field("connections")
async def list_connections(
    _: object, info: Info, page: int, page_size: int, **filters: Any
) -> ConnectionPage:
    """A page of connections."""
    request = message_from(ListConnections, page_of(page, page_size, **filters))
    return await info.context.ask(contract.LIST, request)


@_page.field("statusSummary")
def counts_of_page(page: ConnectionPage, _: Info) -> list[dict[str, Any]]:
    """The counts as a list: GraphQL has no maps of its own."""
    known = {one.value for one in ConnectionStatus}
    return [{"status": name, "count": count} for name, count in page.status_summary.items() if name in known]


@_query.field("connection")
async def get_connection(_: object, info: Info, id: UUID) -> Connection:
    """One connection."""
    return await info.context.connections.load(id)


@_query.field("kubernetesContexts")
async def list_contexts(
    _: object, info: Info, page: int, page_size: int, search: str
) -> KubernetesContextPage:
    """A page of clusters."""
    request = message_from(PageRequest, page_of(page, page_size, search=search))
    return await info.context.ask(contract.LIST_CONTEXTS, request)


@_query.field("kubeconfigContexts")
async def read_contexts(_: object, info: Info, kubeconfig: str) -> ContextList:
    """The contexts of a kubeconfig."""
    return await info.context.ask(
        contract.READ_CONTEXTS, message_from(Kubeconfig, {"kubeconfig": kubeconfig})
    )


@_query.field("clusterVersion")
async def get_version(_: object, info: Info, connection_id: UUID) -> str:
    """What a cluster answers right now."""
    reply = await info.context.ask(contract.PING, ConnectionId(connection_id=connection_id))
    return reply.server_version


@_mutation.field("setConnectionStatus")
async def set_status(_: object, info: Info, id: UUID, status: str) -> Connection:
    """Move a connection to another state."""
    request = SetStatus(connection_id=id, status=ConnectionStatus(status))
    return await info.context.ask(contract.SET_STATUS, request)


@_mutation.field("deleteConnection")
async def delete_connection(_: object, info: Info, id: UUID) -> Connection:
    """Delete a connection."""
    return await info.context.ask(contract.DELETE, ConnectionId(connection_id=id))


@_mutation.field("resyncConnection")
async def resync_connection(_: object, info: Info, id: UUID) -> Connection:
    """Have a cluster read anew."""
    return await info.context.ask(contract.RESYNC, ConnectionId(connection_id=id))


@_mutation.field("registerDefinitions")
async def register_definitions(_: object, info: Info, kubeconfig: str, context: str) -> RegisteredDefinitions:
    """Import the custom kinds of a cluster."""
    values = {"kubeconfig": kubeconfig, "context": context}
    return await info.context.ask(contract.REGISTER_DEFINITIONS, message_from(RegisterDefinitions, values))


@_mutation.field("saveKubeconfig")
async def save_kubeconfig(_: object, info: Info, input: dict[str, Any]) -> RegisteredContexts:
    """Connect the clusters of a kubeconfig."""
    return await info.context.ask(contract.REGISTER_KUBECONFIG, message_from(RegisterKubeconfig, input))


@_subscription.source("connectionChanges")
def follow_connections(_: object, info: Info) -> AsyncGenerator[Told, None]:
    """Changes of state. Names are not told here: the connection is read under the rights of who follows."""
    return deliveries(info, Key.VIEW_CONNECTIONS, contract.CHANGED, tell=_told_of)


def _told_of(fact: Message) -> Told:
    if not isinstance(fact, ConnectionFact):
        return {}
    return {"connection_id": fact.connection_id, "status": fact.status, "previous": fact.previous}


@_delivery.field("connection")
async def connection_of_delivery(told: Told, info: Info) -> Connection | None:
    """The connection as it is now."""
    connection_id = told.get("connection_id")
    if connection_id is None:
        return None
    return await info.context.connections.load_or_none(connection_id)
