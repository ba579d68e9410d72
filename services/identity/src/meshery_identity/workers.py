"""What identity does without being asked: keys are replaced in time, tokens that ended are forgotten."""

from __future__ import annotations

from datetime import timedelta

import structlog

from meshery_common.background import pause
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.errors import ProblemError
from meshery_identity.service import SigningKeys
from meshery_identity.store import TokenStore

log = structlog.get_logger()

#: Far more often than a new key is announced before it signs.
KEYS_EVERY_SECONDS = 60.0
PURGE_EVERY_SECONDS = 3600.0


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
