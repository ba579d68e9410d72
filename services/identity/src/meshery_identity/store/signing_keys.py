"""Signing keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from meshery_common.database import Queries, Transaction


@dataclass(frozen=True)
class StoredSigningKey:
    """One key; its private half is sealed."""

    key_id: UUID
    public_jwk: dict[str, Any]
    sealed_private_jwk: bytes
    signs_from: datetime


class SigningKeyStore:
    """Statements over signing keys."""

    async def lock(self, tx: Transaction) -> None:
        """Let no other process make or remove keys until the transaction ends."""
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('identity signing keys', 0))")

    async def list(self, queries: Queries) -> Sequence[StoredSigningKey]:
        """All keys, the one that signs last first."""
        rows = await queries.fetch(
            """
            select key_id, public_jwk, sealed_private_jwk, signs_from
            from signing_keys order by signs_from desc, key_id
            """
        )
        return [
            StoredSigningKey(
                key_id=row["key_id"],
                public_jwk=row["public_jwk"],
                sealed_private_jwk=row["sealed_private_jwk"],
                signs_from=row["signs_from"],
            )
            for row in rows
        ]

    async def insert(self, tx: Transaction, key: StoredSigningKey, created_at: datetime) -> None:
        """Keep a new key."""
        await tx.execute(
            """
            insert into signing_keys (key_id, public_jwk, sealed_private_jwk, created_at, signs_from)
            values ($1, $2, $3, $4, $5)
            """,
            key.key_id,
            key.public_jwk,
            key.sealed_private_jwk,
            created_at,
            key.signs_from,
        )

    async def delete(self, tx: Transaction, key_ids: Sequence[UUID]) -> None:
        """Forget keys for good."""
        await tx.execute("delete from signing_keys where key_id = any ($1::uuid[])", list(key_ids))
