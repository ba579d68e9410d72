"""Kinds of connections that models bring along, or that people define.

A definition belongs to a model: the one that it names, or that of all that name none.
"""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web
from pydantic.alias_generators import to_camel

from meshery_contracts import definitions, registrations
from meshery_contracts.definitions import GetModel, ListConnectionDefinitions
from meshery_contracts.errors import Invalid, NotFound
from meshery_contracts.registrations import DeleteConnectionDefinition, RegisterDefinition
from meshery_gateway.http.calls import Call
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route, both_prefixes
from meshery_gateway.http.shapes import ANY_OBJECT, TEXT, Content, fields

_TAG = "Registry"
_SCHEMA_VERSION = "connections.meshery.io/v1beta3"
#: Of definitions that name no model.
_NO_MODEL = {"name": "connections", "displayName": "Connections", "model": {"version": "v1.0.0"}}


async def list_connection_definitions(call: Call) -> web.StreamResponse:
    """The kinds of connections that there are."""
    values = {
        **call.page(default_size=25, crosswise=True),
        "model": call.text("model"),
        "kind": call.text("kind"),
    }
    return await call.pass_on(
        definitions.LIST_CONNECTION_DEFINITIONS, message_from(ListConnectionDefinitions, values)
    )


async def get_connection_definition(call: Call) -> web.StreamResponse:
    """One kind of connections."""
    return call.answer(await _definition(call, call.id()))


async def create_connection_definition(call: Call) -> web.StreamResponse:
    """Define a kind of connections; the same kind of the same model again replaces it."""
    body = both_read(await call.body())
    model = body.get("model_reference") or body.get("model") or _NO_MODEL
    if not isinstance(model, dict):
        raise Invalid(
            "`modelReference` is no reference to a model.",
            code="model_reference_invalid",
            remedy='Send {"name": …, "model": {"version": …}}, or none.',
        )
    return call.answer(await _registered(call, body, model), status=201)


async def update_connection_definition(call: Call) -> web.StreamResponse:
    """Replace a definition; its kind and its model are what it is known by, and stay."""
    known = await _definition(call, call.id())
    body = both_read(await call.body())
    if body.setdefault("kind", known["kind"]) != known["kind"]:
        raise Invalid(
            f"This is the definition of the kind {known['kind']!r}.",
            code="connection_kind",
            remedy="Leave `kind` as it is, or define another kind.",
        )
    request = GetModel(model_id=UUID(known["modelId"]))
    model = (await call.ask(definitions.GET_MODEL, request)).entity
    return call.answer(await _registered(call, body, model))


async def delete_connection_definition(call: Call) -> web.StreamResponse:
    """Delete a definition; what ships with the product stays."""
    request = DeleteConnectionDefinition(definition_id=call.id())
    return await call.pass_on(registrations.DELETE_CONNECTION_DEFINITION, request)


async def _registered(call: Call, body: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """The definition as it is stored. Raises Invalid."""
    left_out = ("id", "model", "model_reference", "model_id", "schema_version")
    entity = {to_camel(name): value for name, value in body.items() if name not in left_out}
    entity |= {"schemaVersion": _SCHEMA_VERSION, "model": model}
    registrant = model.get("registrant")
    registrant = registrant if isinstance(registrant, dict) else {}
    values = {
        "connection": {"kind": registrant.get("kind") or "meshery", "name": registrant.get("name") or ""},
        "entity_type": "connection",
        "entity": base64.b64encode(orjson.dumps(entity)).decode(),
    }
    request = message_from(RegisterDefinition, values)
    registered = await call.ask(registrations.REGISTER_DEFINITION, request)
    assert registered.id is not None  # noqa: S101 -- only what is quarantined has none
    return await _definition(call, registered.id)


async def _definition(call: Call, definition_id: UUID) -> dict[str, Any]:
    """Raises NotFound."""
    request = ListConnectionDefinitions(definition_id=definition_id)
    found = (await call.ask(definitions.LIST_CONNECTION_DEFINITIONS, request)).connection_definitions
    if not found:
        raise NotFound(
            f"There is no connection definition {definition_id}.", code="connection_definition_unknown"
        )
    return found[0]


_LIST = "/connections"
_ONE = "/connections/{id}"
_LISTING, _REGISTER = definitions.LIST_CONNECTION_DEFINITIONS, registrations.REGISTER_DEFINITION
_DELETE = registrations.DELETE_CONNECTION_DEFINITION

_FIELDS = {
    **dict.fromkeys(("kind", "type", "subType", "name", "description", "status"), TEXT),
    **dict.fromkeys(("connectionSchema", "credentialSchema", "styles", "transitionMap"), ANY_OBJECT),
}
_NEW = Content(
    fields("kind", **_FIELDS, modelReference=fields("name", name=TEXT, model=fields("version", version=TEXT)))
)
_REPLACED = Content(fields(**_FIELDS))

ROUTES = (
    *(
        Route(
            "GET", path, list_connection_definitions, _LISTING, "Kinds of connections", _TAG,
            (*PAGE_QUERY, "model", "kind"),
        )
        for path in both_prefixes(_LIST)
    ),
    *(
        Route(
            "POST", path, create_connection_definition, _REGISTER, "Define a kind of connections", _TAG,
            body=_NEW, answer=Content(ANY_OBJECT, status=201),
        )
        for path in both_prefixes(_LIST)
    ),
    *(
        Route(
            "GET", path, get_connection_definition, _LISTING, "A kind of connections", _TAG,
            answer=Content(ANY_OBJECT),
        )
        for path in both_prefixes(_ONE)
    ),
    *(
        Route(
            "PUT", path, update_connection_definition, _REGISTER, "Replace its definition", _TAG,
            body=_REPLACED, answer=Content(ANY_OBJECT),
        )
        for path in both_prefixes(_ONE)
    ),
    *(
        Route("DELETE", path, delete_connection_definition, _DELETE, "Delete its definition", _TAG)
        for path in both_prefixes(_ONE)
    ),
)  # fmt: skip
