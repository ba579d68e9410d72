"""The registry beyond its lists: icons, counts, validation, and forms for what can be made."""

from __future__ import annotations

import re

import orjson
from aiohttp import web

from meshery_contracts import definitions as contract
from meshery_contracts.definitions import GetIcons, ValidateValues
from meshery_contracts.endpoints import public
from meshery_contracts.errors import NotFound
from meshery_contracts.messages import Nothing
from meshery_gateway.http.calls import Call
from meshery_gateway.http.forms import FORMS
from meshery_gateway.http.guards import SECURITY_HEADERS
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import Route, both_prefixes
from meshery_gateway.http.shapes import TEXT, Content, by_name, fields

_TAG = "Registry"
_HASH = re.compile(r"[0-9a-f]{64}")
#: Icons are somebody else's markup: opened as a page, one can neither run nor fetch anything.
_ICON_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Type": "image/svg+xml",
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=31536000, immutable",
}
_MAX_VALIDATED_BYTES = 4 * 1024 * 1024


async def get_icon(call: Call) -> web.StreamResponse:
    """An icon by the SHA-256 of its text; what a hash stands for never changes."""
    name = call.request.match_info["hash"]
    icons = {}
    if _HASH.fullmatch(name):
        tag = f'"{name[:24]}"'
        if call.request.headers.get("If-None-Match") == tag:
            return await _sent(call, web.Response(status=304, headers={**_ICON_HEADERS, "ETag": tag}))
        icons = (await call.ask(contract.GET_ICONS, GetIcons(hashes=[name]))).icons
    if name not in icons:
        raise NotFound(f"There is no icon {name[:64]!r}.", code="icon_unknown")
    return await _sent(call, web.Response(text=icons[name], headers={**_ICON_HEADERS, "ETag": tag}))


async def _sent(call: Call, response: web.Response) -> web.Response:
    """Sent from here, so that its own content policy stays; others get that of our pages."""
    await response.prepare(call.request)
    await response.write_eof()
    return response


async def summarize(call: Call) -> web.StreamResponse:
    """How much the registry holds."""
    return await call.pass_on(contract.SUMMARY, Nothing())


async def validate(call: Call) -> web.StreamResponse:
    """Whether values satisfy the schemas that come with them."""
    values = both_read(await call.body(_MAX_VALIDATED_BYTES))
    items = values.get("validation_items")
    if isinstance(items, dict):
        values["validation_items"] = {key: _as_texts(item) for key, item in items.items()}
    return await call.pass_on(contract.VALIDATE, message_from(ValidateValues, values))


def _as_texts(item: object) -> object:
    """Schema and value are texts; what came as a value becomes one."""
    if not isinstance(item, dict):
        return item
    return {
        key: orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value
        for key, value in item.items()
    }


async def get_form(call: Call) -> web.StreamResponse:
    """A form for what people can make: JSON Schema, and how to lay it out."""
    name = call.request.match_info["resourceName"]
    if name not in FORMS:
        raise NotFound(
            f"There is no form {name[:50]!r}.", code="form_unknown", remedy=f"There are: {', '.join(FORMS)}."
        )
    return call.answer(FORMS[name])


_OPEN = public("Forms are the same for everybody and tell nothing of anybody.")

#: Schema and value as texts, or as they are.
_ITEM = fields("schema", "value", schema={}, value={}, valueType=TEXT)

ROUTES = (
    Route("GET", "/api/registry/icons/{hash}.svg", get_icon, contract.GET_ICONS, "An icon", _TAG),
    Route("GET", "/api/registry/summary", summarize, contract.SUMMARY, "Counts", _TAG),
    *(
        Route(
            "POST",
            path,
            validate,
            contract.VALIDATE,
            "Validate values",
            _TAG,
            max_body_bytes=_MAX_VALIDATED_BYTES,
            body=Content(fields("validationItems", validationItems=by_name(_ITEM))),
        )
        for path in both_prefixes("/validate")
    ),
    Route("GET", "/api/schema/resource/{resourceName}", get_form, _OPEN, "A form", _TAG),
)
