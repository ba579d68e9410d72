"""From what somebody presents to who he is."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.errors import Forbidden, Unauthenticated
from meshery_identity.domain import people, tokens
from meshery_identity.domain.people import Standing
from meshery_identity.domain.tokens import KnownToken
from meshery_identity.store import PeopleStore, TokenStore


@dataclass(frozen=True)
class TokenHolder:
    """A valid token and the standing of its owner in its organisation."""

    token: KnownToken
    standing: Standing


class Credentials:
    """Checks tokens, for HTTP, for integrators and for NATS alike. Nothing is cached: a revoked one stops at once."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._queries = db.within(EVERY_ORGANIZATION)
        self._tokens = TokenStore()
        self._people = PeopleStore()
        self._clock = clock

    async def holder(self, text: str, organization_id: UUID | None = None) -> TokenHolder:
        """Who holds this token. Raises `Unauthenticated`, or `Forbidden` for a deactivated owner or when another
        organisation than the token's is wanted."""
        now = self._clock()
        presented = tokens.read(text)
        token = tokens.check(presented, await self._tokens.known(self._queries, presented.token_id), now)
        if organization_id not in (None, token.organization_id):
            raise Forbidden(
                "The token is for another organisation.",
                code="organization_foreign",
                remedy="Make a token in the organisation that you want to act in.",
            )
        standing = await self._people.standing(self._queries, token.user_id, token.organization_id)
        if standing is None:
            raise Unauthenticated(
                "The owner of the token does not exist any more.",
                code="token_orphaned",
                remedy="Use a token of a present member of the organisation.",
            )
        holder = TokenHolder(token, people.check_standing(standing))
        if tokens.needs_note(token, now):
            await self._tokens.note_use(self._queries, token.token_id, tokens.minute(now))
        return holder
