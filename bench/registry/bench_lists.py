"""A list of 25 of 20,000 components: gateway → NATS → registry → PostgreSQL, beside a path written by hand.

The bare path is the one of `bench_gateway_read.py`, over the same bytes. Separate processes, telemetry off, 16
connections; rounds alternate. Goal: at least 0.6 of the bare path's requests. Beside it, what an answer costs that was
not given before: pages, searches and facets, one at a time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_gateway_read import bare_path, free_port, told
from load import Round, load

from meshery_standalone.app import answering, own_bus
from meshery_standalone.infrastructure import infrastructure
from meshery_standalone.members import MEMBERS, STATEFUL, environment_of, values_of
from meshery_standalone.separate import SeparateProcess
from meshery_standalone.settings import StandaloneSettings

COMPONENTS = 20_000
CONNECTIONS = 16
ROUNDS = 5
SECONDS = 4.0
NEEDED = ("identity", "registry", "gateway")
LIST = "/api/registry/components?pagesize=25"
ONCE = {
    "first page, anew": LIST + "&order=kind&sort=asc&page={}",
    "page 700 and on": LIST + "&page=70{}",
    "two words": LIST + "&search=kind+12{}",
    "a word that nothing has": LIST + "&search=nothing{}",
    "filter by category": LIST + "&page={}&search=1&annotations=false",
}


async def many_components(dsn: str) -> None:
    """Components of forty models of the one organisation."""
    connection = await asyncpg.connect(dsn)
    try:
        organization_id = await connection.fetchval(
            "select organization_id from identity.organizations limit 1"
        )
        await connection.execute(
            """
            insert into registry.models (organization_id, id, registrant_kind, registrant_id, name, display_name,
                model_version, model_order, category_id)
            select $1, md5('model ' || n)::uuid, 'github', $1, 'model-' || n, 'Model ' || n, 'v1.0.0',
                '{1,0,0,3,0}', (select id from registry.categories order by id offset n % 15 limit 1)
            from generate_series(1, 40) n
            """,
            organization_id,
        )
        await connection.execute(
            """
            insert into registry.components (organization_id, id, model_id, model_name, api_version, kind,
                display_name, description, namespaced, custom, schema_bytes, styles, metadata, content_hash)
            select $1, md5('component ' || n)::uuid, md5('model ' || (n % 40 + 1))::uuid, 'model-' || (n % 40 + 1),
                'group' || n % 40 || '.example.io/v1', 'Kind' || n, 'Kind ' || n, repeat('What it is. ', 20), true,
                true, 0, '{"shape": "round-rectangle", "primaryColor": "#00B39F"}', '{"source": "bench"}', ''
            from generate_series(1, $2) n
            """,
            organization_id,
            COMPONENTS,
        )
        await connection.execute(
            """
            insert into registry.generations (organization_id, generation) values ($1, 1)
            on conflict (organization_id) do update set generation = registry.generations.generation + 1
            """,
            organization_id,
        )
        await connection.execute("vacuum analyze registry.components")
        await connection.execute("vacuum analyze registry.models")
    finally:
        await connection.close()


async def answers_once(port: int) -> None:
    """What questions cost that were not asked before."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for name, path in ONCE.items():
            times = []
            for number in range(10):
                before = time.perf_counter()
                async with session.get(path.format(number)) as reply:
                    reply.raise_for_status()
                    await reply.read()
                times.append((time.perf_counter() - before) * 1000)
            print(f"{name:<24} median {statistics.median(times):6.1f} ms, longest {max(times):6.1f} ms")


async def main() -> int:
    """1 when the goal is missed."""
    with tempfile.TemporaryDirectory(prefix="meshery-bench-") as folder:
        home = Path(folder)
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
                values = values_of(member.name, settings, home, servers, None)
                environment = environment_of(member.name, values)
                log_file = home / "logs" / f"{member.name}.log"
                await stack.enter_async_context(
                    SeparateProcess.started(member.name, environment, log_file, print)
                )
                await answering(bus, member, settings.port)
            await many_components(servers.postgres.admin_dsn("meshery"))
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as session,
                session.get(LIST, headers={"Accept-Encoding": "identity"}) as reply,
            ):
                body = await reply.read()
                found = await reply.json()
            assert found["total_count"] >= COMPONENTS, found["total_count"]
            bare_port = await bare_path(stack, servers, home / "logs", "list", body)
            print(
                f"25 of {found['total_count']:,} components, {len(body):,} bytes, {CONNECTIONS} connections, "
                f"{ROUNDS} rounds of {SECONDS} s each"
            )
            for port, path in ((bare_port, "/api/pattern/list"), (settings.port, LIST)):
                await load(port, path, connections=CONNECTIONS, seconds=1)
            bare: list[Round] = []
            ours: list[Round] = []
            for _ in range(ROUNDS):
                bare.append(
                    await load(bare_port, "/api/pattern/list", connections=CONNECTIONS, seconds=SECONDS)
                )
                ours.append(await load(settings.port, LIST, connections=CONNECTIONS, seconds=SECONDS))
            await answers_once(settings.port)
    print(told("bare", bare))
    print(told("meshery", ours))
    pairs = zip(ours, bare, strict=True)
    rate = statistics.median(one.requests_per_second / other.requests_per_second for one, other in pairs)
    print(f"ratio      requests {rate:.2f} (goal at least 0.60)")
    return 0 if rate >= 0.6 else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
