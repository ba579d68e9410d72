"""Making, listing and revoking personal access tokens."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from meshery_common import outbox, seals
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Command, Database, Repeated
from meshery_common.ids import uuid7
from meshery_common.nats_permissions import guest_bodies
from meshery_contracts import identity as contract
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.errors import Conflict, Forbidden, Invalid
from meshery_contracts.identity import (
    CreateToken,
    NewToken,
    Token,
    TokenCreated,
    TokenId,
    TokenPage,
    TokenRevoked,
)
from meshery_contracts.keys import BY_ID, keys_of_bits
from meshery_contracts.paging import PageRequest
from meshery_identity.domain import nats_logins, roles, tokens
from meshery_identity.store import PeopleStore, TokenStore


class TokensService:
    """Use cases over tokens."""

    def __init__(
        self,
        db: Database,
        master_key: bytes,
        *,
        environment: str,
        most_per_user: int,
        nats_url: str,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = TokenStore()
        self._people = PeopleStore()
        self._master_key = master_key
        self._environment = environment
        self._most_per_user = most_per_user
        self._nats_url = nats_url
        self._clock = clock

    async def create(self, request: CreateToken, caller: Caller) -> NewToken:
        """Make a token with some or all of the caller's keys; its secret is in this answer and nowhere else."""
        if caller.kind is not CallerKind.USER:
            raise Forbidden("Only people have tokens.", code="not_a_person")
        key_ids = await self._granted(request, caller)
        token_id = uuid7()
        secret = tokens.write(self._environment, token_id, secrets.token_bytes(tokens.SECRET_BYTES))
        try:
            async with self._db.command(caller.organization_id) as tx:
                token = await self._create(tx, request, caller, token_id, secret, key_ids)
                # Repeats get the same answer: it is kept for a day, so the secret in it is sealed.
                await tx.answer(token.model_copy(update={"token": self._seal(token_id, secret)}))
        except Repeated as repeat:
            kept = NewToken.model_validate_json(repeat.answer)
            return kept.model_copy(update={"token": self._unseal(kept.id, kept.token)})
        return token

    async def list(self, request: PageRequest, caller: Caller) -> TokenPage:
        """The caller's own tokens in the organisation he acts in."""
        queries = self._db.within(caller.organization_id)
        return await self._store.list(queries, caller.organization_id, caller.user_id, request)

    async def delete(self, request: TokenId, caller: Caller) -> Token:
        """Revoke one of the caller's own tokens: identity refuses it from now on."""
        async with self._db.command(caller.organization_id) as tx:
            now = self._clock()
            token = await self._store.revoke(
                tx, request.token_id, caller.organization_id, caller.user_id, now
            )
            fact = TokenRevoked(
                organization_id=caller.organization_id,
                user_id=caller.user_id,
                actor=caller.actor,
                occurred_at=now,
                category="token",
                action="revoke",
                description=f"Token '{token.name}' was revoked.",
                acted_upon=token.id,
                token_id=token.id,
            )
            await outbox.add(tx, contract.TOKEN_REVOKED, fact, subject_id=token.id)
            return await tx.answer(token)

    async def _create(
        self,
        tx: Command,
        request: CreateToken,
        caller: Caller,
        token_id: UUID,
        secret: str,
        key_ids: tuple[UUID, ...] | None,
    ) -> NewToken:
        now = self._clock()
        await self._store.lock_owner(tx, caller.user_id)
        if await self._store.count_valid(tx, caller.user_id, now) >= self._most_per_user:
            raise Conflict(
                f"You have {self._most_per_user} valid tokens, more are not allowed.",
                code="too_many_tokens",
                remedy="Revoke tokens that you no longer use.",
            )
        token = NewToken(
            id=token_id,
            name=request.name,
            purpose=request.purpose,
            owner=caller.user_id,
            organization_id=caller.organization_id,
            created_at=now,
            expires_at=now + timedelta(days=request.days),
            token=secret,
            nats_url=self._nats_url,
            nats_user=str(token_id),
            nats_inbox_prefix=nats_logins.inbox_of(token_id),
            nats_body_prefix=guest_bodies(nats_logins.inbox_of(token_id)),
        )
        await self._store.insert(tx, token, tokens.sha256(tokens.secret_of(secret)), key_ids)
        fact = TokenCreated(
            organization_id=caller.organization_id,
            user_id=caller.user_id,
            actor=caller.actor,
            occurred_at=now,
            category="token",
            action="create",
            description=f"Token '{token.name}' was made; it is valid until {token.expires_at:%Y-%m-%d}.",
            acted_upon=token.id,
            token_id=token.id,
        )
        await outbox.add(tx, contract.TOKEN_CREATED, fact, subject_id=token.id)
        return token

    async def _granted(self, request: CreateToken, caller: Caller) -> tuple[UUID, ...] | None:
        """The keys of the new token: never more than the caller asks with, who may hold a restricted token."""
        if request.keys is None:
            standing = await self._people.standing(
                self._db.within(EVERY_ORGANIZATION), caller.user_id, caller.organization_id
            )
            everything = roles.bits_of_ids(standing.key_ids) if standing is not None else 0
            if caller.key_bits == everything:
                return None  # all of its owner's, also those he gets later
            return tuple(key.id for key in keys_of_bits(caller.key_bits))
        unknown = [one for one in request.keys if one not in BY_ID]
        if unknown:
            raise Invalid(
                f"There is no permission key {unknown[0]}.",
                code="key_unknown",
                remedy="Choose among your own keys: meshery.rpc.identity.v1.list_keys.",
            )
        missing = [BY_ID[one].function for one in request.keys if not caller.holds(BY_ID[one])]
        if missing:
            raise Forbidden(
                f"A token cannot hold a key that you do not: {missing[0]!r}.",
                code="key_missing",
                remedy="Choose among your own keys: meshery.rpc.identity.v1.list_keys.",
            )
        return tuple(sorted(set(request.keys)))

    def _seal(self, token_id: UUID, secret: str) -> str:
        nonce = secrets.token_bytes(seals.NONCE_BYTES)
        return seals.seal(self._master_key, secret.encode(), about=_about(token_id), nonce=nonce).hex()

    def _unseal(self, token_id: UUID, sealed: str) -> str:
        return seals.unseal(self._master_key, bytes.fromhex(sealed), about=_about(token_id)).decode()


def _about(token_id: UUID) -> str:
    return f"idempotency_keys|answer|{token_id}"
