"""The contexts of this machine's own kubeconfig, offered as discovered connections of their owner (laptop mode).

Nothing of the files is stored but names and addresses: whoever connects one uses the credential where it lies.
"""

from __future__ import annotations

from collections.abc import Hashable
from uuid import UUID

import structlog

from meshery_common import leases
from meshery_common.background import pause
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.ids import uuid7
from meshery_connections.clients.kubeconfigs import Kubeconfigs, described
from meshery_connections.domain import contexts, states
from meshery_connections.domain.connections import Health, HealthWord, StoredConnection
from meshery_connections.domain.contexts import ContextDescription
from meshery_connections.service.moves import Actor, Moves
from meshery_connections.store import ConnectionStore, ObservationStore
from meshery_contracts.connections import ConnectionStatus
from meshery_contracts.errors import Conflict, ProblemError
from meshery_kube.errors import KubeconfigError, KubeError

log = structlog.get_logger()

_GONE = Health(False, HealthWord.FAILING, "The context is no longer in this machine's kubeconfig.")
_TRIED = frozenset({ConnectionStatus.DISCOVERED, ConnectionStatus.NOT_FOUND})


class OwnContexts:
    """Keeps the connections of the machine's own contexts in step with its files."""

    def __init__(
        self,
        db: Database,
        kubeconfigs: Kubeconfigs,
        moves: Moves,
        *,
        organization_id: UUID,
        owner_id: UUID,
        connect: bool,
        every_seconds: float,
    ) -> None:
        self._db = db
        self._kubeconfigs = kubeconfigs
        self._moves = moves
        self._organization_id = organization_id
        self._owner_id = owner_id
        self._connect = connect
        self._every_seconds = every_seconds
        self._store = ConnectionStore()
        self._observations = ObservationStore()

    async def follow(self) -> None:
        """Look whenever the files change; run as a supervised task."""
        while True:
            try:
                async with leases.held(self._db, "own kubeconfig"):
                    await self._look_for_ever()
            except leases.LeaseLost:
                log.warning(
                    "another replica looks at this machine's kubeconfig, or we did not run for a while"
                )

    async def _look_for_ever(self) -> None:
        seen: Hashable = None
        while True:
            version = self._kubeconfigs.own_version()
            if version != seen:
                await self.look()
                seen = version
            if self._connect:
                await self.connect()
            await pause(self._every_seconds)

    async def look(self) -> None:
        """Offer new contexts, follow changed ones, and mark those that are gone."""
        try:
            kubeconfig = await self._kubeconfigs.own()
        except KubeconfigError as error:
            log.warning("this machine's kubeconfig cannot be read", reason=str(error))
            return
        for name, problems in kubeconfig.refused.items():
            log.info("a context of this machine cannot be used", context=name, reason=problems[0].reason)
        found = {one.name: described(one) for one in kubeconfig.contexts}
        known = await self._store.own(self._db.within(self._organization_id), self._organization_id)
        for name, about in found.items():
            await self._follow(about, known.get(name))
        for name, stored in known.items():
            if name not in found and stored.own_context is not None:
                await self._mark_gone(stored)

    async def connect(self) -> None:
        """Connect what was discovered, without asking; the installation's setting is the owner's consent."""
        known = await self._store.own(self._db.within(self._organization_id), self._organization_id)
        for stored in known.values():
            if stored.own_context is None or stored.status not in _TRIED:
                continue
            seen = await self._moves.look_at(stored)
            if isinstance(seen, KubeError):
                await self._moves.not_answering(stored, seen, Actor())
                continue
            try:
                async with self._db.transaction(self._organization_id) as tx:
                    current = await self._store.locked(tx, stored.id)
                    if current is not None and current.status is stored.status:
                        target = states.chain(stored.connection.kind, ConnectionStatus.REGISTERED)[-1]
                        await self._moves.move(tx, current, target, seen, Actor())
            except Conflict as error:
                # Two contexts lead to one cluster: one connection is enough.
                await self._note(stored, Health(False, HealthWord.UNKNOWN, error.problem.title))
            except ProblemError as error:
                log.warning("a context of this machine was not connected", reason=error.problem.code)

    async def _follow(self, about: ContextDescription, stored: StoredConnection | None) -> None:
        if stored is None:
            await self._offer(about)
        elif stored.own_context is None or stored.status is ConnectionStatus.DELETED:
            # Replaced by an upload, or deleted by its owner: it is not offered again.
            return
        elif stored.status is ConnectionStatus.NOT_FOUND:
            await self._set(stored, ConnectionStatus.DISCOVERED)
        elif stored.connection.metadata.get("server") != about.server:
            await self._readdress(stored, about)

    async def _offer(self, about: ContextDescription) -> None:
        async with self._db.transaction(self._organization_id) as tx:
            stored = await self._store.insert(
                tx,
                uuid7(),
                about,
                organization_id=self._organization_id,
                owner_id=self._owner_id,
                status=ConnectionStatus.DISCOVERED,
                cluster_id=None,
                credential_id=None,
                own_context=about.name,
                metadata=contexts.metadata_of(about, None, contexts.DEFAULT_MODE),
                meshsync_mode=contexts.DEFAULT_MODE,
            )
            await self._moves.announce(tx, stored, None, Actor())

    async def _readdress(self, stored: StoredConnection, about: ContextDescription) -> None:
        """The context leads somewhere else now, perhaps to another cluster: it has to be found out again."""
        async with self._db.transaction(self._organization_id) as tx:
            current = await self._store.locked(tx, stored.id)
            if current is None or current.revision != stored.revision:
                return
            status = current.status
            if status is ConnectionStatus.CONNECTED:
                status = ConnectionStatus.NOT_FOUND
            moved = await self._store.replace_cluster(
                tx,
                stored.id,
                about,
                status=status,
                cluster_id=None,
                credential_id=None,
                metadata=contexts.metadata_of(about, None, current.meshsync_mode),
                meshsync_mode=current.meshsync_mode,
            )
            await self._moves.announce(tx, moved, current.status, Actor())
        if status is ConnectionStatus.NOT_FOUND:
            await self._set(moved, ConnectionStatus.DISCOVERED)

    async def _mark_gone(self, stored: StoredConnection) -> None:
        if await self._set(stored, ConnectionStatus.NOT_FOUND):
            await self._note(stored, _GONE)

    async def _set(self, stored: StoredConnection, status: ConnectionStatus) -> bool:
        """Move by the machine's table, without the chain: nobody has asked for a connection. Whether it was done."""
        async with self._db.transaction(self._organization_id) as tx:
            current = await self._store.locked(tx, stored.id)
            if current is None or status not in states.moves(current.connection.kind, current.status):
                return False
            await self._moves.move(tx, current, status, None, Actor())
            return True

    async def _note(self, stored: StoredConnection, health: Health) -> None:
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            await self._observations.set_problem(tx, stored.id, health)
