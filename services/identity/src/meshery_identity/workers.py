"""What identity does without being asked: keys are replaced in time, tokens that ended are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from meshery_common.background import pause
from meshery_common.bus import Bus, BusSettings, Received, Servers
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import identity as contract
from meshery_contracts.errors import ProblemError
from meshery_contracts.identity import TokenRevoked
from meshery_identity.service import SigningKeys
from meshery_identity.store import TokenStore

log = structlog.get_logger()

#: Far more often than a new key is announced before it signs.
KEYS_EVERY_SECONDS = 60.0
PURGE_EVERY_SECONDS = 3600.0
#: The servers wait no longer for somebody to log in.
LOGIN_SECONDS = 2.0


async def keep_keys_fresh(keys: SigningKeys) -> None:
    """Replace signing keys when their time has come, and learn of those that other replicas made."""
    while True:
        await pause(KEYS_EVERY_SECONDS)
        try:
            await keys.refresh()
        except ProblemError as error:
            # The present keys sign on: a new one is announced long before it is needed.
            log.warning("signing keys were not refreshed", reason=error.problem.code)


async def purge_tokens(db: Database, keep: timedelta, clock: Clock = utc_now) -> None:
    """Forget tokens that ended long ago."""
    store = TokenStore()
    while True:
        try:
            gone = await store.purge(db.within(EVERY_ORGANIZATION), clock() - keep)
        except ProblemError as error:
            log.warning("ended tokens were not forgotten", reason=error.problem.code)
        else:
            if gone:
                log.info("ended tokens were forgotten", count=gone)
        await pause(PURGE_EVERY_SECONDS)


async def end_revoked_connections(bus: Bus, as_system: BusSettings) -> None:
    """Have the NATS servers end the connections of every token that is revoked."""
    async with Servers.connect(as_system) as servers:

        async def take(revoked: Sequence[Received]) -> None:
            users = {str(TokenRevoked.model_validate_json(one.payload).token_id) for one in revoked}
            for seconds in (LOGIN_SECONDS, 0):
                for user in users:
                    if ended := await servers.end_connections(user):
                        log.info("connections of a revoked token were ended", token_id=user, count=ended)
                # Whoever showed his token just before is let in at this moment, and seen the second time.
                await pause(seconds)

        await bus.streams.consume(
            contract.TOKEN_REVOKED.stream, "identity", take, subjects=[contract.TOKEN_REVOKED.wildcard()]
        )
