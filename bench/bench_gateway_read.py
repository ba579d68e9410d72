"""Reading one 2 KB design: gateway → NATS → service → PostgreSQL, beside the same path written by hand.

Separate processes, telemetry off, 32 connections. Rounds alternate, so that both see the same machine; what counts
is the ratio of the medians. Goals: at least 0.6 of the bare path's requests, p99 at most twice its p99.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import uvloop
from homes import throw_away_home
from load import Round, load

from meshery_embedded.process import Command, Process
from meshery_standalone.app import answering, own_bus
from meshery_standalone.infrastructure import Infrastructure, infrastructure
from meshery_standalone.members import MEMBERS, STATEFUL, environment_of, values_of
from meshery_standalone.separate import SeparateProcess
from meshery_standalone.settings import StandaloneSettings

CONNECTIONS = 32
ROUNDS = 5
SECONDS = 4.0
NEEDED = ("identity", "designs", "gateway")


def free_port() -> int:
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def a_design_file() -> str:
    """A design file that makes the whole record some 2 KB, the file itself not counted twice."""
    components = [
        {
            "displayName": f"settings-{number}",
            "component": {"version": "v1", "kind": "ConfigMap"},
            "configuration": {"metadata": {"name": f"settings-{number}"}, "data": {"key": "v" * 40}},
        }
        for number in range(3)
    ]
    return orjson.dumps({"name": "bench", "components": components}).decode()


async def saved_design(port: int) -> tuple[str, bytes]:
    """Save a design through the gateway; its id and the bytes that a read gives."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.post(
            "/api/pattern", json={"pattern_data": {"pattern_file": a_design_file()}}
        ) as reply:
            design_id = (await reply.json())[0]["id"]
        headers = {"Accept-Encoding": "identity"}
        async with session.get(f"/api/pattern/{design_id}", headers=headers) as reply:
            return design_id, await reply.read()


async def bare_path(
    stack: AsyncExitStack, servers: Infrastructure, logs: Path, design_id: str, body: bytes
) -> int:
    """Start the hand-written path over the same bytes; its port."""
    dsn = servers.postgres.admin_dsn("meshery")
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table bare_designs (id text primary key, body bytea not null)")
    await connection.execute("insert into bare_designs values ($1, $2)", design_id, body)
    await connection.close()
    port = free_port()
    program = str(Path(__file__).with_name("bare_gateway_read.py"))
    url = servers.nats.url
    for name, arguments in {
        "bare-service": ["service", url, servers.seeds["designs"], dsn],
        "bare-http": ["http", str(port), url, servers.seeds["gateway"]],
    }.items():
        process = await Process.start(
            Command(name, [sys.executable, program, *arguments], logs / f"{name}.log")
        )
        stack.push_async_callback(process.stop)
    async with asyncio.timeout(15):
        while True:
            try:
                await load(port, f"/api/pattern/{design_id}", connections=1, seconds=0.1)
                return port
            except (OSError, RuntimeError):
                await asyncio.sleep(0.1)


def told(name: str, rounds: list[Round]) -> str:
    """One line about the rounds of one path."""
    rates = sorted(one.requests_per_second for one in rounds)
    p50 = statistics.median(one.percentile(0.5) for one in rounds) * 1000
    p99 = statistics.median(one.percentile(0.99) for one in rounds) * 1000
    return (
        f"{name:<10} {statistics.median(rates):8.0f} requests/s (min {rates[0]:.0f}, max {rates[-1]:.0f})"
        + (f"   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    )


async def main() -> None:
    """Run the rounds and print the ratios."""
    with throw_away_home() as home:
        settings = StandaloneSettings(
            home=home,
            port=free_port(),
            nats_port=0,
            nats_monitor_port=0,
            separate=True,
            sandbox="off",
            kubeconfig="",
        )
        async with AsyncExitStack() as stack:
            servers = await stack.enter_async_context(infrastructure(settings, home, STATEFUL))
            bus = await stack.enter_async_context(own_bus(servers))
            for member in MEMBERS:
                if member.name not in NEEDED:
                    continue
                environment = environment_of(
                    member.name, values_of(member.name, settings, home, servers, None)
                )
                log_file = home / "logs" / f"{member.name}.log"
                await stack.enter_async_context(
                    SeparateProcess.started(member.name, environment, log_file, print)
                )
                await answering(bus, member, settings.port)
            design_id, body = await saved_design(settings.port)
            path = f"/api/pattern/{design_id}"
            bare_port = await bare_path(stack, servers, home / "logs", design_id, body)
            print(
                f"one design of {len(body)} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s each"
            )
            for port in (bare_port, settings.port):
                await load(port, path, connections=CONNECTIONS, seconds=1)
            bare: list[Round] = []
            ours: list[Round] = []
            for _ in range(ROUNDS):
                bare.append(await load(bare_port, path, connections=CONNECTIONS, seconds=SECONDS))
                ours.append(await load(settings.port, path, connections=CONNECTIONS, seconds=SECONDS))
    print(told("bare", bare))
    print(told("meshery", ours))
    pairs = list(zip(ours, bare, strict=True))
    rate = statistics.median(one.requests_per_second / other.requests_per_second for one, other in pairs)
    tail = statistics.median(one.percentile(0.99) / other.percentile(0.99) for one, other in pairs)
    print(f"ratio      requests {rate:.2f} (goal at least 0.60)   p99 {tail:.2f} (goal at most 2.00)")


if __name__ == "__main__":
    uvloop.run(main())
