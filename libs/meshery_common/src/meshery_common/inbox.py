"""What a consumer has taken in already: JetStream delivers at least once, an effect should happen once.

Called in the transaction of the effect, so that both are kept or neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from meshery_common.database import Transaction


async def seen(tx: Transaction, consumer: str, message_id: UUID | str) -> bool:
    """Note a message; whether it was noted before, so that it is to be skipped.

    A second delivery at the same time waits for the transaction of the first.
    """
    return not await fresh(tx, consumer, [message_id])


async def fresh(tx: Transaction, consumer: str, message_ids: Iterable[UUID | str]) -> set[UUID]:
    """Note a batch; those among them that were not noted before."""
    # In one order for all, so that two batches never wait for each other.
    ids = sorted({UUID(id_) if isinstance(id_, str) else id_ for id_ in message_ids})
    rows = await tx.fetch(
        """
        insert into inbox (consumer, message_id) select $1, unnest($2::uuid[])
        on conflict do nothing returning message_id
        """,
        consumer,
        ids,
    )
    return {row["message_id"] for row in rows}
