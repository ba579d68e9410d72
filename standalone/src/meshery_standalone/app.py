"""The wiring of the laptop mode: servers, services, and the sandbox cluster beside them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import SecretStr

from meshery_common.background import pause
from meshery_common.bus import Bus, BusSettings
from meshery_common.runtime import supervise
from meshery_contracts import identity
from meshery_contracts.errors import ProblemError
from meshery_embedded import EmbeddedError
from meshery_standalone.console import Console
from meshery_standalone.discovered import tell_discovered
from meshery_standalone.errors import CannotRunError, causes
from meshery_standalone.infrastructure import Infrastructure, infrastructure
from meshery_standalone.members import (
    MEMBERS,
    STATEFUL,
    Member,
    Owner,
    environment_of,
    in_this_process,
    values_of,
)
from meshery_standalone.sandbox import Sandbox
from meshery_standalone.separate import SeparateProcess
from meshery_standalone.settings import StandaloneSettings

log = structlog.get_logger()


@dataclass
class Running:
    """A running installation."""

    url: str
    servers: Infrastructure
    owner: Owner
    #: Separate processes by service; empty when all run in this one.
    processes: dict[str, SeparateProcess] = field(default_factory=dict)


@asynccontextmanager
async def running(settings: StandaloneSettings, home: Path, console: Console) -> AsyncIterator[Running]:
    """Everything, ready for people for the time of the block. `home` must be claimed.

    Raises CannotRunError and EmbeddedError with words for a person, also into the block.
    """
    port = _gateway_port(settings)
    settings = settings.model_copy(update={"port": port})
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(infrastructure(settings, home, STATEFUL, console.warn))
        console.ready("PostgreSQL", f"127.0.0.1:{servers.postgres.port}")
        console.ready("NATS", f"{servers.nats.url}, monitor {servers.nats.monitor_url}")
        if settings.nats_port not in (0, servers.nats.port):
            console.warn(f"Port {settings.nats_port} is taken: NATS listens on {servers.nats.port}.")
        bus = await stack.enter_async_context(own_bus(servers))
        services = Services(settings, home, servers, bus, console)
        owner = await (services.separate(stack) if settings.separate else services.together(stack))
        tasks = await stack.enter_async_context(supervise("standalone"))
        sandbox = Sandbox(settings, home / "sandbox", bus, console)
        tasks.start("sandbox", sandbox.run)
        if settings.kubeconfig_files() and not settings.connect_own:
            tasks.start("discovered", lambda: tell_discovered(bus, console, _url(settings)))
        yield Running(_url(settings), servers, owner, services.processes)


class Services:
    """Starts the services, in one process or in many."""

    def __init__(
        self, settings: StandaloneSettings, home: Path, servers: Infrastructure, bus: Bus, console: Console
    ) -> None:
        self._settings = settings
        self._home = home
        self._servers = servers
        self._bus = bus
        self._console = console
        self.processes: dict[str, SeparateProcess] = {}

    async def together(self, stack: AsyncExitStack) -> Owner:
        """All in this process, one after the other; they end with the stack."""
        owner: Owner | None = None
        for member in MEMBERS:
            values = values_of(member.name, self._settings, self._home, self._servers, owner)
            with _telling_who(member.name, self._home):
                await stack.enter_async_context(in_this_process(member, values))
            owner = owner or await _owner(self._bus)
            self._console.ready(member.name)
        assert owner is not None  # noqa: S101 -- there are members
        return owner

    async def separate(self, stack: AsyncExitStack) -> Owner:
        """Each as a process: identity first, the others at once; they end the other way round."""
        first, *others, way_in = MEMBERS
        await self._spawn(stack, first, None)
        owner = await _owner(self._bus)
        for member in others:
            await self._spawn(stack, member, owner)
        stack.push_async_callback(self._stop, others)
        await self._spawn(stack, way_in, owner)
        for member in MEMBERS:
            await answering(self._bus, member, self._settings.port)
            self.processes[member.name].answered = True
            self._console.ready(member.name, f"process {self.processes[member.name].pid}")
        return owner

    async def _stop(self, members: Sequence[Member]) -> None:
        """End services at the same time: nobody comes in any more, and what is at work is handed over."""
        async with asyncio.TaskGroup() as group:
            for member in members:
                group.create_task(self.processes[member.name].stop())

    async def _spawn(self, stack: AsyncExitStack, member: Member, owner: Owner | None) -> None:
        values = values_of(member.name, self._settings, self._home, self._servers, owner)
        log_file = self._home / "logs" / f"{member.name}.log"
        environment = environment_of(member.name, values)
        self.processes[member.name] = await stack.enter_async_context(
            SeparateProcess.started(member.name, environment, log_file, self._console.warn)
        )


@contextmanager
def _telling_who(service: str, home: Path) -> Iterator[None]:
    """Name the service that fails at its start; what it says itself is in the log."""
    try:
        yield
    except (CannotRunError, EmbeddedError):
        raise
    except Exception as error:
        cause = next(causes(error))
        log.exception("a service could not start", service=service)
        reason = (
            cause.problem.title if isinstance(cause, ProblemError) else f"{type(cause).__name__}: {cause}"
        )
        raise CannotRunError(
            f"The service {service} could not start. {reason}\nDetails: {home / 'logs' / 'meshery.log'}"
        ) from error


@asynccontextmanager
async def own_bus(servers: Infrastructure) -> AsyncIterator[Bus]:
    """The bus as the gateway's user: the laptop mode asks what a person at the gateway may ask."""
    settings = BusSettings(url=servers.nats.url, nkey_seed=SecretStr(servers.seeds["gateway"]))
    async with Bus.connect(settings, service="gateway") as bus:
        yield bus


async def _owner(bus: Bus) -> Owner:
    """The local person, as soon as identity answers."""
    while True:
        try:
            request = identity.Authenticate(from_loopback=True)
            assertion = await bus.request(identity.AUTHENTICATE, request, assertion="")
        except ProblemError:
            await pause(0.05)
        else:
            return Owner(assertion.user_id, assertion.organization_id)


async def answering(bus: Bus, member: Member, gateway_port: int) -> None:
    """Wait until a separate service answers: on the bus, or the gateway on its port."""
    while True:
        if member.name == "gateway":
            if await asyncio.to_thread(_listens, gateway_port):
                return
        elif await bus.is_served_by(member.name):
            return
        await pause(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _gateway_port(settings: StandaloneSettings) -> int:
    """The gateway's port, a free one for 0.

    Raises CannotRunError when it is taken: people have bookmarks, so no other one is chosen.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise CannotRunError(
            f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}.\n"
            "Stop what listens there, or choose another port with MESHERY_PORT=9082."
        ) from error


def _url(settings: StandaloneSettings) -> str:
    """Where a browser on this machine finds it."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 -- compared only
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
