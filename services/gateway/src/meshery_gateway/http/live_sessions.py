"""The session of an open stream: it outlives the request, so it is asked for anew, and ends when it is revoked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiohttp import web

from meshery_contracts.errors import Forbidden, Invalid, Problem, ProblemError, Unauthenticated
from meshery_contracts.keys import Key
from meshery_gateway.http.guards import from_loopback
from meshery_gateway.http.sessions import Session, Sessions, provider_of, token_of

log = structlog.get_logger()

#: Identity may be away for this long before an open stream is closed for want of knowledge.
_PATIENCE_SECONDS = 300.0
_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Credential:
    """What a stream was opened with."""

    token: str
    provider: str
    loopback: bool

    @classmethod
    def of(cls, request: web.Request, token: str = "") -> Credential:
        """The credential of a request; a `token` that came in a message wins."""
        return cls(token or token_of(request), provider_of(request), from_loopback(request))


class LiveSession:
    """Who is behind an open stream, right now."""

    def __init__(self, sessions: Sessions, credential: Credential, session: Session) -> None:
        self._sessions = sessions
        self._credential = credential
        self._current = session
        self._soon = asyncio.Event()

    @classmethod
    async def start(cls, sessions: Sessions, credential: Credential) -> LiveSession:
        """The session behind a credential. Raises Unauthenticated."""
        one = await sessions.of_credential(
            credential.token, credential.provider, loopback=credential.loopback
        )
        return cls(sessions, credential, one)

    @property
    def user_id(self) -> UUID:
        """The person."""
        return self._current.user_id

    @property
    def organization_id(self) -> UUID:
        """The organisation that the stream was opened in."""
        return self._current.organization_id

    @property
    def assertion(self) -> str:
        """What services believe; good for at least a minute."""
        return self._current.assertion

    @property
    def current(self) -> Session:
        """The session as identity last told it."""
        return self._current

    def holds(self, key: Key) -> bool:
        """Whether the person holds this key."""
        return key.id in self._current.key_ids

    def require(self, key: Key) -> None:
        """Raise Forbidden unless the person holds the key."""
        if not self.holds(key):
            raise Forbidden(
                f"You may not follow this: the permission key {key.function!r} is missing.",
                code="key_missing",
                detail=f"key {key.id} ({key.category})",
                cause="None of your roles in this organisation holds the key.",
                remedy="Ask an administrator of the organisation for a role that holds it.",
            )

    def renew_soon(self) -> None:
        """Ask identity at once, not only when the minute is over."""
        self._soon.set()

    async def renewed(self) -> None:
        """Renew now. Raises Unauthenticated or Forbidden when the person may no longer be here."""
        credential = self._credential
        one = await self._sessions.of_credential(
            credential.token, credential.provider, loopback=credential.loopback
        )
        if one.organization_id != self._current.organization_id:
            raise Unauthenticated("You act in another organisation now.", code="organization_changed")
        self._current = one

    async def revoked(self) -> Problem:
        """Keep the session fresh until it is revoked; gives the reason."""
        known_at = time.monotonic()
        while True:
            pause = self._current.renew_at - time.monotonic()
            if pause <= 0:
                pause = _RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await self.renewed()
                known_at = time.monotonic()
            except (Unauthenticated, Forbidden, Invalid) as error:
                return error.problem
            except ProblemError as error:
                if time.monotonic() - known_at > _PATIENCE_SECONDS:
                    return error.problem
                log.warning("a session cannot be renewed yet", error=str(error))
