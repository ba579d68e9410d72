"""A sandbox Kubernetes cluster in child processes, on free ports of the loopback address.

Real API server, etcd, controllers and scheduler; kwok plays the nodes, so Pods reach Running but no
container runs. For laptops without a cluster, the playground and tests.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import aiohttp

from meshery_embedded.cluster import programs
from meshery_embedded.cluster.binaries import ensure_binaries, module_version
from meshery_embedded.cluster.certificates import Pair, ensure_pki
from meshery_embedded.cluster.nodes import can_run_pods, ensure_nodes, is_ready
from meshery_embedded.cluster.programs import Layout, Ports, kubeconfig
from meshery_embedded.errors import StartError
from meshery_embedded.locks import DataLock, data_lock
from meshery_embedded.ports import free_port, is_free, says_port_taken
from meshery_embedded.process import Command, Process

# Generous: a busy machine with two cores starts everything in about ten seconds.
_START_SECONDS = 120.0
_STARTS = 5
_REQUEST_SECONDS = 10.0
_POLL_SECONDS = 0.1
_PORTS_FILE = "ports.json"


def _silent(_line: str) -> None:
    """Progress that nobody watches."""


class Cluster:
    """A running sandbox. `kubeconfig` holds everything a client needs; its user may do anything."""

    name = "sandbox"

    def __init__(self, layout: Layout, lock: DataLock, nodes: int, progress: Callable[[str], None]) -> None:
        self._layout = layout
        self._lock = lock
        self._nodes = nodes
        self._progress = progress
        self._processes: dict[str, Process] = {}
        self._session = _session(layout.server, layout.pki.authority, layout.pki.admin)
        self.died: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        """Resolves with the first process that ended without having been asked."""

    @property
    def server(self) -> str:
        """URL of the API server; the same after a durable sandbox starts again, if it is free."""
        return self._layout.server

    @property
    def kubeconfig_path(self) -> Path:
        return self._layout.kubeconfig_path("admin")

    @property
    def kubeconfig(self) -> str:
        """YAML with one context, `sandbox`, and all certificates in it."""
        return kubeconfig(self.server, self._layout.pki.authority, self._layout.pki.admin)

    @property
    def processes(self) -> dict[str, Process]:
        """The present processes by program name, for measurements and faults."""
        return dict(self._processes)

    async def wait_ready(self, *, timeout_seconds: float = _START_SECONDS) -> None:
        """Return when Pods can run: API server ready, nodes ready, service accounts made.

        Raises StartError when a process ends before, or time is up.
        """
        api_server = self._processes["kube-apiserver"]
        async with _watching(self.died):
            await api_server.ready(
                lambda: can_run_pods(self._session, self._nodes),
                timeout_seconds=timeout_seconds,
                interval_seconds=_POLL_SECONDS,
            )

    async def kill_api_server(self) -> None:
        """End the API server as a fault would; `start_api_server` brings it back."""
        await self._processes["kube-apiserver"].kill()

    async def start_api_server(self) -> None:
        """Start the API server on its port and return when it is ready. Raises StartError."""
        await self._run(programs.api_server(self._layout), lambda: is_ready(self._session))

    async def restart_api_server(self) -> None:
        """Kill the API server and start it again: watches break, objects stay."""
        await self.kill_api_server()
        await self.start_api_server()

    async def _start(self) -> None:
        layout = self._layout
        self._progress("sandbox cluster: starting etcd")
        async with _session(
            layout.etcd_url, layout.pki.etcd_authority, layout.pki.etcd_client
        ) as etcd_session:
            await self._run(programs.etcd(layout), lambda: is_ready(etcd_session))
        self._progress("sandbox cluster: starting the API server")
        await self.start_api_server()
        self._progress("sandbox cluster: starting controllers, scheduler and nodes")
        await ensure_nodes(self._session, self._nodes, module_version("k8s.io/kubernetes"))
        for command in (
            programs.controller_manager(layout),
            programs.scheduler(layout),
            programs.kwok(layout),
        ):
            await self._run(command)
        await self.wait_ready()
        self._progress(f"sandbox cluster: ready at {self.server}")

    async def _stop(self) -> None:
        """Stop what writes before what is written to."""
        try:
            last = ("kube-apiserver", "etcd")
            first = [process for name, process in self._processes.items() if name not in last]
            await asyncio.gather(*(process.stop() for process in first))
            for name in last:
                if process := self._processes.get(name):
                    await process.stop()
        finally:
            await self._session.close()

    async def _run(self, command: Command, probe: Callable[[], Awaitable[bool]] | None = None) -> None:
        process = await Process.start(command)
        self._processes[command.name] = process
        process.died.add_done_callback(lambda _: self._note_death(process))
        self._lock.note(*(each.pid for each in self._processes.values() if each.running))
        if probe is not None:
            await process.ready(probe, timeout_seconds=_START_SECONDS, interval_seconds=_POLL_SECONDS)

    def _note_death(self, process: Process) -> None:
        if not self.died.done():
            self.died.set_result(process)


@asynccontextmanager
async def cluster(
    *,
    data: Path,
    nodes: int = 2,
    durable: bool = False,
    progress: Callable[[str], None] = _silent,
) -> AsyncIterator[Cluster]:
    """Run a sandbox cluster with its state in `data` while the context is open.

    The first call on a machine builds Kubernetes (`ensure_binaries`). What is in `data` is found
    again: objects, certificates and, when it is free, the port. Not `durable`: nothing is synced
    to disk, and the end is at once.

    Raises DataInUseError, BuildError, MissingProgramError and StartError; the last names the process
    and has its last words.
    """
    binaries = await ensure_binaries(progress)
    async with data_lock(data, "the sandbox cluster") as lock:
        pki = await asyncio.to_thread(ensure_pki, lock.data / "pki")
        layout = Layout(
            data=lock.data,
            binaries=binaries,
            pki=pki,
            ports=_ports(_read_ports(lock.data / _PORTS_FILE)),
            durable=durable,
            lock_fd=lock.fd,
        )
        running = await _started(layout, lock, nodes, progress)
        try:
            yield running
        finally:
            await running._stop()


async def _started(layout: Layout, lock: DataLock, nodes: int, progress: Callable[[str], None]) -> Cluster:
    """Start everything; with other ports when one was taken between the look and the bind."""
    for attempt in range(1, _STARTS + 1):
        _write_configurations(layout)
        starting = Cluster(layout, lock, nodes, progress)
        try:
            await starting._start()
        except StartError as error:
            await starting._stop()
            if attempt == _STARTS or not says_port_taken(error.log_tail):
                raise
            progress("sandbox cluster: a port was taken meanwhile, trying others")
            layout = replace(layout, ports=_ports(None))
        except BaseException:
            await starting._stop()
            raise
        else:
            return starting
    raise AssertionError("unreachable")


def _write_configurations(layout: Layout) -> None:
    pki = layout.pki
    users = {"admin": pki.admin, "kcm": pki.controller_manager, "scheduler": pki.scheduler, "kwok": pki.kwok}
    for user, client in users.items():
        path = layout.kubeconfig_path(user)
        unfinished = path.with_suffix(".new")
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(kubeconfig(layout.server, pki.authority, client))
        unfinished.replace(path)
    (layout.data / _PORTS_FILE).write_text(json.dumps(asdict(layout.ports)))
    (layout.data / "kwok-logs.yaml").write_text(programs.kwok_logs(layout.data))
    (layout.data / "pods.log").touch()


def _read_ports(file: Path) -> Ports | None:
    try:
        return Ports(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _ports(kept: Ports | None) -> Ports:
    """The kept ports that are free, others for the rest."""
    chosen: list[int] = []
    wished = [kept.api, kept.etcd, kept.etcd_peer, kept.kubelet] if kept else [0, 0, 0, 0]
    for wish in wished:
        port = wish if wish and is_free(wish) else free_port()
        while port in chosen:
            port = free_port()
        chosen.append(port)
    return Ports(*chosen)


def _session(url: str, authority: Pair, client: Pair) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(client.certificate, client.key)
    return aiohttp.ClientSession(
        url,
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS),
        # The loopback address is never behind a proxy.
        trust_env=False,
    )


@asynccontextmanager
async def _watching(died: asyncio.Future[Process]) -> AsyncIterator[None]:
    """Turn the death of any process into the error of what is waited for meanwhile."""
    waiter = asyncio.current_task()
    waiting = True

    def interrupt(_: asyncio.Future[Process]) -> None:
        # May be called after the end: a call that the loop has scheduled cannot be taken back.
        if waiter is not None and waiting:
            waiter.cancel()

    died.add_done_callback(interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if not died.done():
            raise
        if waiter is not None:
            waiter.uncancel()
        raise died.result().start_error("ended while the cluster started") from None
    finally:
        waiting = False
        died.remove_done_callback(interrupt)
