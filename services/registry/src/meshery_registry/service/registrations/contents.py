"""What ships with us, stored at the start of the service: once per content, by one of all replicas.

It goes on beside everything else: requests are answered meanwhile, each model appears whole. What must not be in here:
what the content is; `domain/contents` reads it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import structlog

from meshery_common import leases
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller, CallerKind
from meshery_registry.domain.contents import contents_digest
from meshery_registry.domain.prepared import PreparedPackage, prepare_contents
from meshery_registry.service.registrations.announcing import tell_caches
from meshery_registry.service.registrations.packages import PackageRegistrar
from meshery_registry.store import ContentStore, RegistrationStore
from meshery_registry.store.visible import SHIPPED

_log = structlog.get_logger(__name__)

_LEASE = "contents"
#: We, for the organisation of what ships with us.
_US = Caller(kind=CallerKind.SERVICE, user_id=SHIPPED, organization_id=SHIPPED, actor="registry")


class Contents:
    """Stores the models of a folder for everybody."""

    def __init__(
        self, db: Database, registrar: PackageRegistrar, folder: Path, *, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._clock = clock
        self._registrar = registrar
        self._store = ContentStore()
        self._registrations = RegistrationStore()
        self._folder = folder

    async def run(self) -> None:
        """Store what is not stored, then do nothing for ever."""
        try:
            async with leases.held(self._db, _LEASE):
                await self.store()
        except leases.LeaseLost:
            # Another one does it: the same models, so nothing is lost when both write some of them.
            _log.warning("The lease for storing what ships with us was lost")
        await asyncio.Event().wait()

    async def store(self) -> int:
        """Store the folder unless it is stored; how many models were written or looked at."""
        digest = await asyncio.to_thread(contents_digest, self._folder)
        if await self._store.digest(self._db.within(SHIPPED)) == digest:
            return 0
        # A process of its own, for once: what people send is not to wait behind it.
        async with WorkerProcess.open() as worker:
            found = await worker.run(prepare_contents, str(self._folder))
        packages = [one for one in found if isinstance(one, PreparedPackage)]
        for package in packages:
            async with self._db.transaction(SHIPPED) as tx:
                await self._registrar.register(tx, package, _US, complete=True)
                await self._store.await_learners(tx)
        for organization_id in await self._store.organizations_with_copies(
            self._db.within(EVERY_ORGANIZATION)
        ):
            async with self._db.transaction(organization_id) as tx:
                await self._registrations.locked_generation(tx, organization_id)
                copied = await self._store.drop_copies(tx, organization_id)
                for model_id in copied:
                    await self._registrations.remove_model_if_empty(tx, organization_id, model_id)
                told = "What clusters had taught ships with the registry now."
                await self._tell(tx, _for(organization_id), told, sorted(set(copied.values())))
        async with self._db.transaction(SHIPPED) as tx:
            await self._registrations.locked_generation(tx, SHIPPED)
            if retired := await self._store.retire_others(tx, [one.model.model_id for one in packages]):
                await self._tell(tx, _US, "Versions that ship no longer say nothing about designs.", retired)
            await self._store.put_digest(tx, digest)
        refused = [one for one in found if not isinstance(one, PreparedPackage)]
        refused += [one for package in packages for one in package.refused]
        for one in refused:
            _log.error("What ships with us was refused", entity=one.name, reason=one.reason)
        _log.info("What ships with us is stored", models=len(packages))
        return len(packages)

    async def _tell(self, tx: Transaction, us: Caller, sentence: str, models: list[str]) -> None:
        """Count a change and announce it."""
        generation = await self._registrations.next_generation(tx, us.organization_id)
        await tell_caches(
            tx,
            us,
            self._clock(),
            about=us.organization_id,
            action="update",
            sentence=sentence,
            generation=generation,
            models=models,
        )


def _for(organization_id: UUID) -> Caller:
    """We, doing something in an organisation."""
    return _US.model_copy(update={"organization_id": organization_id})
