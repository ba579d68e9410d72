"""Changing what the registry holds: status, deletion, what registrants push, and the quarantine.

Meshery lets anybody push definitions. Here a registrant needs a token, or has to be in a network that a setting
names: then what it sends is kept apart until somebody approves it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from aiohttp import web

from meshery_contracts import registrations as contract
from meshery_contracts.endpoints import public
from meshery_contracts.errors import Invalid, Unauthenticated
from meshery_contracts.registrations import (
    DeleteModel,
    Judged,
    ListQuarantined,
    QuarantineId,
    RegisterDefinition,
    RegisterUnverified,
    SetStatus,
    StatusType,
)
from meshery_gateway.http.calls import Call
from meshery_gateway.http.guards import is_forwarded
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route, both_prefixes
from meshery_gateway.http.sessions import token_of
from meshery_gateway.http.shapes import Content, without

_TAG = "Registry"
_PUSH_BYTES = 4 * 1024 * 1024


async def set_status(call: Call) -> web.StreamResponse:
    """Enable, disable or ignore a model, component or relationship."""
    entity_type = call.request.match_info["entityType"].lower()
    if entity_type.removesuffix("s") not in list(StatusType):
        raise Invalid(
            f"{entity_type[:50]!r} has no status.",
            code="entity_type_unknown",
            remedy=f"Use one of: {', '.join(f'{one}s' for one in StatusType)}.",
        )
    body = both_read(await call.body())
    values = {"id": body.get("id"), "status": body.get("status"), "entity_type": entity_type}
    return await call.pass_on(contract.SET_STATUS, message_from(SetStatus, values))


async def delete_model(call: Call) -> web.StreamResponse:
    """Delete a model with all that belongs to it."""
    return await call.pass_on(contract.DELETE_MODEL, DeleteModel(model_id=call.id()))


# --- registrants --------------------------------------------------------------------------------------------


async def push(call: Call) -> web.StreamResponse:
    """Register one definition as a registrant, such as an adapter."""
    return await call.pass_on(
        contract.REGISTER_DEFINITION, message_from(RegisterDefinition, await _pushed(call))
    )


async def _pushed(call: Call) -> dict[str, Any]:
    """What a registrant sends; older adapters tell their host in place of a connection."""
    body = both_read(await call.body(_PUSH_BYTES))
    host = body.get("host")
    if not body.get("connection") and isinstance(host, dict):
        name = host.get("Hostname") or host.get("hostname") or ""
        port = host.get("Port") or host.get("port")
        instance = host.get("Metadata") or host.get("metadata")
        body["connection"] = {
            "kind": "meshery-adapter",
            "name": name,
            "metadata": {"host_name": name, "port": port, "instance": instance},
        }
    return body


@dataclass(frozen=True)
class Unproven:
    """Which registrants may push without a token, and whose quarantine takes what they send."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    organization_id: UUID

    def routes(self, routes: Iterable[Route]) -> tuple[Route, ...]:
        """The same routes, with the pushes among them open to these registrants."""
        reason = "A registrant's address counts: without a token its definitions wait in quarantine."
        return tuple(
            replace(one, handler=self.push, guarded_by=public(reason)) if one.handler is push else one
            for one in routes
        )

    async def push(self, call: Call) -> web.StreamResponse:
        """Register one definition; without a token it waits in quarantine until it is approved."""
        try:
            await call.session()
        except Unauthenticated:
            if self._address_of(call) is None:
                raise
        else:
            return await push(call)
        values = await _pushed(call)
        values |= {"organization_id": self.organization_id, "received_from": self._address_of(call)}
        reply = await call.bus.request(
            contract.REGISTER_UNVERIFIED,
            message_from(RegisterUnverified, values),
            assertion="",
            idempotency_key=call.idempotency_key,
        )
        return call.answer(reply)

    def _address_of(self, call: Call) -> str | None:
        """The address of who has no token, when it is one that is let in; not what a proxy says of it."""
        if is_forwarded(call.request) or token_of(call.request):
            return None
        try:
            address = ipaddress.ip_address(call.request.remote or "")
        except ValueError:
            return None
        return str(address) if any(address in one for one in self.networks) else None


# --- quarantine ---------------------------------------------------------------------------------------------


async def list_quarantined(call: Call) -> web.StreamResponse:
    """Definitions that wait for approval, newest first."""
    request = message_from(ListQuarantined, call.page(default_size=25))
    return await call.pass_on(contract.LIST_QUARANTINED, request)


async def get_quarantined(call: Call) -> web.StreamResponse:
    """The whole document of a quarantined definition."""
    return await call.pass_on(contract.GET_QUARANTINED, QuarantineId(id=call.id()))


async def approve(call: Call) -> web.StreamResponse:
    """Register the quarantined definitions that `ids` names."""
    return await call.pass_on(contract.APPROVE, message_from(Judged, await call.body()))


async def reject(call: Call) -> web.StreamResponse:
    """Drop the quarantined definitions that `ids` names."""
    return await call.pass_on(contract.REJECT, message_from(Judged, await call.body()))


_JUDGED = Content(Judged)
_QUARANTINE = "/api/registry/quarantine"

ROUTES = (
    *(
        Route(
            "POST",
            path,
            push,
            contract.REGISTER_DEFINITION,
            "Register a definition",
            _TAG,
            max_body_bytes=_PUSH_BYTES,
            body=Content(RegisterDefinition),
        )
        for path in (
            *both_prefixes("/components"),
            *both_prefixes("/relationships"),
            "/api/meshmodel/components/register",
        )
    ),
    *(
        Route(
            "POST",
            path,
            set_status,
            contract.SET_STATUS,
            "Enable, disable or ignore",
            _TAG,
            body=Content(without(SetStatus, "entityType")),
        )
        for path in both_prefixes("/{entityType}/status")
    ),
    *(
        Route("DELETE", path, delete_model, contract.DELETE_MODEL, "Delete a model", _TAG)
        for path in both_prefixes("/models/{id}")
    ),
    Route("GET", _QUARANTINE, list_quarantined, contract.LIST_QUARANTINED, "Quarantine", _TAG, PAGE_QUERY),
    Route("GET", f"{_QUARANTINE}/{{id}}", get_quarantined, contract.GET_QUARANTINED, "One of it", _TAG),
    Route("POST", f"{_QUARANTINE}/approve", approve, contract.APPROVE, "Approve", _TAG, body=_JUDGED),
    Route("POST", f"{_QUARANTINE}/reject", reject, contract.REJECT, "Reject", _TAG, body=_JUDGED),
)
