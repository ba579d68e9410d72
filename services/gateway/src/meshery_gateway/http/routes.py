"""Routes as data: method, path, handler, and which endpoint's key guards it.

A route without an endpoint says in words why it is open. From this table the server is built, the OpenAPI
document is generated, and a test finds a route that nobody guards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from meshery_contracts.endpoints import Endpoint, Public
from meshery_contracts.keys import Key
from meshery_gateway.http.calls import Call
from meshery_gateway.http.shapes import Content

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One method on one path."""

    method: str
    path: str
    handler: Handler
    #: The endpoint that answers in the end, whose permission key counts; or why nobody is asked.
    guarded_by: Endpoint[Any, Any] | Public
    summary: str
    tag: str
    #: Query parameters in camelCase.
    query: tuple[str, ...] = ()
    #: Largest body in bytes, None for the usual limit: what the handler reads, and a test of attacks tries to exceed.
    max_body_bytes: int | None = None
    #: Further endpoints that may answer, depending on the body: the key of any one of them opens the route.
    or_by: tuple[Endpoint[Any, Any], ...] = ()
    #: What the body looks like, where one is read.
    body: Content | None = None
    #: What the answer looks like, where it is not the endpoint's reply as it is.
    answer: Content | None = None
    #: Whether a GET goes on and on, so that its head cannot be asked for alone.
    endless: bool = False

    @property
    def keys(self) -> tuple[Key, ...]:
        """The permission keys that open the route; none for one that is open, or decides by its content."""
        endpoints = [one for one in (self.guarded_by, *self.or_by) if isinstance(one, Endpoint)]
        return tuple(one.required_key for one in endpoints if one.required_key is not None)


#: What `Call.page` reads. A list gives its `nextCursor` with every page but the last.
PAGE_QUERY = ("page", "pageSize", "cursor", "search", "order", "sort")


def both_prefixes(path: str) -> tuple[str, str]:
    """A registry path under its old and its new prefix."""
    return f"/api/meshmodels{path}", f"/api/registry{path}"
