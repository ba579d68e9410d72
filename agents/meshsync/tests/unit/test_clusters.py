"""A watch that cannot be is reported and tried again, whatever stands in its way."""

from __future__ import annotations

import asyncio
from typing import cast
from uuid import uuid4

import pytest

from meshery_contracts.discovery import Watch, WatchReport, WatchStatus
from meshery_kube.clients import Client
from meshery_kube.errors import Timeout
from meshery_kube.watches import WatchOptions
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.service.clusters import ClusterWatch, Habits
from meshery_meshsync.service.publishing import Pace

HABITS = Habits(frozenset(), 300, WatchOptions(), Pace(0.01, 4, 1000))


@pytest.mark.parametrize(
    ("fault", "told"), [(Timeout("too late"), "too late"), (RuntimeError("secret"), "RuntimeError")]
)
async def test_what_stands_in_the_way_is_reported_and_waited_out(fault: Exception, told: str) -> None:
    reports: list[WatchReport] = []
    tried = asyncio.Event()
    attempts: list[int] = []

    def connect(_watch: Watch) -> Client:
        attempts.append(1)
        if len(attempts) > 1:
            tried.set()
        raise fault

    command = Watch(connection_id=uuid4(), organization_id=uuid4())
    watch = ClusterWatch(command, connect, cast(InventoryClient, None), HABITS, reports.append)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        async with asyncio.timeout(10):
            await tried.wait()
        running.cancel()
    assert [one.status for one in reports] == [WatchStatus.WATCHING, WatchStatus.FAILED]
    assert reports[-1].error == told
