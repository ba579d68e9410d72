"""Comparing with inventory: after every snapshot, at every reconnect, when it asks, and on a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from meshery_common.background import pause
from meshery_contracts.discovery import CompareDigests, KindDigest
from meshery_contracts.errors import DeadlineExceeded, Internal, Unavailable
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.domain.lanes import Claim, Lane
from meshery_meshsync.service.publishing import Publisher, Turn

log = structlog.get_logger()

#: Snapshots of many kinds end at about the same time: one question for all of them.
_GATHER_SECONDS = 0.1
_RETRY_SECONDS = 2.0
#: Pauses before a kind whose frames are still under way is asked for again. Its changes wait meanwhile.
_PATIENCE = (0.05, 0.1, 0.2)
_AGAIN_SECONDS = 1.0
_ROUNDS_UNTIL_LOST = 8


class Comparer:
    """Finds the kinds that inventory holds otherwise and has them listed anew."""

    def __init__(
        self,
        client: InventoryClient,
        turn: Turn,
        publisher: Publisher,
        *,
        every_seconds: float,
        relist: Callable[[Lane], None],
        served: Callable[[], Iterable[str]],
        compared: Callable[[], None],
    ) -> None:
        self._client = client
        self._turn = turn
        self._publisher = publisher
        self._every_seconds = every_seconds
        self._relist = relist
        self._served = served
        self._compared = compared
        self._due: set[str] = set()
        self._wake = asyncio.Event()
        self._position = 0
        self._missing: dict[str, int] = {}
        self._resent: dict[str, int] = {}
        #: Why the last round failed; empty when it did not.
        self.problem = ""

    def due(self, lane: Lane) -> None:
        """Compare this kind soon."""
        self._due.add(lane.token)
        self._wake.set()

    def all_due(self) -> None:
        """Compare every kind soon."""
        self._due |= self._publisher.lanes.keys()
        self._wake.set()

    async def run(self) -> None:
        """Compare for ever. Raises Conflict when another agent has taken over the connection."""
        while True:
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._wake.wait()
            except TimeoutError:
                self.all_due()
            await pause(_GATHER_SECONDS)
            self._wake.clear()
            due, self._due = self._due, set()
            try:
                await self._compare(due)
            except (Unavailable, DeadlineExceeded, Internal) as error:
                self.problem = f"inventory: {error}"
                self._compared()
                self._due |= due
                await pause(_RETRY_SECONDS)
                self._wake.set()
            else:
                self.problem = ""
                self._compared()

    async def _compare(self, due: set[str]) -> None:
        lanes = {token: lane for token, lane in self._publisher.lanes.items() if token in due}
        claims = {token: claim for token, lane in lanes.items() if (claim := lane.claim()) is not None}
        position = 0
        try:
            for seconds in (*_PATIENCE, None):
                if not claims:
                    return
                pending, position = await self._ask(lanes, claims)
                claims = {token: claim for token, claim in claims.items() if token in pending}
                if seconds is not None and claims:
                    await pause(seconds)
            self._lost(lanes, claims, position)
        finally:
            # Frames that did not arrive in time: the changes behind them must not wait for that.
            for token, claim in claims.items():
                lanes[token].unjudged(claim)
            self._publisher.wake()
        for token in claims:
            self._due.add(token)
        await pause(_AGAIN_SECONDS)
        self._wake.set()

    def _lost(self, lanes: dict[str, Lane], claims: dict[str, Claim], position: int) -> None:
        """A frame that is still missing while others arrive, or while nothing does, was lost on the way."""
        stands_still = position == self._position
        self._position = position
        for token, claim in claims.items():
            if not stands_still and position < claim.position:
                self._missing.pop(token, None)  # inventory is behind, and works
                continue
            self._missing[token] = self._missing.get(token, 0) + 1
            if self._missing[token] >= _ROUNDS_UNTIL_LOST:
                self._judge(lanes[token], claim, equal=False)

    def _judge(self, lane: Lane, claim: Claim, *, equal: bool) -> None:
        self._missing.pop(lane.token, None)
        if equal:
            self._resent.pop(lane.token, None)
        if not lane.judged(claim, equal=equal):
            return
        times = self._resent[lane.token] = self._resent.get(lane.token, 0) + 1
        log.info(
            "a kind is sent anew", connection_id=str(self._turn.connection_id), kind=lane.token, times=times
        )
        # A kind that stays different has an object that inventory cannot store: not every second for that.
        seconds = 0.0 if times <= 2 else min(2.0**times, self._every_seconds)
        asyncio.get_running_loop().call_later(seconds, self._relist, lane)

    async def _ask(self, lanes: dict[str, Lane], claims: dict[str, Claim]) -> tuple[set[str], int]:
        request = CompareDigests(
            connection_id=self._turn.connection_id,
            organization_id=self._turn.organization_id,
            cluster_id=self._turn.cluster_id,
            session=self._turn.session,
            kinds=[
                KindDigest(token=token, count=claim.count, digest=claim.digest, position=claim.position)
                for token, claim in claims.items()
            ],
            served=list(self._served()),
        )
        reply = await self._client.compare(request)
        pending = set(reply.pending)
        for token, claim in claims.items():
            if token not in pending:
                self._judge(lanes[token], claim, equal=token not in reply.differing)
        self._publisher.wake()
        return pending, reply.position
