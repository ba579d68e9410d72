"""Imports that are killed, cancelled, revoked, refused or hostile: each ends once and leaves nothing half written."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import imports, registry
from meshery_contracts.errors import RateLimited, TooLarge, Word
from meshery_contracts.imports import (
    Import,
    ImportDefinitions,
    ImportEntry,
    ImportId,
    ImportStage,
    ImportStatus,
    ListImportEntries,
    Outcome,
    UploadedFile,
)
from meshery_contracts.paging import PageRequest
from meshery_registry.app import running
from meshery_registry.settings import FetchSettings, RegistrySettings
from meshery_testkit.asking import Client, person
from meshery_testkit.crashing import lose_leases, own_process
from meshery_testkit.facts import Facts, following
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.source_server import SourceServer

MIGRATIONS = files("meshery_registry") / "migrations"
LAPTOP = FetchSettings(allow_http=True, allow_loopback_addresses=True, ports=(), total_seconds=20.0)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SourceServer]:
    """Where everything is fetched from."""
    async with SourceServer.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def settings(settings: RegistrySettings) -> RegistrySettings:
    """A laptop's settings."""
    return settings.model_copy(update={"fetch": LAPTOP, "stop_grace_seconds": 0.2})


@pytest.fixture
async def asking(nats: NATSForTests, people: People) -> AsyncIterator[Client]:
    """A person who asks; each test runs the registry itself."""
    async with person(nats, people) as one:
        yield one


@pytest.fixture
async def facts(nats: NATSForTests) -> AsyncIterator[Facts]:
    """What the service announces."""
    async with following(nats, "registry") as found:
        yield found


@pytest.fixture
async def database(settings: RegistrySettings) -> AsyncIterator[Database]:
    """The service's own database, to look at what it stored."""
    async with Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as db:
        yield db


