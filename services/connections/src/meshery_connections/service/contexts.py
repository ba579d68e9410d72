"""Kubeconfigs that people upload, and clusters as the contexts they came from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_common.access import Access
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.ids import uuid7
from meshery_connections.clients.kubeconfigs import Kubeconfigs, described, portable
from meshery_connections.clients.problems import health_word, kubeconfig_problem, problem_of
from meshery_connections.domain import contexts, states
from meshery_connections.domain.connections import Health, StoredConnection
from meshery_connections.domain.contexts import ClusterIdentity, ContextDescription
from meshery_connections.service.doors import Doors
from meshery_connections.service.moves import Actor, Moves
from meshery_connections.service.outcomes import Outcome, refused_in, same_cluster, unknown, unusable
from meshery_connections.service.vault import Vault
from meshery_connections.store import ConnectionStore, ObservationStore
from meshery_contracts.caller import Caller
from meshery_contracts.connections import (
    ConnectionId,
    ConnectionStatus,
    ContextList,
    Kubeconfig,
    KubernetesContext,
    KubernetesContextPage,
    RefusedContext,
    RegisteredContexts,
    RegisterKubeconfig,
)
from meshery_contracts.errors import Invalid
from meshery_contracts.paging import PageRequest
from meshery_kube import Context
from meshery_kube import Kubeconfig as ReadKubeconfig
from meshery_kube.errors import AddressRefused, KubeconfigError, KubeError

#: Clusters that are asked at the same time who they are.
_AT_ONCE = 16
#: Before anything is stored, a person waits for the list: a cluster that takes longer counts as unreachable.
_PREVIEW_SECONDS = 3.0
#: All clusters of one upload together.
_REGISTRATION_SECONDS = 40.0
#: States that an upload does not change: their owner has said what is to be.
_KEPT = frozenset({ConnectionStatus.IGNORED, ConnectionStatus.MAINTENANCE})


@dataclass(frozen=True)
class _Verified:
    """A context, and who its cluster is or why it does not say."""

    context: Context
    about: ContextDescription
    found: ClusterIdentity | KubeError


class ContextsService:
    """Use cases over kubeconfigs and their contexts."""

    def __init__(
        self,
        db: Database,
        doors: Doors,
        vault: Vault,
        kubeconfigs: Kubeconfigs,
        moves: Moves,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = ConnectionStore()
        self._observations = ObservationStore()
        self._doors = doors
        self._vault = vault
        self._kubeconfigs = kubeconfigs
        self._moves = moves
        self._clock = clock

    async def read(self, request: Kubeconfig, caller: Caller) -> ContextList:
        """The contexts of a kubeconfig and whether their clusters answer; stores nothing."""
        kubeconfig = await self._uploaded(request.kubeconfig)
        if not kubeconfig.contexts:
            raise unusable(refused_in(kubeconfig, kubeconfig.refused))
        verified = await self._verify(kubeconfig.contexts, _PREVIEW_SECONDS)
        now = self._clock()
        return ContextList(
            contexts=[
                contexts.unsaved_context(
                    one.about,
                    one.found if isinstance(one.found, ClusterIdentity) else None,
                    caller.user_id,
                    now,
                )
                for one in verified
            ],
            refused=[
                *refused_in(kubeconfig, kubeconfig.refused),
                *(one for one in map(_failed, verified) if one),
            ],
        )

    async def register(self, request: RegisterKubeconfig, caller: Caller) -> RegisteredContexts:
        """Connect the chosen contexts of a kubeconfig; each for itself, whatever becomes of the others."""
        for mode in (request.meshsync_mode, *request.meshsync_modes.values()):
            if mode not in contexts.MODES:
                raise Invalid(
                    f"There is no MeshSync mode {mode[:100]!r}.",
                    code="meshsync_mode_unknown",
                    remedy=f"Choose one of: {', '.join(sorted(contexts.MODES))}.",
                )
        kubeconfig = await self._uploaded(request.kubeconfig)
        names, missing = self._selected(kubeconfig, request.contexts)
        usable = [one for one in kubeconfig.contexts if one.name in names]
        in_vain = [
            *refused_in(kubeconfig, [name for name in names if name in kubeconfig.refused]),
            *(unknown(name) for name in missing),
        ]
        if not usable:
            raise unusable(in_vain)
        # The current context first: of two ways into one cluster it is the one that is meant.
        usable.sort(key=lambda one: one.name != kubeconfig.current)
        verified = await self._verify(usable, _REGISTRATION_SECONDS)
        outcome = Outcome()
        outcome.refused += in_vain
        async with self._db.command(caller.organization_id) as tx:
            await self._store.lock_registration(tx, caller.organization_id)
            for one in verified:
                mode = contexts.mode_of(one.about, request.meshsync_modes, request.meshsync_mode)
                await self._register(tx, one, mode, caller, outcome)
            reply = outcome.reply()
            await tx.answer(reply)
        for stored in outcome.replaced:
            await self._doors.drop(stored)
        return reply

    async def list(self, request: PageRequest, caller: Caller) -> KubernetesContextPage:
        """A page of the clusters that the caller may see."""
        queries = self._db.within(caller.organization_id)
        connections, page = await self._store.page(
            queries, request, caller, kinds=[states.KUBERNETES], statuses=[]
        )
        return KubernetesContextPage(
            **page.envelope, contexts=[contexts.context_of(one) for one in connections]
        )

    async def get(self, request: ConnectionId, caller: Caller) -> KubernetesContext:
        """One cluster."""
        queries = self._db.within(caller.organization_id)
        stored = await self._store.get(queries, request.connection_id, caller, Access.VIEWER)
        return contexts.context_of(stored.connection)

    # --- the steps of a registration ------------------------------------------------------------------------

    async def _uploaded(self, text: str) -> ReadKubeconfig:
        try:
            return await self._kubeconfigs.uploaded(text)
        except KubeconfigError as error:
            raise kubeconfig_problem(error) from error

    def _selected(
        self, kubeconfig: ReadKubeconfig, wanted: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        ids = {described(one).id: one.name for one in kubeconfig.contexts}
        return contexts.selected([*kubeconfig.names, *kubeconfig.refused], ids, wanted)

    async def _verify(self, found: Sequence[Context], budget_seconds: float) -> Sequence[_Verified]:
        """Ask all clusters at the same time; never raises for one that does not answer.

        Whoever has not answered when the budget for all is used up counts as a cluster that is too slow.
        """
        turn = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget_seconds

        async def ask(context: Context) -> _Verified:
            about = described(context)
            try:
                async with turn:
                    left = deadline - loop.time()
                    identity = await self._doors.identify(self._doors.uploaded(context), left)
            except KubeError as error:
                return _Verified(context, about, error)
            return _Verified(context, about, identity)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(context)) for context in found]
        return [task.result() for task in tasks]

    async def _register(
        self, tx: Transaction, one: _Verified, mode: str, caller: Caller, outcome: Outcome
    ) -> None:
        if isinstance(one.found, ClusterIdentity):
            await self._connect(tx, one, one.found, mode, caller, outcome)
        else:
            await self._note_failure(tx, one, one.found, mode, caller, outcome)

    async def _connect(
        self,
        tx: Transaction,
        one: _Verified,
        identity: ClusterIdentity,
        mode: str,
        caller: Caller,
        outcome: Outcome,
    ) -> None:
        """Make or renew the connection of a cluster that answered: discovered, registered, connected."""
        before = await self._store.same_cluster(tx, identity.cluster_id, caller)
        if before is not None and before.id in outcome.taken:
            outcome.ignore(before, one.about.name, same_cluster(before))
            return
        before = before or await self._store.same_context(tx, one.about, caller)
        status = ConnectionStatus.CONNECTED
        if before is not None and before.status in _KEPT:
            status = before.status
        metadata = contexts.metadata_of(one.about, identity, mode)
        if before is not None and await self._is_as_before(before, one, identity, status, mode):
            # A new revision would end a way in that works, and the watch of everybody who follows the cluster.
            stored = await self._store.confirm(tx, before.id, metadata)
        else:
            credential_id = (before.connection.credential_id if before else None) or uuid7()
            await self._vault.put(
                tx,
                credential_id,
                portable(one.context),
                organization_id=caller.organization_id,
                owner_id=before.connection.user_id if before else caller.user_id,
                name=one.about.name,
            )
            if before is None:
                stored = await self._insert(
                    tx, one.about, status, identity.cluster_id, credential_id, metadata, mode, caller
                )
            else:
                stored = await self._store.replace_cluster(
                    tx,
                    before.id,
                    one.about,
                    status=status,
                    cluster_id=identity.cluster_id,
                    credential_id=credential_id,
                    metadata=metadata,
                    meshsync_mode=mode,
                )
                outcome.replaced.append(before)
        if before is not None:
            # An upload asks for all of the cluster: models that somebody deleted, too.
            await self._observations.forget_all_documents(tx, stored.id)
        await self._moves.announce(
            tx, stored, before.status if before else None, Actor(caller.user_id, caller.actor)
        )
        outcome.take(stored, one.about.name)

    async def _is_as_before(
        self,
        before: StoredConnection,
        one: _Verified,
        identity: ClusterIdentity,
        status: ConnectionStatus,
        mode: str,
    ) -> bool:
        """Whether the upload leads to the same place by the same credential, and that was known to work."""
        credential_id = before.connection.credential_id
        return (
            (before.status, before.cluster_id, before.meshsync_mode) == (status, identity.cluster_id, mode)
            and bool(before.connection.metadata["reachable"])
            and credential_id is not None
            # Its text is the whole context: address and names as well.
            and await self._vault.holds(credential_id, portable(one.context))
        )

    async def _note_failure(
        self, tx: Transaction, one: _Verified, error: KubeError, mode: str, caller: Caller, outcome: Outcome
    ) -> None:
        """Keep a cluster that did not answer as `not found`, so that it can be tried again without an upload."""
        refusal = problem_of(error, f"Cluster '{one.about.name}'").problem
        if isinstance(error, KubeconfigError | AddressRefused):
            # It will never work as it is: nothing is worth storing.
            shown = contexts.unsaved_context(one.about, None, caller.user_id, self._clock())
            outcome.fail(shown, one.about.name, refusal)
            return
        stored = await self._store.same_context(tx, one.about, caller)
        if stored is None:
            credential_id = uuid7()
            await self._vault.put(
                tx,
                credential_id,
                portable(one.context),
                organization_id=caller.organization_id,
                owner_id=caller.user_id,
                name=one.about.name,
            )
            metadata = contexts.metadata_of(one.about, None, mode)
            stored = await self._insert(
                tx, one.about, ConnectionStatus.NOT_FOUND, None, credential_id, metadata, mode, caller
            )
            await self._moves.announce(tx, stored, None, Actor(caller.user_id, caller.actor))
            await self._observations.set_problem(
                tx, stored.id, Health(False, health_word(error), refusal.title)
            )
        outcome.fail(contexts.context_of(stored.connection), one.about.name, refusal)

    async def _insert(
        self,
        tx: Transaction,
        about: ContextDescription,
        status: ConnectionStatus,
        cluster_id: str | None,
        credential_id: UUID,
        metadata: dict[str, object],
        mode: str,
        caller: Caller,
    ) -> StoredConnection:
        return await self._store.insert(
            tx,
            uuid7(),
            about,
            organization_id=caller.organization_id,
            owner_id=caller.user_id,
            status=status,
            cluster_id=cluster_id,
            credential_id=credential_id,
            own_context=None,
            metadata=metadata,
            meshsync_mode=mode,
        )


def _failed(one: _Verified) -> RefusedContext | None:
    if isinstance(one.found, ClusterIdentity):
        return None
    return RefusedContext(
        name=one.about.name, problem=problem_of(one.found, f"Cluster '{one.about.name}'").problem
    )
