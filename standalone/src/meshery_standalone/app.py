"""The wiring of the laptop mode: servers, services, and the sandbox cluster beside them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from meshery_common.bus import Bus, BusSettings
from meshery_common.runtime import supervise
from meshery_contracts import identity
from meshery_contracts.errors import ProblemError
from meshery_standalone.console import Console
from meshery_standalone.homes import HomeError
from meshery_standalone.infrastructure import Infrastructure, infrastructure
from meshery_standalone.members import (
    MEMBERS,
    Member,
    Owner,
    environment_of,
    in_this_process,
    values_of,
)
from meshery_standalone.sandbox import Sandbox
from meshery_standalone.separate import SeparateProcess
from meshery_standalone.settings import StandaloneSettings


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
    """Everything, ready for people for the time of the block. `home` must be claimed."""
    port = _free_gateway_port(settings)
    settings = settings.model_copy(update={"port": port})
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(infrastructure(settings, home))
        console.ready("PostgreSQL", f"127.0.0.1:{servers.postgres.port}")
        console.ready("NATS", f"{servers.nats.url}, monitor {servers.nats.monitor_url}")
        if settings.nats_port not in (0, servers.nats.port):
            console.warn(f"Port {settings.nats_port} is taken: NATS listens on {servers.nats.port}.")
        processes: dict[str, SeparateProcess] = {}
        owner: Owner | None = None
        bus = await stack.enter_async_context(own_bus(servers))
        for member in MEMBERS:
            values = values_of(member.name, settings, home, servers, owner)
            if settings.separate:
                log_file = home / "logs" / f"{member.name}.log"
                environment = environment_of(member.name, values)
                processes[member.name] = await stack.enter_async_context(
                    SeparateProcess.started(member.name, environment, log_file)
                )
            else:
                await stack.enter_async_context(in_this_process(member, values))
            if owner is None:
                owner = await _owner(bus)
            if settings.separate:
                await answering(bus, member, port)
            console.ready(member.name)
        assert owner is not None  # noqa: S101 -- identity is the first member
        tasks = await stack.enter_async_context(supervise("standalone"))
        sandbox = Sandbox(settings, home / "sandbox", bus, console)
        tasks.start("sandbox", sandbox.run)
        yield Running(f"http://{settings.host}:{port}", servers, owner, processes)


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
            await asyncio.sleep(0.05)
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
        await asyncio.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_gateway_port(settings: StandaloneSettings) -> int:
    """The gateway's port. Raises HomeError when it is taken: people have bookmarks, so no other one is chosen."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise HomeError(
                f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}.\n"
                "Stop what listens there, or choose another port with MESHERY_PORT=9082."
            ) from error
        port: int = probe.getsockname()[1]
        return port