def a_crd(kind: str, group: str) -> dict[str, Any]:
    """A CRD of one version."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": f"{kind.lower()}s"},
            "versions": [version],
        },
    }


def models(count: int, kinds: int = 3) -> bytes:
    """CRDs that make so many models of so many kinds."""
    crds = [a_crd(f"Kind{k}", f"g{m}.example.com") for m in range(count) for k in range(kinds)]
    return "\n---\n".join(map(json.dumps, crds)).encode()


def upload(name: str, body: bytes) -> ImportDefinitions:
    """An import of an uploaded file."""
    return ImportDefinitions(file=UploadedFile(file_name=name, content=base64.b64encode(body).decode()))


async def ended(client: Client, facts: Facts, started: Import) -> Import:
    """The import as it is when its end is announced, which happens once."""
    await facts.wait_for(imports.IMPORT_FINISHED, lambda fact: fact.import_id == started.id)
    return await client.ask(imports.GET_IMPORT, ImportId(import_id=started.id))


async def until(client: Client, started: Import, so: Callable[[Import], bool]) -> Import:
    async with asyncio.timeout(20):
        while not so(found := await client.ask(imports.GET_IMPORT, ImportId(import_id=started.id))):
            await asyncio.sleep(0.005)
    return found


async def entries(client: Client, imported: Import) -> list[ImportEntry]:
    request = ListImportEntries(import_id=imported.id, page_size=1000)
    return (await client.ask(imports.LIST_IMPORT_ENTRIES, request)).entries


async def stored_models(client: Client) -> int:
    return (await client.ask(registry.LIST_MODELS, registry.ListModels())).total_count


async def nothing_is_kept(database: Database) -> bool:
    """Whether what imports held is forgotten."""
    kept = await database.fetchrow(
        EVERY_ORGANIZATION,
        "select (select count(*) from import_files) as files, (select count(*) from import_orders) as orders",
    )
    assert kept is not None
    return (kept["files"], kept["orders"]) == (0, 0)


async def test_an_import_whose_service_was_killed_is_finished_once(
    asking: Client, settings: RegistrySettings, facts: Facts, database: Database
) -> None:
    async with own_process(settings) as child:
        started = await asking.ask(imports.IMPORT_DEFINITIONS, upload("crds.yaml", models(150)))
        await until(asking, started, lambda one: 10 < one.models_done < 140)
        child.kill()
        await child.wait()
    await lose_leases(database)
    async with hosted(running(settings)):
        done = await ended(asking, facts, started)
        assert (done.status, done.models_done) == (ImportStatus.SUCCEEDED, 150)
        # Had a model been stored without its report, the second attempt would have called it unchanged.
        assert (done.models.added, done.models.unchanged) == (150, 0)
        assert (done.components.added, done.components.unchanged) == (450, 0)
        told = await entries(asking, done)
        assert [one.position for one in told] == list(range(600))
        assert await stored_models(asking) == 150
    assert sum(fact.import_id == started.id for fact in facts.of(imports.IMPORT_FINISHED)) == 1
    assert len(facts.of(registry.MODELS_REGISTERED)) == 150
    assert await nothing_is_kept(database)


async def test_an_import_that_was_killed_while_it_fetched_fetches_again(
    asking: Client, settings: RegistrySettings, facts: Facts, database: Database, server: SourceServer
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hanging(request: web.Request) -> web.Response:
        asked.set()
        await go_on.wait()
        return web.Response(body=models(1))

    server.files["/crds.yaml"] = hanging
    async with own_process(settings) as child:
        started = await asking.ask(
            imports.IMPORT_DEFINITIONS, ImportDefinitions(url=f"{server.url}/crds.yaml")
        )
        await asyncio.wait_for(asked.wait(), 20)
        child.kill()
        await child.wait()
    go_on.set()
    await lose_leases(database)
    async with hosted(running(settings)):
        done = await ended(asking, facts, started)
        assert (done.status, done.models.added) == (ImportStatus.SUCCEEDED, 1)


async def test_what_was_fetched_is_not_fetched_again(
    asking: Client, settings: RegistrySettings, facts: Facts, database: Database, server: SourceServer
) -> None:
    server.files["/crds.yaml"] = models(150)
    async with own_process(settings) as child:
        started = await asking.ask(
            imports.IMPORT_DEFINITIONS, ImportDefinitions(url=f"{server.url}/crds.yaml")
        )
        await until(asking, started, lambda one: one.models_done > 5)
        child.kill()
        await child.wait()
    # By now the server has something else: the import goes on with what it had begun with.
    server.files["/crds.yaml"] = models(1)
    await lose_leases(database)
    async with hosted(running(settings)):
        done = await ended(asking, facts, started)
        assert done.models.added == 150
    assert server.asked == ["GET /crds.yaml"]


async def test_an_import_is_cancelled_while_it_fetches(
    asking: Client, settings: RegistrySettings, facts: Facts, database: Database, server: SourceServer
) -> None:
    asked = asyncio.Event()

    async def hanging(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(60)
        return web.Response()

    server.files["/crds.yaml"] = hanging
    async with hosted(running(settings)):
        started = await asking.ask(
            imports.IMPORT_DEFINITIONS, ImportDefinitions(url=f"{server.url}/crds.yaml")
        )
        await asyncio.wait_for(asked.wait(), 20)
        await asking.ask(imports.CANCEL_IMPORT, ImportId(import_id=started.id))
        done = await ended(asking, facts, started)
        assert (done.status, done.stage) == (ImportStatus.CANCELLED, ImportStage.FETCH)
    assert await nothing_is_kept(database)


async def test_a_cancelled_import_leaves_whole_models(
    asking: Client, settings: RegistrySettings, facts: Facts
) -> None:
    async with hosted(running(settings)):
        started = await asking.ask(imports.IMPORT_DEFINITIONS, upload("crds.yaml", models(300)))
        await until(asking, started, lambda one: one.models_done > 5)
        await asking.ask(imports.CANCEL_IMPORT, ImportId(import_id=started.id))
        done = await ended(asking, facts, started)
        assert done.status is ImportStatus.CANCELLED
        assert 5 < done.models_done < 300
        assert await stored_models(asking) == done.models.added == done.models_done
        assert done.components.added == 3 * done.models_done


async def test_imports_wait_for_a_place_and_may_be_cancelled_there(
    asking: Client, settings: RegistrySettings, facts: Facts, server: SourceServer, database: Database
) -> None:
    go_on = asyncio.Event()

    async def hanging(request: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(body=models(1))

    server.files["/crds.yaml"] = hanging
    order = ImportDefinitions(url=f"{server.url}/crds.yaml")
    async with hosted(running(settings.model_copy(update={"imports_at_once": 1}))):
        first = await asking.ask(imports.IMPORT_DEFINITIONS, order)
        await until(asking, first, lambda one: one.status is ImportStatus.RUNNING)
        waiting = [await asking.ask(imports.IMPORT_DEFINITIONS, order) for _ in range(49)]
        assert {one.status for one in waiting} == {ImportStatus.PENDING}
        with pytest.raises(RateLimited):
            await asking.ask(imports.IMPORT_DEFINITIONS, order)
        for one in waiting:
            cancelled = await asking.ask(imports.CANCEL_IMPORT, ImportId(import_id=one.id))
            assert cancelled.status is ImportStatus.CANCELLED
        go_on.set()
        assert (await ended(asking, facts, first)).status is ImportStatus.SUCCEEDED
        await ended(asking, facts, waiting[-1])
    assert len(facts.of(imports.IMPORT_FINISHED)) == 50
    assert await nothing_is_kept(database)


async def test_revoked_rights_stop_an_import(
    asking: Client, settings: RegistrySettings, facts: Facts, people: People, database: Database
) -> None:
    async with hosted(running(settings)):
        started = await asking.ask(imports.IMPORT_DEFINITIONS, upload("crds.yaml", models(300)))
        await until(asking, started, lambda one: one.models_done > 5)
        people.revoked.add(asking.caller.user_id)
        done = await ended(asking, facts, started)
        assert done.status is ImportStatus.FAILED
        assert done.problem is not None
        assert done.problem.code == "user_unknown"
        assert await stored_models(asking) == done.models_done < 300
    assert await nothing_is_kept(database)


async def test_the_same_twice_at_once_is_added_once(
    asking: Client, settings: RegistrySettings, facts: Facts
) -> None:
    async with hosted(running(settings)):
        orders = [asking.ask(imports.IMPORT_DEFINITIONS, upload("crds.yaml", models(20))) for _ in range(3)]
        done = [await ended(asking, facts, one) for one in await asyncio.gather(*orders)]
        assert {one.status for one in done} == {ImportStatus.SUCCEEDED}
        assert sum(one.models.added for one in done) == 20
        assert sum(one.models.unchanged for one in done) == 40
        assert await stored_models(asking) == 20


async def test_a_repeated_order_is_one_import(
    asking: Client, settings: RegistrySettings, people: People
) -> None:
    async with hosted(running(settings)):
        order, key = upload("crds.yaml", models(1)), uuid4().hex
        told = [
            await asking.bus.request(
                imports.IMPORT_DEFINITIONS,
                order,
                assertion=people.assertion(asking.caller),
                idempotency_key=key,
            )
            for _ in range(2)
        ]
        assert told[0].id == told[1].id


def zipped(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return made.getvalue()


def linked() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        link = tarfile.TarInfo("shop/model.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("slip.zip", zipped(("../../evil/model.json", b"{}"))),
        ("bomb.zip", zipped(("zeros.yaml", bytes(100_000_000)))),
        ("bomb.yaml.gz", gzip.compress(bytes(100_000_000))),
        ("link.tar.gz", linked()),
        ("broken.zip", zipped(("a.yaml", b"a: 1"))[:-30]),
        ("broken.tar.gz", b"\x1f\x8b\x08\x00broken"),
        ("noise.bin", bytes(range(256)) * 100),
        ("nothing.yaml", b"# nothing\n"),
        ("schema.json", b'{"schemaVersion": "models.meshery.io/v99", "name": 7}'),
        ("deep.json", b"[" * 100_000),
        ("wrong.yaml", b"kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\nspec: 7\n"),
    ],
)
async def test_what_is_broken_is_reported_and_leaves_nothing(
    asking: Client, settings: RegistrySettings, facts: Facts, name: str, body: bytes
) -> None:
    async with hosted(running(settings)):
        started = await asking.ask(imports.IMPORT_DEFINITIONS, upload(name, body))
        done = await ended(asking, facts, started)
        assert await stored_models(asking) == 0
        assert done.status is ImportStatus.SUCCEEDED, done.problem
        told = await entries(asking, done)
        assert told
        assert {one.outcome for one in told} == {Outcome.REFUSED}
        assert all(one.reason for one in told)


def redirecting(target: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": target})

    return answer


async def test_nobody_is_made_to_ask_the_inside(
    asking: Client, settings: RegistrySettings, facts: Facts, server: SourceServer
) -> None:
    """With everything a laptop allows, metadata stays forbidden; a server allows far less."""
    targets = {"/metadata": "http://169.254.169.254/latest", "/file": "file:///etc/passwd", "/self": "/self"}
    for path, target in targets.items():
        server.files[path] = redirecting(target)
    async with hosted(running(settings)):
        for path in targets:
            started = await asking.ask(imports.IMPORT_DEFINITIONS, ImportDefinitions(url=server.url + path))
            done = await ended(asking, facts, started)
            assert (done.status, done.problem and done.problem.word) == (ImportStatus.FAILED, Word.INVALID)
    server.asked.clear()
    strict = settings.model_copy(update={"fetch": FetchSettings(allow_http=True, ports=())})
    async with hosted(running(strict)):
        for url in (
            f"{server.url}/x",
            f"{server.url}/x".replace("127.0.0.1", "localhost"),
            f"git+{server.url}/x.git",
            f"oci://{server.host}/x:1",
        ):
            started = await asking.ask(imports.IMPORT_DEFINITIONS, ImportDefinitions(url=url))
            done = await ended(asking, facts, started)
            assert done.problem is not None
            assert done.problem.code == "source_address", url
    assert server.asked == []


async def test_sources_that_are_too_large_or_too_slow(
    asking: Client, settings: RegistrySettings, facts: Facts, server: SourceServer
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65536))

    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    server.files |= {"/endless": endless, "/slow": dripping}
    fetch = LAPTOP.model_copy(update={"max_bytes": 1_000_000, "total_seconds": 0.3})
    async with hosted(running(settings.model_copy(update={"fetch": fetch}))):
        for path, code in (
            ("/endless", "source_too_large"),
            ("/slow", "source_timeout"),
            ("/none", "source_status"),
        ):
            started = await asking.ask(imports.IMPORT_DEFINITIONS, ImportDefinitions(url=server.url + path))
            done = await ended(asking, facts, started)
            assert done.problem is not None
            assert done.problem.code == code
        packed = base64.b64encode(gzip.compress(bytes(2_000_000))).decode()
        large = ImportDefinitions(file=UploadedFile(file_name="zeros", content_gzip=packed))
        with pytest.raises(TooLarge):
            await asking.ask(imports.IMPORT_DEFINITIONS, large)
    # A slow server gets another chance, one without the file does not.
    assert (server.asked.count("GET /slow"), server.asked.count("GET /none")) == (3, 1)


async def test_ten_thousand_components_do_not_hold_up_readers(
    asking: Client, settings: RegistrySettings, facts: Facts
) -> None:
    crds = [a_crd(f"Kind{number}", "large.example.com") for number in range(10_000)]
    packed = base64.b64encode(gzip.compress("\n---\n".join(map(json.dumps, crds)).encode())).decode()
    order = ImportDefinitions(file=UploadedFile(file_name="crds.yaml", content_gzip=packed))
    async with hosted(running(settings)):
        started = await asking.ask(imports.IMPORT_DEFINITIONS, order)
        loop, waits = asyncio.get_running_loop(), []
        while not facts.of(imports.IMPORT_FINISHED):
            before = loop.time()
            await asking.ask(registry.LIST_REGISTRANTS, PageRequest())
            waits.append(loop.time() - before)
        done = await ended(asking, facts, started)
        assert (done.status, done.components.added) == (ImportStatus.SUCCEEDED, 10_000)
        # Generous: other tests may run beside this one. The benchmark has the figures.
        assert max(waits) < 2.0


async def test_a_source_that_needs_too_much_to_be_read(
    asking: Client, settings: RegistrySettings, facts: Facts
) -> None:
    async with hosted(running(settings.model_copy(update={"import_read_seconds": 0.01}))):
        started = await asking.ask(imports.IMPORT_DEFINITIONS, upload("crds.yaml", models(200)))
        done = await ended(asking, facts, started)
        assert done.problem is not None
        assert (done.problem.word, done.problem.code) == (Word.TOO_LARGE, "source_too_large")
