"""Looking at this machine's kubeconfig, whatever becomes of the right to do it alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import yaml

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.runtime import RESTARTS
from meshery_connections.app import running
from meshery_connections.settings import ConnectionsSettings
from meshery_testkit.hosting import hosted


def write(file: Path, *names: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": "https://127.0.0.1:1"}} for name in names],
        "users": [{"name": "somebody", "user": {"token": "x"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "somebody"}} for name in names],
    }
    file.write_text(yaml.safe_dump(document))


async def test_a_lost_lease_is_no_failure(
    settings: ConnectionsSettings, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    write(file, "one")
    own = settings.model_copy(
        update={
            "own_kubeconfig": (file,),
            "own_organization_id": uuid4(),
            "own_user_id": uuid4(),
            "own_poll_seconds": 0.1,
        }
    )

    async def offered(*names: str) -> None:
        async with asyncio.timeout(20):
            while True:
                rows = await database.fetch(EVERY_ORGANIZATION, "select name from connections order by name")
                if [row["name"] for row in rows] == sorted(names):
                    return
                await asyncio.sleep(0.05)

    restarts = RESTARTS.labels("connections", "own kubeconfig")
    before = restarts._value.get()
    async with hosted(running(own)):
        await offered("one")
        # As after a minute in which this process did not run.
        await database.execute(EVERY_ORGANIZATION, "update leases set expires_at = '-infinity'")
        async with asyncio.timeout(20):
            while await database.fetchval(
                EVERY_ORGANIZATION, "select fence < 2 from leases where name = 'own kubeconfig'"
            ):
                await asyncio.sleep(0.05)
        write(file, "one", "two")
        await offered("one", "two")
    assert restarts._value.get() == before
