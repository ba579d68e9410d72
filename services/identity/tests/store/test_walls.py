"""What the database itself holds apart: organisations, built-in rows, purged tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database, StatementFailed
from meshery_contracts.identity import Token
from meshery_contracts.paging import PageRequest
from meshery_identity.domain import roles, tokens
from meshery_identity.service import Installations
from meshery_identity.store import Installation, InstallationStore, TokenStore

NOW = datetime.now(UTC)


@pytest.fixture
async def installation(db: Database) -> Installation:
    """An installation that was begun."""
    return await Installations(db).prepare()


async def keep_token(db: Database, installation: Installation, *, expires_at: datetime) -> UUID:
    token = Token(
        id=uuid4(),
        name="ci",
        owner=installation.user_id,
        organization_id=installation.organization_id,
        created_at=NOW,
        expires_at=expires_at,
    )
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await TokenStore().insert(tx, token, tokens.sha256("x"), None)
    return token.id


@pytest.mark.parametrize(
    "table",
    [
        "organization_members",
        "organization_member_roles",
        "teams",
        "team_members",
        "workspaces",
        "workspace_members",
        "workspace_teams",
        "tokens",
    ],
)
async def test_rows_of_another_organisation_are_not_seen(
    db: Database, installation: Installation, table: str
) -> None:
    await keep_token(db, installation, expires_at=NOW + timedelta(days=1))
    count = f"select count(*) from {table}"
    assert await db.fetchval(uuid4(), count) == 0
    assert await db.fetchval(EVERY_ORGANIZATION, count) == await db.fetchval(
        installation.organization_id, count
    )
    forced = await db.fetchval(
        EVERY_ORGANIZATION, "select relforcerowsecurity from pg_class where oid = $1::text::regclass", table
    )
    assert forced


async def test_no_request_changes_a_built_in_role(db: Database, installation: Installation) -> None:
    here = installation.organization_id
    assert await db.fetchval(here, "select count(*) from roles") == len(roles.BUILT_IN)
    assert await db.execute(here, "update roles set name = 'x'") == 0
    assert await db.execute(here, "delete from keychains") == 0
    with pytest.raises(StatementFailed):
        await db.execute(here, "insert into roles (role_id, name) values (gen_random_uuid(), 'x')")


async def test_built_in_roles_are_brought_up_to_date(db: Database, installation: Installation) -> None:
    async def keys_of(name: str) -> set[UUID]:
        rows = await db.fetch(
            EVERY_ORGANIZATION,
            """
            select k.key_id from keychain_keys k join keychains c on c.keychain_id = k.keychain_id
            where c.name = $1
            """,
            name,
        )
        return {row["key_id"] for row in rows}

    whole = {key.id for key in roles.LOCAL_USER.keys}
    assert await keys_of("Local user") == whole
    older = roles.BuiltInRole("Local user", "", roles.LOCAL_USER.keys[3:])
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await InstallationStore().put_role(tx, older)
    assert await keys_of("Local user") == {key.id for key in older.keys}
    assert await Installations(db).prepare() == installation
    assert await keys_of("Local user") == whole


async def test_a_renamed_installation_is_found_again(db: Database, installation: Installation) -> None:
    await db.execute(EVERY_ORGANIZATION, "update organizations set name = 'Ours'")
    await db.execute(EVERY_ORGANIZATION, "update users set username = 'somebody'")
    assert await Installations(db).prepare() == installation
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from users") == 1


async def test_ended_tokens_are_forgotten_and_others_kept(db: Database, installation: Installation) -> None:
    store = TokenStore()
    await keep_token(db, installation, expires_at=NOW - timedelta(days=100))
    recent = await keep_token(db, installation, expires_at=NOW - timedelta(days=10))
    revoked = await keep_token(db, installation, expires_at=NOW + timedelta(days=10))
    valid = await keep_token(db, installation, expires_at=NOW + timedelta(days=10))
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await store.revoke(
            tx, revoked, installation.organization_id, installation.user_id, NOW - timedelta(days=95)
        )
    assert await store.purge(db.within(EVERY_ORGANIZATION), NOW - timedelta(days=90)) == 2
    page = await store.list(
        db.within(installation.organization_id),
        installation.organization_id,
        installation.user_id,
        PageRequest(),
    )
    assert {one.id for one in page.tokens} == {recent, valid}
