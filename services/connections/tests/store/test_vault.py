"""Secrets in the database: sealed, bound to their rows, and openable over a change of master keys."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.domain.envelopes import MasterKey
from meshery_connections.service import Vault, master_keys
from meshery_contracts.errors import Internal, Unavailable

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
SECRET = "apiVersion: v1 # very-secret"


async def stored(db: Database, vault: Vault, organization_id: UUID) -> UUID:
    credential_id = uuid4()
    async with db.transaction(organization_id) as tx:
        await vault.put(
            tx, credential_id, SECRET, organization_id=organization_id, owner_id=uuid4(), name="prod"
        )
    return credential_id


async def test_what_is_put_in_comes_out_and_only_ciphertext_lies_in_the_table(db: Database) -> None:
    vault = Vault(db, (OLD,))
    credential_id = await stored(db, vault, uuid4())
    assert await vault.credential(credential_id) == SECRET
    sealed = await db.fetchval(EVERY_ORGANIZATION, "select sealed from credentials")
    assert b"secret" not in bytes(sealed)
    assert await Vault(db, (OLD,)).credential(credential_id) == SECRET


async def test_a_ciphertext_in_another_row_does_not_open(db: Database) -> None:
    vault = Vault(db, (OLD,))
    organization_id = uuid4()
    one, two = await stored(db, vault, organization_id), await stored(db, vault, organization_id)
    await db.execute(
        EVERY_ORGANIZATION,
        "update credentials set sealed = (select sealed from credentials where id = $1) where id = $2",
        one,
        two,
    )
    with pytest.raises(Internal) as caught:
        await vault.credential(two)
    assert "secret" not in caught.value.problem.model_dump_json()


async def test_master_keys_can_be_changed(db: Database) -> None:
    credential_id = await stored(db, Vault(db, (OLD,)), uuid4())
    changed = Vault(db, (NEW, OLD))
    assert await changed.credential(credential_id) == SECRET
    assert await changed.rewrap() == 1
    assert await changed.rewrap() == 0
    assert await Vault(db, (NEW,)).credential(credential_id) == SECRET
    with pytest.raises(Internal):
        await Vault(db, (OLD,)).credential(credential_id)


async def test_a_data_key_under_a_missing_master_key_is_left_alone(db: Database) -> None:
    await stored(db, Vault(db, (OLD,)), uuid4())
    assert await Vault(db, (NEW,)).rewrap() == 0


async def test_an_old_data_key_opens_and_a_new_one_seals(db: Database) -> None:
    vault = Vault(db, (OLD,), data_key_days=90)
    organization_id = uuid4()
    before = await stored(db, vault, organization_id)
    await db.execute(EVERY_ORGANIZATION, "update data_keys set created_at = now() - interval '91 days'")
    after = await stored(db, vault, organization_id)
    assert await db.fetchval(EVERY_ORGANIZATION, "select max(version) from data_keys") == 2
    assert [await vault.credential(one) for one in (before, after)] == [SECRET, SECRET]


async def test_a_key_of_a_transaction_that_was_rolled_back_is_not_used(db: Database) -> None:
    vault = Vault(db, (OLD,))
    organization_id = uuid4()
    with suppress(RuntimeError):
        async with db.transaction(organization_id) as tx:
            await vault.put(tx, uuid4(), SECRET, organization_id=organization_id, owner_id=uuid4(), name="x")
            raise RuntimeError("undone")
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from data_keys") == 0
    assert await vault.credential(await stored(db, vault, organization_id)) == SECRET


async def test_a_credential_that_is_gone_is_said_to_be(db: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        await Vault(db, (OLD,)).credential(uuid4())
    assert caught.value.problem.code == "credential_gone"


def test_the_master_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "master.key"
    made = master_keys(file, create=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert master_keys(file, create=True) == made
    assert [one.name for one in file.parent.iterdir()] == ["master.key"]


def test_a_missing_open_or_broken_master_key_file_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    with pytest.raises(ValueError, match="urandom"):
        master_keys(file, create=False)
    file.write_text("aGVsbG8=\n")
    file.chmod(0o600)
    with pytest.raises(ValueError, match="line 1"):
        master_keys(file, create=False)
    file.chmod(0o644)
    with pytest.raises(ValueError, match="chmod"):
        master_keys(file, create=False)
