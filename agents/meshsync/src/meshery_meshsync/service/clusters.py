"""Watching one cluster: its kinds as they come and go, one session at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from meshery_common.background import pause
from meshery_contracts.discovery import Watch, WatchReport, WatchStatus, kind_token
from meshery_contracts.errors import Conflict, NotFound, ProblemError
from meshery_kube.catalogues import Catalogue
from meshery_kube.clients import Client
from meshery_kube.errors import Forbidden, KubeError
from meshery_kube.kinds import Kind
from meshery_kube.limits import Backoff
from meshery_kube.watches import WatchOptions
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.domain.frames import KindName
from meshery_meshsync.domain.lanes import Lane
from meshery_meshsync.domain.objects import concealment
from meshery_meshsync.service.comparing import Comparer
from meshery_meshsync.service.kinds import KindWatch
from meshery_meshsync.service.publishing import Pace, Publisher, Turn
from meshery_meshsync.service.reporting import Report, Reporter

log = structlog.get_logger()


@dataclass(frozen=True)
class Habits:
    """How every cluster is watched; see the settings of the same names."""

    skipped_kinds: frozenset[str]
    compare_seconds: float
    options: WatchOptions
    pace: Pace


class ClusterWatch:
    """One cluster for as long as `run` runs."""

    def __init__(
        self,
        watch: Watch,
        connect: Callable[[Watch], Client],
        client: InventoryClient,
        habits: Habits,
        report: Report,
    ) -> None:
        self._watch = watch
        self._connect = connect
        self._client = client
        self._habits = habits
        self._reporter = Reporter(watch.connection_id, report)
        self._session: _ClusterSession | None = None

    def resync(self) -> None:
        """List everything anew and compare."""
        if self._session is not None:
            self._session.resync()

    async def run(self) -> None:
        """Watch until cancelled, or until another agent has taken over."""
        self._reporter.say(WatchStatus.WATCHING)
        backoff = Backoff()
        while True:
            try:
                async with self._connect(self._watch) as kube:
                    await self._live(kube, backoff)
                    return
            except (KubeError, ProblemError) as error:
                self._reporter.say(WatchStatus.FAILED, error=str(error))
            except Exception as error:
                # One cluster must not end the others, nor stay unwatched for a mistake of ours.
                log.exception("a watch failed", connection_id=str(self._watch.connection_id))
                self._reporter.say(WatchStatus.FAILED, error=type(error).__name__)
            await pause(backoff.pause())

    async def _live(self, kube: Client, backoff: Backoff) -> None:
        """One session; returns when it is over for good. Raises what stands in its way."""
        watch = self._watch
        await kube.version()
        cluster_id = watch.cluster_id
        if not cluster_id:
            try:
                cluster_id = await kube.cluster_id()
            except Forbidden:
                cluster_id = ""
        try:
            opened = await self._client.open_session(watch.connection_id, watch.organization_id, cluster_id)
            backoff.reset()
            turn = Turn(watch.connection_id, watch.organization_id, cluster_id, opened.session)
            self._session = _ClusterSession(
                kube, turn, frozenset(opened.kinds), watch, self._client, self._habits, self._reporter
            )
            await self._session.run()
        except (Conflict, NotFound) as error:
            log.info("a watch ends", connection_id=str(watch.connection_id), reason=str(error))
            self._reporter.say(WatchStatus.ENDED, error=str(error))
        except BaseExceptionGroup as errors:
            ended = errors.subgroup((Conflict, NotFound))
            if ended is None:
                raise
            self._reporter.say(WatchStatus.ENDED, error=str(_first(ended)))
        finally:
            self._session = None


class _ClusterSession:
    """All kinds of a cluster under one session number."""

    def __init__(
        self,
        kube: Client,
        turn: Turn,
        stored: frozenset[str],
        watch: Watch,
        client: InventoryClient,
        habits: Habits,
        reporter: Reporter,
    ) -> None:
        self._kube = kube
        self._turn = turn
        self._stored = stored
        self._client = client
        self._habits = habits
        self._reporter = reporter
        self._conceal = concealment(watch.digest_key.get_secret_value().encode())
        self._publisher = Publisher(client, turn, habits.pace, epoch_sent=self._changed)
        self._comparer = Comparer(
            client,
            turn,
            self._publisher,
            every_seconds=habits.compare_seconds,
            relist=self._relist,
            served=self._served,
            compared=self._reporter.wake,
        )
        self._kinds: dict[str, KindWatch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._catalogue: Catalogue | None = None

    def resync(self) -> None:
        for kind in self._kinds.values():
            kind.relist()

    async def run(self) -> None:
        """For ever, or until inventory says that the turn is over (Conflict, NotFound in a group)."""
        with self._client.when_comparison_is_due(self._comparer.all_due):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publisher.run())
                group.create_task(self._comparer.run())
                group.create_task(self._reporter.run(self._state))

                async def found(catalogue: Catalogue) -> None:
                    self._follow_kinds(group, catalogue)

                await self._kube.discovery.follow(found)

    # --- kinds come and go --------------------------------------------------------------------------------

    def _follow_kinds(self, group: asyncio.TaskGroup, catalogue: Catalogue) -> None:
        wanted = {kind_token(kind.plural, kind.api_version): kind for kind in self._wanted(catalogue)}
        unanswered = set(catalogue.incomplete)
        for token in self._kinds.keys() - wanted.keys():
            name = self._kinds[token].lane.kind
            if name.api_version not in unanswered:
                self._forget_kind(token)
        for token, kind in wanted.items():
            if token not in self._kinds:
                self._start_kind(group, token, kind)
        self._catalogue = catalogue
        if not catalogue.incomplete:
            # Kinds that went while nobody watched.
            self._comparer.all_due()
        self._reporter.wake()

    def _wanted(self, catalogue: Catalogue) -> Iterable[Kind]:
        for kind in catalogue.watchable():
            names = {kind.plural, f"{kind.plural}.{kind.group}" if kind.group else kind.plural}
            if not names & self._habits.skipped_kinds:
                yield kind

    def _start_kind(self, group: asyncio.TaskGroup, token: str, kind: Kind) -> None:
        name = KindName(kind.api_version, kind.kind, kind.plural, kind.namespaced)
        lane = Lane(token, name, silent=token in self._stored)
        watch = KindWatch(
            self._kube, kind, lane, self._publisher, self._conceal, self._habits.options, self._changed
        )
        self._publisher.lanes[token] = lane
        self._kinds[token] = watch
        self._tasks[token] = group.create_task(watch.run())

    def _forget_kind(self, token: str) -> None:
        """The cluster serves it no more: stop its watch alone, and drop what inventory has of it."""
        lane = self._kinds.pop(token).lane
        self._tasks.pop(token).cancel()
        self._stored -= {token}
        lane.emptied()
        self._publisher.wake()

    def _relist(self, lane: Lane) -> None:
        kind = self._kinds.get(lane.token)
        if kind is not None and kind.lane is lane:
            kind.relist()

    def _served(self) -> list[str]:
        if self._catalogue is None or self._catalogue.incomplete:
            return []
        return list(self._kinds)

    def _changed(self, lane: Lane) -> None:
        if lane.token in self._kinds:
            self._comparer.due(lane)
        elif self._publisher.lanes.get(lane.token) is lane:
            # Its farewell is on the way.
            del self._publisher.lanes[lane.token]
        self._reporter.wake()

    # --- how it stands ------------------------------------------------------------------------------------

    def _state(self) -> WatchReport:
        kinds = self._kinds.values()
        refused = sorted(kind.lane.token for kind in kinds if kind.refused)
        interrupted = next((kind.interrupted for kind in kinds if kind.interrupted), "")
        error = interrupted or self._comparer.problem
        waiting = self._catalogue is None or any(not (kind.lane.synced or kind.refused) for kind in kinds)
        if error:
            status = WatchStatus.FAILED
        elif waiting:
            status = WatchStatus.WATCHING
        else:
            status = WatchStatus.FORBIDDEN if refused else WatchStatus.SYNCED
        return WatchReport(
            status=status,
            connection_id=self._turn.connection_id,
            cluster_id=self._turn.cluster_id,
            kinds=len(self._kinds),
            objects=sum(kind.lane.count for kind in kinds),
            forbidden=refused,
            error=error,
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
