"""How long the rows of the runtime's own tables are kept, and their removal."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, LiteralString

import structlog

from meshery_common.background import pause
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.errors import ProblemError

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 600.0
_CHUNK = 2000

#: Each statement removes at most `$2` rows older than `$1`: small transactions, so that nobody waits for them.
_RULES: Final[tuple[tuple[timedelta, LiteralString], ...]] = (
    (
        timedelta(days=7),
        """
        delete from outbox where id in (
            select id from outbox where published_at < now() - $1::interval limit $2)
        """,
    ),
    (
        # Longer than the streams keep a message.
        timedelta(days=14),
        """
        delete from inbox where (consumer, message_id) in (
            select consumer, message_id from inbox where received_at < now() - $1::interval limit $2)
        """,
    ),
    (
        timedelta(hours=24),
        """
        delete from idempotency_keys where (user_id, organization_id, key) in (
            select user_id, organization_id, key from idempotency_keys
            where created_at < now() - $1::interval limit $2)
        """,
    ),
    (
        timedelta(days=90),
        """
        delete from operations where operation_id in (
            select operation_id from operations where finished_at < now() - $1::interval limit $2)
        """,
    ),
    (
        timedelta(days=30),
        """
        delete from grants where (object_id, actor_kind, actor_id) in (
            select object_id, actor_kind, actor_id from grants where expires_at < now() - $1::interval limit $2)
        """,
    ),
)


async def purge(db: Database) -> int:
    """Remove what is older than its rule says; how many rows that were. Raises Unavailable."""
    removed = 0
    for age, statement in _RULES:
        while True:
            count = await db.execute(EVERY_ORGANIZATION, statement, age, _CHUNK)
            removed += count
            if count < _CHUNK:
                break
    return removed


async def purge_for_ever(db: Database) -> None:
    """Purge every ten minutes. Run by the holder of the relay's lease."""
    while True:
        try:
            removed = await purge(db)
        except ProblemError as error:
            _log.debug("Purging has to wait", reason=error.problem.code)
        else:
            if removed:
                _log.info("Purged old rows", schema=db.schema, count=removed)
        await pause(_EVERY_SECONDS)
