"""The sandbox cluster of an installation that has no cluster: built once, started beside everything, connected."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meshery_common.background import pause
from meshery_common.bus import Bus
from meshery_contracts import connections, identity
from meshery_contracts.errors import ProblemError
from meshery_embedded import EmbeddedError
from meshery_embedded.cluster import Cluster, cluster, ensure_binaries
from meshery_standalone.console import Console
from meshery_standalone.settings import StandaloneSettings

_RETRY_SECONDS = 2.0


class Sandbox:
    """Runs a cluster while the installation runs, and has it connected as the local person would."""

    def __init__(self, settings: StandaloneSettings, data: Path, bus: Bus, console: Console) -> None:
        self._settings = settings
        self._data = data
        self._bus = bus
        self._console = console

    async def run(self) -> None:
        """Until cancelled. Failures are told and leave everything else alone."""
        if not self._wanted():
            await asyncio.Event().wait()
        try:
            await ensure_binaries(lambda text: self._console.step(f"Sandbox cluster: {text}"))
            async with cluster(
                data=self._data,
                nodes=self._settings.sandbox_nodes,
                durable=self._settings.durable,
                progress=lambda _line: None,
            ) as running:
                self._console.ready("sandbox", running.server)
                await self._connect(running)
                process = await running.died
                self._console.warn(f"The sandbox cluster ended: {process.command.name}. It is started again.")
        except EmbeddedError as error:
            self._console.warn(f"No sandbox cluster: {error}")
            self._console.say("Everything else works; upload a kubeconfig to connect a cluster.")
            await asyncio.Event().wait()

    def _wanted(self) -> bool:
        if self._settings.sandbox != "auto":
            return self._settings.sandbox == "on"
        return not self._settings.kubeconfig_files()

    async def _connect(self, running: Cluster) -> None:
        told = ""
        while True:
            try:
                request = identity.Authenticate(from_loopback=True)
                assertion = (await self._bus.request(identity.AUTHENTICATE, request, assertion="")).assertion
                reply = await self._bus.request(
                    connections.REGISTER_KUBECONFIG,
                    connections.RegisterKubeconfig(kubeconfig=running.kubeconfig),
                    assertion=assertion,
                )
            except ProblemError as error:
                if error.problem.title != told:
                    told = error.problem.title
                    self._console.warn(f"The sandbox cluster is not connected yet: {told}")
                await pause(_RETRY_SECONDS)
                continue
            if reply.connected_contexts:
                self._console.ready(
                    "connected", f"{running.name}, connection {reply.connected_contexts[0].id}"
                )
                return
            await pause(_RETRY_SECONDS)
