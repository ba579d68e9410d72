"""Personal access tokens in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_common.paging import OrderBy, SelectBuilder, Sort, contains
from meshery_contracts.errors import NotFound
from meshery_contracts.identity import Token, TokenPage
from meshery_contracts.paging import PageRequest
from meshery_identity.domain.tokens import KnownToken

_COLUMNS: LiteralString = """
    t.token_id, t.name, t.purpose, t.user_id, t.organization_id, t.created_at, t.expires_at, t.last_used_at
"""
_ORDER = OrderBy(
    columns={
        "created_at": Sort("t.created_at"),
        "expires_at": Sort("t.expires_at"),
        "name": Sort("lower(t.name)", str),
    },
    default="created_at desc",
    id_sql="t.token_id",
)


class TokenStore:
    """Statements over tokens."""

    async def known(self, queries: Queries, token_id: UUID) -> KnownToken | None:
        """What is kept of a token, whatever its state; None when there is none."""
        row = await queries.fetchrow(
            """
            select token_id, organization_id, user_id, name, secret_sha256, key_ids, expires_at, last_used_at,
                revoked_at
            from tokens where token_id = $1
            """,
            token_id,
        )
        if row is None:
            return None
        return KnownToken(
            token_id=row["token_id"],
            organization_id=row["organization_id"],
            user_id=row["user_id"],
            name=row["name"],
            secret_sha256=row["secret_sha256"],
            key_ids=tuple(row["key_ids"]) if row["key_ids"] is not None else None,
            expires_at=row["expires_at"],
            last_used_at=row["last_used_at"],
            revoked_at=row["revoked_at"],
        )

    async def note_use(self, queries: Queries, token_id: UUID, minute: datetime) -> None:
        """Write down when a token was used, unless a later time stands there."""
        await queries.execute(
            """
            update tokens set last_used_at = $2
            where token_id = $1 and (last_used_at is null or last_used_at < $2)
            """,
            token_id,
            minute,
        )

    async def lock_owner(self, tx: Transaction, user_id: UUID) -> None:
        """Let nobody else make tokens for this person until the transaction ends."""
        await tx.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))", f"identity tokens {user_id}"
        )

    async def count_valid(self, queries: Queries, user_id: UUID, now: datetime) -> int:
        """How many tokens of this person are valid."""
        count: int = await queries.fetchval(
            "select count(*) from tokens where user_id = $1 and revoked_at is null and expires_at > $2",
            user_id,
            now,
        )
        return count

    async def insert(
        self, tx: Transaction, token: Token, secret_sha256: bytes, key_ids: tuple[UUID, ...] | None
    ) -> None:
        """Keep a new token."""
        await tx.execute(
            """
            insert into tokens
                (token_id, organization_id, user_id, name, purpose, secret_sha256, key_ids, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            token.id,
            token.organization_id,
            token.owner,
            token.name,
            token.purpose,
            secret_sha256,
            list(key_ids) if key_ids is not None else None,
            token.created_at,
            token.expires_at,
        )

    async def revoke(
        self, tx: Transaction, token_id: UUID, organization_id: UUID, user_id: UUID, now: datetime
    ) -> Token:
        """End a person's own token. Raises NotFound."""
        row = await tx.fetchrow(
            f"""
            update tokens t set revoked_at = $4
            where t.token_id = $1 and t.organization_id = $2 and t.user_id = $3 and t.revoked_at is null
            returning {_COLUMNS}
            """,  # noqa: S608 -- the columns are a constant of ours
            token_id,
            organization_id,
            user_id,
            now,
        )
        if row is None:
            raise NotFound(
                f"There is no token {token_id}.",
                code="token_unknown",
                cause="It was revoked before, or it is somebody else's.",
                remedy="List your tokens to see which there are.",
            )
        return _token(row)

    async def list(
        self, queries: Queries, organization_id: UUID, user_id: UUID, request: PageRequest
    ) -> TokenPage:
        """A person's tokens in an organisation that were not revoked, expired ones too."""
        select = (
            SelectBuilder("tokens", _COLUMNS, "tokens t")
            .where("t.organization_id = {}", organization_id)
            .where("t.user_id = {}", user_id)
            .where("t.revoked_at is null")
        )
        if request.search:
            select.where("t.name ilike {}", contains(request.search))
        page = await select.page(queries, _ORDER, request)
        return TokenPage(**page.envelope, tokens=[_token(row) for row in page.rows])

    async def purge(self, queries: Queries, ended_before: datetime) -> int:
        """Forget tokens that ended before then; how many."""
        return await queries.execute(
            "delete from tokens where least(expires_at, revoked_at) < $1", ended_before
        )


def _token(row: Row) -> Token:
    return Token(
        id=row["token_id"],
        name=row["name"],
        purpose=row["purpose"],
        owner=row["user_id"],
        organization_id=row["organization_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
    )
