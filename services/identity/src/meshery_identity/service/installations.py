"""The first start: the local provider's user, organisation and workspace, and the roles of every installation."""

from __future__ import annotations

import structlog

from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.ids import uuid7
from meshery_identity.domain import roles
from meshery_identity.domain.people import LOCAL_PROVIDER
from meshery_identity.store import Installation, InstallationStore

log = structlog.get_logger()


class Installations:
    """Prepares an installation."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._store = InstallationStore()

    async def prepare(self) -> Installation:
        """Make what is missing, bring built-in roles up to date, and give what the first start made.

        Safe to call at every start and by several replicas at once: their ids are made up once and then found.
        """
        # Replicas that start together wait for each other, and PostgreSQL lets nobody wait for long.
        return await self._db.run(EVERY_ORGANIZATION, self._prepare, attempts=20)

    async def _prepare(self, tx: Transaction) -> Installation:
        await self._store.lock(tx)
        installation = await self._store.get(tx)
        role_ids = {role.name: await self._store.put_role(tx, role) for role in roles.BUILT_IN}
        if installation is None:
            installation = Installation(uuid7(), uuid7(), uuid7())
            await self._store.insert(tx, installation, LOCAL_PROVIDER)
            await self._store.give_role(
                tx, installation.organization_id, installation.user_id, role_ids[roles.LOCAL_USER.name]
            )
            log.info("an installation is begun", organization_id=str(installation.organization_id))
        return installation
