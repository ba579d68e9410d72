"""Who is behind a request: from its credential to the assertion that services believe.

Identity is asked once per credential and minute; everything in between costs a look into a dictionary. A token
that is revoked is forgotten as soon as identity announces it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from meshery_common.bus import Bus
from meshery_contracts import identity
from meshery_contracts.caller import key_missing
from meshery_contracts.errors import Invalid, Problem, Unauthenticated
from meshery_contracts.keys import Key
from meshery_gateway.http.asking import Asking
from meshery_gateway.http.guards import from_loopback

_KEPT = 10_000
TOKEN_COOKIE = "token"  # noqa: S105 -- the name of a cookie, not its value
PROVIDER_COOKIE = "meshery-provider"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody whom identity has told us about."""

    assertion: str
    user_id: UUID
    organization_id: UUID
    provider: str
    token: str
    #: The permission keys held; what streams are checked by, since no service sees each delivery.
    key_ids: frozenset[UUID]
    #: `time.monotonic()` after which identity is asked again.
    renew_at: float

    def require_any(self, keys: tuple[Key, ...]) -> None:
        """Raise Forbidden unless one of the keys is held. The services decide again; this spares them the work."""
        if keys and not any(key.id in self.key_ids for key in keys):
            raise key_missing(keys[0])


class Sessions:
    """The sessions of this process."""

    def __init__(self, bus: Bus, renew_seconds: float) -> None:
        self._bus = bus
        self._renew_seconds = renew_seconds
        self._known: OrderedDict[tuple[str, str, bool], Session] = OrderedDict()
        self._generation = 0
        self._asking: Asking[tuple[str, str, bool], Session] = Asking()

    async def of(self, request: web.Request) -> Session:
        """The session of a request. Raises Unauthenticated, or Unavailable while identity is away."""
        return await self.of_credential(
            token_of(request), provider_of(request), loopback=from_loopback(request)
        )

    async def of_credential(self, token: str, provider: str, *, loopback: bool) -> Session:
        """The session behind a token; without one only loopback gets in, where the provider allows it."""
        key = (token, provider, loopback)
        known = self._known.get(key)
        if known is not None and time.monotonic() < known.renew_at:
            return known
        return await self._asking.once(key, lambda: self._renewed(key))

    async def _renewed(self, key: tuple[str, str, bool]) -> Session:
        generation = self._generation
        session = await self._ask(*key)
        if generation != self._generation:
            return session  # asked for before a right was taken away: good for this request only
        self._known[key] = session
        self._known.move_to_end(key)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return session

    def forget(self) -> None:
        """Ask identity anew about everybody: a right or a token was taken away."""
        self._generation += 1
        self._known.clear()

    async def _ask(self, token: str, provider: str, loopback: bool) -> Session:
        reply = await self._bus.request(
            identity.AUTHENTICATE,
            identity.Authenticate(token=token, provider=provider, from_loopback=loopback),
            assertion="",
        )
        return Session(
            assertion=reply.assertion,
            user_id=reply.user_id,
            organization_id=reply.organization_id,
            provider=reply.provider,
            token=token,
            key_ids=frozenset(reply.key_ids),
            renew_at=time.monotonic() + self._renew_seconds,
        )


def token_of(request: web.Request) -> str:
    """The credential of a request: Authorization, header meshery-token, or the cookie, in this order.

    Raises Invalid for a header that is not understood, Unauthenticated for letters that no token has.
    """
    authorization = request.headers.get("Authorization", "")
    if authorization:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise Invalid(
                "The header Authorization is not understood.",
                code="authorization_invalid",
                remedy="Send `Authorization: Bearer <token>`.",
            )
        return checked_token(value.strip())
    return checked_token(request.headers.get("meshery-token") or _cookie(request, TOKEN_COOKIE))


def checked_token(text: str) -> str:
    """The token. Raises Unauthenticated for letters that none has: they fit into no message either."""
    if _is_plain(text):
        return text
    raise Unauthenticated(
        "This is no token of Meshery.",
        code="token_malformed",
        cause="It holds a character that is not printable ASCII.",
        remedy="Make a new token, and send it as it was shown.",
    )


def forget_cookies(request: web.Request, response: web.Response, problem: Problem) -> None:
    """Have a browser drop the cookie that kept it out: its pages have no other way to get rid of it.

    Cookies know no ports, so it may well have been set by another server on this host.
    """
    name = PROVIDER_COOKIE if problem.code == "provider_unknown" else TOKEN_COOKIE
    if _cookie(request, name):
        response.del_cookie(name, path="/", httponly=True, samesite="Lax")


def provider_of(request: web.Request) -> str:
    """The provider that a client has chosen: cookie, header or query, in this order; empty for none.

    Raises Unauthenticated for letters that no provider's name has.
    """
    chosen = _cookie(request, PROVIDER_COOKIE) or request.headers.get(PROVIDER_COOKIE, "")
    if not chosen and request.query_string:
        chosen = request.query.get("provider", "")
    if _is_plain(chosen):
        return chosen
    raise Unauthenticated(
        f"There is no provider {chosen[:100]!r} here.",
        code="provider_unknown",
        remedy="Choose one of /api/providers.",
    )


def _cookie(request: web.Request, name: str) -> str:
    """A cookie's value, or an empty text; reading cookies costs even where there are none."""
    return request.cookies.get(name, "") if "Cookie" in request.headers else ""


def printable(name: str, value: str) -> str:
    """The value. Raises Invalid unless all of it is printable ASCII: bytes of another kind fit into no message."""
    if _is_plain(value):
        return value
    raise Invalid(f"{name} holds a character that is not printable ASCII.", code="header_invalid")


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
