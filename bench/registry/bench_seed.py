"""Storing what ships with us into an empty database, again unchanged, and three hundred CRDs of a file.

Beside the first: COPY of the very same rows, prepared before, into plain tables without keys: the least that writing
them costs. Goals: under 5 s, under 0.2 s when nothing has changed, 300 CRDs under 10 s.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import uvloop
import yaml

from meshery_common.database import Database
from meshery_common.database.provision import provision
from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller
from meshery_embedded.postgres import postgres
from meshery_registry.domain.packages import read_source
from meshery_registry.domain.prepared import PreparedPackage, prepare
from meshery_registry.service import Contents, PackageRegistrar

ROUNDS = 3
CRDS = 300
GOAL_SECONDS, GOAL_UNCHANGED_SECONDS, GOAL_CRD_SECONDS = 5.0, 0.2, 10.0
TABLES = ("models", "schemas", "icons", "components", "relationships", "policies", "registrations")
PACKAGE = files("meshery_registry")
CONTENT = Path(str(PACKAGE / "content"))


async def seconds_of(work: Callable[[], Awaitable[object]]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def crd(number: int) -> dict[str, Any]:
    """A CRD with a schema as large as they often are: some 20 KB."""
    properties = {
        f"field{field}": {
            "type": "object",
            "description": f"What field {field} is for. " * 4,
            "properties": {
                f"part{part}": {"type": "string", "description": "One part."} for part in range(10)
            },
        }
        for field in range(20)
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    group = f"group{number % 30}.bench.example.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"kind{number}s.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": f"Kind{number}", "plural": f"kind{number}s"},
            "versions": [version],
        },
    }


async def bare(dsn: str) -> float:
    """COPY what was stored into plain tables."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = {}
        for table in TABLES:
            found = await connection.fetch(f"select * from registry.{table}")
            await connection.execute(f"create table bare_{table} as select * from registry.{table} limit 0")
            rows[table] = [tuple(row) for row in found]
        started = time.perf_counter()
        for table, found in rows.items():
            await connection.copy_records_to_table(f"bare_{table}", records=found)
        elapsed = time.perf_counter() - started
        for table in TABLES:
            await connection.execute(f"drop table bare_{table}")
        return elapsed
    finally:
        await connection.close()


async def register_crds(db: Database, worker: WorkerProcess, bundle: bytes) -> int:
    """Read and store the CRDs as an import does; how many kinds."""
    caller = Caller(user_id=uuid4(), organization_id=uuid4())
    readings = await worker.run(read_source, "crds.yaml", bundle)
    packages = await worker.run(prepare, readings.packages, caller.organization_id)
    count = 0
    for package in packages:
        assert isinstance(package, PreparedPackage), package
        async with db.transaction(caller.organization_id) as tx:
            entries = await PackageRegistrar().register(tx, package, caller)
        count += sum(one.entity_type == "component" for one in entries)
    return count


async def main() -> int:
    """1 when a goal is missed."""
    bundle = yaml.dump_all([crd(number) for number in range(CRDS)], Dumper=yaml.CSafeDumper).encode()
    empty: list[float] = []
    unchanged: list[float] = []
    copies: list[float] = []
    registering: list[float] = []
    with tempfile.TemporaryDirectory(prefix="meshery-bench-") as folder:
        async with postgres(Path(folder) / "postgres") as server, WorkerProcess.open() as worker:
            for number in range(ROUNDS):
                made = await provision(
                    server.admin_dsn("postgres"),
                    "registry",
                    database=f"round_{number}",
                    app_password="app",
                    owner_password="owner",
                )
                async with Database.open(
                    made.settings(), schema="registry", migrations=PACKAGE / "migrations"
                ) as db:
                    contents = Contents(db, PackageRegistrar(), CONTENT)
                    empty.append(await seconds_of(contents.store))
                    unchanged.append(await seconds_of(contents.store))
                    copies.append(await bare(server.admin_dsn(f"round_{number}")))
                    started = time.perf_counter()
                    count = await register_crds(db, worker, bundle)
                    registering.append(time.perf_counter() - started)
                    assert count == CRDS, count
    first, again = statistics.median(empty), statistics.median(unchanged)
    crds, copied = statistics.median(registering), statistics.median(copies)
    print(f"what ships, into an empty database   {first:6.2f} s (goal under {GOAL_SECONDS:g} s)")
    print(f"  bare COPY of the prepared rows     {copied:6.2f} s")
    print(f"what ships, unchanged                {again:6.3f} s (goal under {GOAL_UNCHANGED_SECONDS:g} s)")
    print(
        f"{CRDS} CRDs, {len(bundle) / 1e6:.1f} MB of YAML        {crds:6.2f} s (goal under {GOAL_CRD_SECONDS:g} s)"
    )
    good = first < GOAL_SECONDS and again < GOAL_UNCHANGED_SECONDS and crds < GOAL_CRD_SECONDS
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
