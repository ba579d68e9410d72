"""Secrets in and out of the database. Nobody else in the project opens one."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import structlog

from meshery_common.background import pause
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.master_keys import make_master_key_file
from meshery_connections.domain import envelopes
from meshery_connections.domain.envelopes import DataKey, EnvelopeError, MasterKey, Place
from meshery_connections.store import CredentialStore
from meshery_connections.store.credentials import WrappedKey
from meshery_contracts.errors import Internal, Unavailable

log = structlog.get_logger()

_REWRAP_AT_ONCE = 200
_REWRAP_SECONDS = 3600.0


class Vault:
    """Seals secrets under an organisation's data key, and opens them."""

    def __init__(self, db: Database, masters: Sequence[MasterKey], *, data_key_days: int = 90) -> None:
        self._db = db
        self._store = CredentialStore()
        self._masters = tuple(masters)
        self._days = data_key_days
        # Only keys that were read as committed: one of a transaction that is rolled back must not stay here.
        self._opened: dict[tuple[UUID, int], DataKey] = {}

    async def put(
        self,
        tx: Transaction,
        credential_id: UUID,
        secret: str,
        *,
        organization_id: UUID,
        owner_id: UUID,
        name: str,
    ) -> None:
        """Seal a credential into its row; the row must lie in the transaction's scope."""
        key = await self._sealing_key(tx, organization_id)
        place = _credential_place(credential_id, organization_id)
        sealed = envelopes.seal(key, secret.encode(), place, secrets.token_bytes(envelopes.NONCE_BYTES))
        await self._store.put(
            tx, credential_id, sealed, organization_id=organization_id, owner_id=owner_id, name=name
        )

    async def credential(self, credential_id: UUID) -> str:
        """Open a credential. Raises Unavailable when it is gone, Internal when it does not open."""
        found = await self._store.get(self._db.within(EVERY_ORGANIZATION), credential_id)
        if found is None:
            raise Unavailable(
                "The connection's credential is gone.",
                code="credential_gone",
                remedy="Upload the kubeconfig again.",
            )
        try:
            key = await self._opening_key(found.organization_id, envelopes.version_of(found.sealed))
            place = _credential_place(found.id, found.organization_id)
            return envelopes.unseal(key, found.sealed, place).decode()
        except EnvelopeError as error:
            log.exception("a credential does not open", credential_id=str(credential_id))
            raise Internal(
                "The connection's credential cannot be opened.",
                code="credential_sealed",
                cause="The master key file was changed or replaced, or the row was tampered with.",
                remedy="Restore the master key file, or upload the kubeconfig again.",
            ) from error

    async def holds(self, credential_id: UUID, secret: str) -> bool:
        """Whether this very secret is kept there; False also for one that is gone or does not open."""
        try:
            kept = await self.credential(credential_id)
        except (Unavailable, Internal):
            return False
        return hmac.compare_digest(kept.encode(), secret.encode())

    def digest_key(self, organization_id: UUID) -> bytes:
        """The key that MeshSync makes digests of secret values with; the same after every restart."""
        return self._masters[-1].derived(f"digest {organization_id}")

    async def rewrap_for_ever(self) -> None:
        """Wrap data keys anew that are under an older master key; run as a supervised task."""
        while True:
            while count := await self.rewrap():
                log.info("wrapped data keys under the current master key", count=count)
            await pause(_REWRAP_SECONDS)

    async def rewrap(self) -> int:
        """Bring some data keys under the current master key; how many they were.

        Keys whose master key is missing are left alone: it may come back.
        """
        current = self._masters[0]
        known = {one.id for one in self._masters}
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            found = await self._store.wrapped_otherwise(tx, current.id, _REWRAP_AT_ONCE)
            keys = [one for one in found if one.master_key_id in known]
            for one in keys:
                plain = envelopes.unwrap(self._masters, one.master_key_id, one.wrapped)
                wrapped = envelopes.wrap(current, plain)
                await self._store.rewrap(
                    tx, WrappedKey(one.organization_id, one.version, current.id, wrapped)
                )
        return len(keys)

    async def _sealing_key(self, tx: Transaction, organization_id: UUID) -> DataKey:
        while True:
            found, version = await self._store.newest_data_key(tx, organization_id, self._days)
            if found is not None:
                return DataKey(
                    found.version, envelopes.unwrap(self._masters, found.master_key_id, found.wrapped)
                )
            key = secrets.token_bytes(envelopes.KEY_BYTES)
            master = self._masters[0]
            new = WrappedKey(organization_id, version, master.id, envelopes.wrap(master, key))
            if await self._store.insert_data_key(tx, new):
                return DataKey(version, key)

    async def _opening_key(self, organization_id: UUID, version: int) -> DataKey:
        opened = self._opened.get((organization_id, version))
        if opened is None:
            found = await self._store.data_key(self._db.within(EVERY_ORGANIZATION), organization_id, version)
            if found is None:
                raise EnvelopeError(f"data key {version} of organisation {organization_id} is missing")
            plain = envelopes.unwrap(self._masters, found.master_key_id, found.wrapped)
            opened = self._opened[organization_id, version] = DataKey(version, plain)
        return opened


def master_keys(file: Path, *, create: bool) -> tuple[MasterKey, ...]:
    """The master keys of a file; with `create` a missing one is made, readable by its owner only.

    Raises ValueError, which says what to do and quotes nothing.
    """
    if create:
        make_master_key_file(file)
    try:
        status = file.stat()
        content = file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the master key file {file} cannot be read: make one with "
            "`head -c 32 /dev/urandom | base64`, or set CONNECTIONS_CREATE_MASTER_KEY in laptop mode"
        ) from error
    if status.st_mode & 0o007:
        raise ValueError(f"the master key file {file} can be read by everybody: chmod 600 it")
    try:
        return envelopes.read_master_keys(content)
    except ValueError as error:
        raise ValueError(f"the master key file {file} is not usable: {error}") from None


def _credential_place(credential_id: UUID, organization_id: UUID) -> Place:
    return Place("credentials", "sealed", credential_id, organization_id)
