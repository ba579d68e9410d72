"""What every installation begins with: built-in roles, and the local provider's user and organisation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from meshery_common.database import Queries, Transaction
from meshery_common.ids import uuid7
from meshery_identity.domain.roles import BuiltInRole


@dataclass(frozen=True)
class Installation:
    """The rows that were made at the first start."""

    user_id: UUID
    organization_id: UUID
    workspace_id: UUID


class InstallationStore:
    """Statements of the first start, and of bringing built-in roles up to date."""

    async def lock(self, tx: Transaction) -> None:
        """Let no other process begin an installation until the transaction ends."""
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('identity installation', 0))")

    async def get(self, queries: Queries) -> Installation | None:
        """What the first start made; None before it."""
        row = await queries.fetchrow(
            "select local_user_id, local_organization_id, local_workspace_id from installation"
        )
        return Installation(row[0], row[1], row[2]) if row is not None else None

    async def insert(self, tx: Transaction, new: Installation, provider: str) -> None:
        """The local provider's user as member of its organisation and workspace."""
        await tx.execute(
            """
            insert into users (user_id, provider, username, first_name, last_name)
            values ($1, $2, 'meshery', 'Meshery', 'Meshery')
            """,
            new.user_id,
            provider,
        )
        await tx.execute(
            "insert into organizations (organization_id, name) values ($1, 'My Org')", new.organization_id
        )
        await tx.execute(
            "insert into organization_members (organization_id, user_id) values ($1, $2)",
            new.organization_id,
            new.user_id,
        )
        await tx.execute(
            """
            insert into workspaces (workspace_id, organization_id, name, description, owner_id)
            values ($1, $2, 'Default', 'Made with the installation.', $3)
            """,
            new.workspace_id,
            new.organization_id,
            new.user_id,
        )
        await tx.execute(
            "insert into workspace_members (workspace_id, organization_id, user_id) values ($1, $2, $3)",
            new.workspace_id,
            new.organization_id,
            new.user_id,
        )
        await tx.execute(
            """
            insert into installation (local_user_id, local_organization_id, local_workspace_id)
            values ($1, $2, $3)
            """,
            new.user_id,
            new.organization_id,
            new.workspace_id,
        )

    async def put_role(self, tx: Transaction, role: BuiltInRole) -> UUID:
        """Make a built-in role and its keychain, or bring them to this shape; the role's id."""
        role_id: UUID = await tx.fetchval(
            """
            insert into roles (role_id, name, description) values ($1, $2, $3)
            on conflict (organization_id, name) where deleted_at is null
            do update set description = excluded.description
            returning role_id
            """,
            uuid7(),
            role.name,
            role.description,
        )
        keychain_id: UUID = await tx.fetchval(
            """
            insert into keychains (keychain_id, name) values ($1, $2)
            on conflict (organization_id, name) where deleted_at is null
            do update set name = excluded.name
            returning keychain_id
            """,
            uuid7(),
            role.name,
        )
        await tx.execute(
            "insert into role_keychains (role_id, keychain_id) values ($1, $2) on conflict do nothing",
            role_id,
            keychain_id,
        )
        key_ids = [key.id for key in role.keys]
        await tx.execute(
            "delete from keychain_keys where keychain_id = $1 and key_id <> all ($2::uuid[])",
            keychain_id,
            key_ids,
        )
        await tx.execute(
            """
            insert into keychain_keys (keychain_id, key_id)
            select $1, unnest($2::uuid[]) on conflict do nothing
            """,
            keychain_id,
            key_ids,
        )
        return role_id

    async def give_role(self, tx: Transaction, organization_id: UUID, user_id: UUID, role_id: UUID) -> None:
        """Let a member hold a role in his organisation."""
        await tx.execute(
            """
            insert into organization_member_roles (organization_id, user_id, role_id)
            values ($1, $2, $3) on conflict do nothing
            """,
            organization_id,
            user_id,
            role_id,
        )
