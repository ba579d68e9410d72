"""Who is asking: credentials in, signed assertions out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import identity as contract
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import ServicesOnly
from meshery_contracts.errors import Forbidden, NotFound, Unauthenticated
from meshery_contracts.identity import (
    Assertion,
    Authenticate,
    Delegate,
    ExchangeToken,
    ListSigningKeys,
)
from meshery_identity.domain import people
from meshery_identity.service.credentials import Credentials
from meshery_identity.service.signing_keys import SigningKeys
from meshery_identity.store import PeopleStore


class AssertionsService:
    """Use cases over assertions. `local_user_id` is the local provider's user, who needs no login over loopback;
    None switches that off."""

    def __init__(
        self, db: Database, credentials: Credentials, keys: SigningKeys, *, local_user_id: UUID | None
    ) -> None:
        self._queries = db.within(EVERY_ORGANIZATION)
        self._people = PeopleStore()
        self._credentials = credentials
        self._keys = keys
        self._local_user_id = local_user_id

    async def signing_keys(self, request: ListSigningKeys, caller: Caller) -> contract.SigningKeys:
        """The public keys, the newest first."""
        return contract.SigningKeys(keys=self._keys.public())

    async def authenticate(self, request: Authenticate, caller: Caller) -> Assertion:
        """Who is behind an HTTP request: the token's owner, or over loopback the local user."""
        if request.token:
            return await self._of_token(request.token, request.organization_id)
        people.check_provider(request.provider)
        if self._local_user_id is None or not request.from_loopback:
            raise Unauthenticated(
                "Nobody knows who is asking: the request carries no token.",
                code="token_missing",
                cause="Without a token only requests from this very machine are served, and only where the "
                "operator allows it.",
                remedy="Make a personal access token on the machine that runs Meshery, and send it as bearer "
                "token or as cookie `token`.",
            )
        organization_id = request.organization_id or await self._people.home(
            self._queries, self._local_user_id
        )
        standing = await self._people.standing(
            self._queries, self._local_user_id, organization_id or people.NOBODY_ID
        )
        present = people.check_standing(standing)
        return self._signed(people.caller_of(present), present.provider)

    async def exchange(self, request: ExchangeToken, caller: Caller) -> Assertion:
        """An integrator's token for an assertion."""
        return await self._of_token(request.token, request.organization_id)

    async def delegate(self, request: Delegate, caller: Caller) -> Assertion:
        """An assertion with which a service acts for a person with the rights he has now, or on its own.

        The nil organisation stands for work that belongs to none; a person always needs one.
        """
        _check_actor(request.actor)
        if request.user_id is None or request.user_id == people.NOBODY_ID:
            known = request.organization_id == people.NOBODY_ID or await self._people.organization_exists(
                self._queries, request.organization_id
            )
            if not known:
                raise NotFound(
                    f"There is no organisation {request.organization_id}.", code="organization_unknown"
                )
            return self._signed(people.service_caller(request.organization_id, request.actor), "")
        standing = people.check_standing(
            await self._people.standing(self._queries, request.user_id, request.organization_id)
        )
        return self._signed(people.caller_of(standing, actor=request.actor), standing.provider)

    async def _of_token(self, text: str, organization_id: UUID | None) -> Assertion:
        holder = await self._credentials.holder(text, organization_id)
        caller = people.caller_of(holder.standing, only=holder.token.key_ids)
        return self._signed(caller, holder.standing.provider)

    def _signed(self, caller: Caller, provider: str) -> Assertion:
        assertion, expires_at = self._keys.sign(caller)
        return Assertion(
            assertion=assertion,
            expires_at=datetime.fromtimestamp(expires_at, UTC),
            user_id=caller.user_id,
            organization_id=caller.organization_id,
            provider=provider,
            key_ids=[key.id for key in caller.keys],
        )


def _check_actor(actor: str) -> None:
    """NATS lets only these services reach the endpoint; none of them may speak as somebody else's name."""
    access = contract.DELEGATE.key
    if not isinstance(access, ServicesOnly) or actor not in access.services:
        raise Forbidden(
            f"{actor[:100]!r} is no service that may act for people.",
            code="actor_unknown",
            remedy="Name the service itself as actor.",
        )
