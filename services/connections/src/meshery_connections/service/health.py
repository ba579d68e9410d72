"""Looking after connected clusters: whether they answer, and what MeshSync says of them."""

from __future__ import annotations

import random
from typing import Any

from meshery_common import outbox
from meshery_common.background import pause
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.clients.problems import health_word, problem_of
from meshery_connections.domain.connections import (
    Health,
    HealthJudge,
    HealthWord,
    StoredConnection,
    health_fact,
)
from meshery_connections.service.doors import Doors
from meshery_connections.store import ObservationStore
from meshery_contracts import connections as contract
from meshery_contracts.discovery import WatchReport, WatchStatus
from meshery_contracts.errors import ProblemError
from meshery_kube.errors import KubeError

_SPREAD = 0.1


class HealthService:
    """What is observed of connected clusters, and told when it changes."""

    def __init__(
        self,
        db: Database,
        doors: Doors,
        *,
        every_seconds: float,
        timeout_seconds: float,
        patience: int,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._doors = doors
        self._every_seconds = every_seconds
        self._timeout_seconds = timeout_seconds
        self._patience = patience
        self._clock = clock
        self._store = ObservationStore()

    async def watch_health(self, stored: StoredConnection) -> None:
        """Ask the cluster for its version again and again; a keeper's duty."""
        shown = stored.connection.metadata["health"]["status"]
        reachable = bool(stored.connection.metadata["reachable"])
        judge = HealthJudge(Health(reachable, HealthWord(shown)), self._patience)
        version = str(stored.connection.metadata.get("version") or "")
        while True:
            word, text = HealthWord.ANSWERS, ""
            try:
                async with self._doors.raw_client(stored) as client:
                    found = (await client.version(self._timeout_seconds)).git_version
                if found != version:
                    await self._store.set_version(self._db.within(EVERY_ORGANIZATION), stored.id, found)
                    version = found
            except KubeError as error:
                word = health_word(error)
                text = problem_of(error, f"Cluster '{stored.connection.name}'").problem.title
            before = judge.shown
            if (news := judge.judge(word, text)) is not None:
                await self._tell(stored, before, news)
            await pause(self._every_seconds * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311

    async def note_watch(self, report: WatchReport) -> None:
        """Keep how MeshSync's watch of a cluster stands. A database that is away costs a report, no more."""
        found: dict[str, Any] = {
            "status": report.status.value,
            "kinds": report.kinds,
            "objects": report.objects,
            "since": self._clock().isoformat(),
        }
        if report.forbidden:
            found["forbidden"] = report.forbidden
        if report.error and report.status is not WatchStatus.SYNCED:
            found["error"] = report.error
        try:
            await self._store.set_discovery(self._db.within(EVERY_ORGANIZATION), report.connection_id, found)
        except ProblemError:
            return

    async def _tell(self, stored: StoredConnection, before: Health, news: Health) -> None:
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            if not await self._store.set_health(tx, stored.id, news):
                return
            if before.reachable is not news.reachable:
                # The words between two failures are for the eye; only coming and going is a fact.
                fact = health_fact(stored.connection, news, self._clock())
                await outbox.add(tx, contract.CHANGED, fact, subject_id=stored.id)
