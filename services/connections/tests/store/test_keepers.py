"""When the work beside a connected cluster begins anew, and when it goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.runtime import supervise
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.domain.contexts import ContextDescription
from meshery_connections.store import CHANNEL, ConnectionStore
from meshery_connections.workers import Keepers
from meshery_contracts.connections import ConnectionStatus
from meshery_testkit.nats import People


async def test_it_begins_anew_with_another_version_and_goes_on_while_none_is_known(
    db: Database, people: People
) -> None:
    owner = people.caller()
    async with db.transaction(owner.organization_id) as tx:
        await ConnectionStore().insert(
            tx,
            uuid4(),
            ContextDescription("prod", "https://prod"),
            organization_id=owner.organization_id,
            owner_id=owner.user_id,
            status=ConnectionStatus.CONNECTED,
            cluster_id=None,
            credential_id=None,
            own_context="prod",
            metadata={},
            meshsync_mode="embedded",
        )
    versions: list[object] = ["first"]
    asked = 0
    begun = 0

    async def version(_stored: StoredConnection) -> object:
        nonlocal asked
        asked += 1
        return versions[-1]

    async def duty(_stored: StoredConnection) -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    async def looked_at(value: object) -> None:
        """It is this version from now on, and the keepers have seen it."""
        versions.append(value)
        before = asked
        async with asyncio.timeout(20):
            # Twice: the first look may have begun before.
            while asked < before + 2:
                db.notify(CHANNEL)
                await asyncio.sleep(0.02)

    async def until_begun(times: int) -> None:
        async with asyncio.timeout(20):
            while begun < times:
                await asyncio.sleep(0.02)

    async with supervise("connections") as tasks:
        tasks.start("keepers", Keepers(db, {"duty": duty}, version).run)
        await until_begun(1)
        for value in (None, "first", None):
            await looked_at(value)
        assert begun == 1
        await looked_at("second")
        await until_begun(2)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await until_begun(3)
    assert begun == 2
    assert await db.fetchval(EVERY_ORGANIZATION, "select fence from leases") == 2
