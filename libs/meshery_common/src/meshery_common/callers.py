"""Assertions: who is asking, signed by identity, verified here once and then cached.

An assertion is a JWT (Ed25519, RFC 9864) that lives for two minutes. Identity signs with `AssertionSigner`; every
service verifies with `AssertionVerifier`. A bare header is never trusted.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.errors import ProblemError, Unauthenticated

ISSUER = "meshery-identity"
ALGORITHM = "Ed25519"
#: How long an assertion is valid; the gateway renews after half of it.
LIFETIME_SECONDS = 120
#: Clocks of two machines may differ by this much.
LEEWAY_SECONDS = 5
_CACHED_ASSERTIONS = 10_000
#: Keys are asked for anew at most this often when an assertion names one that is not known …
REFETCH_SECONDS = 2.0
#: … and at least this often while known ones are in use.
FRESH_SECONDS = 300.0

NOBODY = Caller(user_id=UUID(int=0), organization_id=UUID(int=0))
"""The caller of an endpoint that is open to everybody, when no assertion came with the request."""

#: Gives the public keys of identity as JSON Web Keys by key id.
KeySource = Callable[[], Awaitable[Mapping[str, Mapping[str, Any]]]]


@dataclass(frozen=True)
class AssertionSigner:
    """Signs assertions with one Ed25519 key. Only identity has one."""

    key: OKPKey
    key_id: str

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> AssertionSigner:
        """A signer from a private JSON Web Key with a `kid`."""
        return cls(key=OKPKey.import_key(dict(jwk)), key_id=str(jwk["kid"]))

    def public_jwk(self) -> dict[str, Any]:
        """What verifiers need to know of the key."""
        return {**self.key.as_dict(private=False), "kid": self.key_id}

    def sign(self, caller: Caller, *, now: float) -> tuple[str, float]:
        """The assertion for a caller, and the second (epoch) it expires at."""
        expires_at = now + LIFETIME_SECONDS
        claims = {
            "iss": ISSUER,
            "sub": str(caller.user_id),
            "org": str(caller.organization_id),
            "kind": caller.kind.value,
            "keys": format(caller.key_bits, "x"),
            "teams": [str(one) for one in caller.team_ids],
            "workspaces": [str(one) for one in caller.workspace_ids],
            "act": caller.actor,
            "iat": int(now),
            "exp": int(expires_at),
        }
        header = {"alg": ALGORITHM, "kid": self.key_id}
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM]), expires_at


class AssertionVerifier:
    """Turns an assertion into the caller it speaks for.

    Verified assertions are remembered until they expire, so that a session costs one signature check per
    renewal and not one per request. An unknown key id fetches identity's keys anew, at most every few seconds.
    """

    def __init__(self, keys: KeySource) -> None:
        self._source = keys
        self._keys: dict[str, OKPKey] = {}
        self._fetched_at = float("-inf")
        self._verified: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    async def verify(self, assertion: str) -> Caller:
        """The caller, or `Unauthenticated` when the assertion is forged, expired or not an assertion."""
        known = self._verified.get(assertion)
        now = time.time()
        if known is not None and now < known[1]:
            return known[0]
        caller, expires_at = await self._verify(assertion, now)
        self._verified[assertion] = (caller, expires_at)
        if len(self._verified) > _CACHED_ASSERTIONS:
            self._verified.popitem(last=False)
        return caller

    async def _verify(self, assertion: str, now: float) -> tuple[Caller, float]:
        try:
            key_id = str(_unverified_header(assertion)["kid"])
            key = await self._key(key_id)
            claims = jwt.decode(assertion, key, algorithms=[ALGORITHM]).claims
            expires_at = float(claims["exp"]) + LEEWAY_SECONDS
            if claims["iss"] != ISSUER or now >= expires_at or float(claims["iat"]) > now + LEEWAY_SECONDS:
                raise _not_valid("It has expired, or was not issued by identity.")
            return _caller_of(claims), expires_at
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise _not_valid("It is malformed or its signature does not fit.") from error

    async def _key(self, key_id: str) -> OKPKey:
        age = time.monotonic() - self._fetched_at
        if key_id not in self._keys:
            if age > REFETCH_SECONDS:
                await self._fetch()
        elif age > FRESH_SECONDS:
            # A key that identity has withdrawn must end here too. While identity is away the known ones do.
            with contextlib.suppress(ProblemError):
                await self._fetch()
        return self._keys[key_id]

    async def _fetch(self) -> None:
        fetched = await self._source()
        self._fetched_at = time.monotonic()
        self._keys = {kid: OKPKey.import_key(dict(jwk)) for kid, jwk in fetched.items()}


def _unverified_header(assertion: str) -> Mapping[str, Any]:
    from joserfc.jws import extract_compact  # imported here: only a first sight of a token needs it

    return extract_compact(assertion.encode()).protected


def _caller_of(claims: Mapping[str, Any]) -> Caller:
    return Caller(
        kind=CallerKind(claims["kind"]),
        user_id=UUID(claims["sub"]),
        organization_id=UUID(claims["org"]),
        team_ids=tuple(UUID(one) for one in claims["teams"]),
        workspace_ids=tuple(UUID(one) for one in claims["workspaces"]),
        key_bits=int(claims["keys"], 16),
        actor=str(claims["act"]),
    )


def _not_valid(why: str) -> Unauthenticated:
    return Unauthenticated(
        "The assertion in the header Meshery-Caller is not valid.",
        code="assertion_invalid",
        cause=why,
        remedy="Exchange your token for a new assertion: meshery.rpc.identity.v1.exchange_token.",
    )
