"""All clusters of one agent: commands in, reports out."""

from __future__ import annotations

import asyncio
import ipaddress
from uuid import UUID

from meshery_contracts.discovery import Resync, Unwatch, Watch, WatchReport, WatchStatus
from meshery_kube import AddressPolicy
from meshery_kube.clients import Client
from meshery_kube.kubeconfigs import UploadPolicy, own_kubeconfig, uploaded_kubeconfig
from meshery_kube.transports import ClientSettings
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.service.clusters import ClusterWatch, Habits
from meshery_meshsync.service.reporting import Report

#: A kubeconfig that we are handed was checked when it was uploaded, and written out anew by us.
_CHECKED = UploadPolicy(allow_http=True, allow_insecure_tls=True, allow_password=True)


class Agent:
    """Watches any number of clusters. Commands may come in any order and repeatedly."""

    def __init__(self, client: InventoryClient, habits: Habits, report: Report) -> None:
        self._client = client
        self._habits = habits
        self._report = report
        self._group: asyncio.TaskGroup | None = None
        self._watches: dict[UUID, tuple[ClusterWatch, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Keeps the watches; they end with it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    async def obey(self, command: Watch | Unwatch | Resync) -> None:
        """Do what a command says."""
        match command:
            case Watch():
                await self._stop(command.connection_id)
                self._start(command)
            case Unwatch():
                if await self._stop(command.connection_id):
                    self._report(WatchReport(status=WatchStatus.ENDED, connection_id=command.connection_id))
            case Resync():
                if command.connection_id in self._watches:
                    self._watches[command.connection_id][0].resync()

    def _start(self, command: Watch) -> None:
        assert self._group is not None  # noqa: S101 -- `run` was started before the first command
        watch = ClusterWatch(command, _client_of, self._client, self._habits, self._report)
        task = self._group.create_task(watch.run())
        self._watches[command.connection_id] = (watch, task)

    async def _stop(self, connection_id: UUID) -> bool:
        known = self._watches.pop(connection_id, None)
        if known is None:
            return False
        known[1].cancel()
        await asyncio.wait([known[1]])
        return True


def _client_of(watch: Watch) -> Client:
    """The way into the cluster. Raises KubeconfigError."""
    settings = ClientSettings(user_agent="meshery-meshsync")
    name = watch.context or None
    if watch.own:
        return Client(own_kubeconfig().context(name), settings)
    kubeconfig = uploaded_kubeconfig(watch.kubeconfig.get_secret_value(), _CHECKED)
    policy = AddressPolicy(
        allow_private=watch.allow_private,
        allow_loopback=watch.allow_loopback,
        allow_networks=tuple(ipaddress.ip_network(one) for one in watch.allow_networks),
    )
    return Client(kubeconfig.context(name), settings, policy)
