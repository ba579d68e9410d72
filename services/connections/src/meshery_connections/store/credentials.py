"""Sealed credentials and wrapped data keys in PostgreSQL. No plain secret ever comes here."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from meshery_common.database import Queries, Transaction


@dataclass(frozen=True)
class WrappedKey:
    """A data key as it is stored."""

    organization_id: UUID
    version: int
    master_key_id: str
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True)
class SealedCredential:
    """A credential as it is stored."""

    id: UUID
    organization_id: UUID
    sealed: bytes = field(repr=False)


class CredentialStore:
    """Statements over credentials and data keys."""

    async def get(self, queries: Queries, credential_id: UUID) -> SealedCredential | None:
        """A credential; None when it was deleted."""
        row = await queries.fetchrow(
            "select id, organization_id, sealed from credentials where id = $1", credential_id
        )
        return SealedCredential(row["id"], row["organization_id"], row["sealed"]) if row is not None else None

    async def put(
        self,
        tx: Transaction,
        credential_id: UUID,
        sealed: bytes,
        *,
        organization_id: UUID,
        owner_id: UUID,
        name: str,
    ) -> None:
        """A new credential, or what an old one is now."""
        await tx.execute(
            """
            insert into credentials as c (id, organization_id, owner_id, name, type, sealed)
            values ($1, $2, $3, $4, 'kubernetes', $5)
            on conflict (id) do update set sealed = excluded.sealed, name = excluded.name, updated_at = now()
            """,
            credential_id,
            organization_id,
            owner_id,
            name,
            sealed,
        )

    async def delete(self, tx: Transaction, credential_id: UUID) -> None:
        """Remove a credential for good."""
        await tx.execute("delete from credentials where id = $1", credential_id)

    async def data_key(self, queries: Queries, organization_id: UUID, version: int) -> WrappedKey | None:
        """A data key of an organisation."""
        row = await queries.fetchrow(
            "select master_key_id, wrapped from data_keys where organization_id = $1 and version = $2",
            organization_id,
            version,
        )
        return (
            WrappedKey(organization_id, version, row["master_key_id"], row["wrapped"])
            if row is not None
            else None
        )

    async def newest_data_key(
        self, queries: Queries, organization_id: UUID, days: int
    ) -> tuple[WrappedKey | None, int]:
        """The newest data key that is younger than this, and the version that a new one would have."""
        row = await queries.fetchrow(
            """
            select version, master_key_id, wrapped, created_at > now() - make_interval(days => $2) as young
            from data_keys where organization_id = $1 order by version desc limit 1
            """,
            organization_id,
            days,
        )
        if row is None:
            return None, 1
        found = WrappedKey(organization_id, row["version"], row["master_key_id"], row["wrapped"])
        return (found if row["young"] else None), row["version"] + 1

    async def insert_data_key(self, tx: Transaction, new: WrappedKey) -> bool:
        """A new data key; False when somebody else made this version meanwhile."""
        return bool(
            await tx.execute(
                """
                insert into data_keys (organization_id, version, master_key_id, wrapped) values ($1, $2, $3, $4)
                on conflict do nothing
                """,
                new.organization_id,
                new.version,
                new.master_key_id,
                new.wrapped,
            )
        )

    async def wrapped_otherwise(self, tx: Transaction, master_key_id: str, limit: int) -> list[WrappedKey]:
        """Data keys under another master key, for wrapping them anew in this transaction."""
        rows = await tx.fetch(
            """
            select organization_id, version, master_key_id, wrapped from data_keys
            where master_key_id <> $1 limit $2 for update skip locked
            """,
            master_key_id,
            limit,
        )
        return [WrappedKey(row[0], row[1], row[2], row[3]) for row in rows]

    async def rewrap(self, tx: Transaction, key: WrappedKey) -> None:
        """A data key under another master key."""
        await tx.execute(
            "update data_keys set master_key_id = $3, wrapped = $4 where organization_id = $1 and version = $2",
            key.organization_id,
            key.version,
            key.master_key_id,
            key.wrapped,
        )
