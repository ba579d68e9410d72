"""Sources that want a login, each on a real server of localhost: who sees the credentials, and what is left of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.processes import WorkerProcess
from meshery_contracts import imports
from meshery_contracts.errors import Invalid
from meshery_contracts.imports import (
    Import,
    ImportDefinitions,
    ImportId,
    ImportStatus,
    RepositoryChart,
    SourceCredentials,
    UploadedFile,
)
from meshery_registry.app import running
from meshery_registry.clients import GitClient, HelmRepositoryClient, OciClient, WebClient
from meshery_registry.clients.oci import CHART_LAYER
from meshery_registry.domain.sources import ChartSource, GitSource, OciSource, WebSource
from meshery_registry.settings import FetchSettings, RegistrySettings
from meshery_testkit.asking import Client
from meshery_testkit.crashing import lose_leases, own_process
from meshery_testkit.facts import Facts, following
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.source_server import SourceServer
from meshery_web import AddressPolicy, Fetcher, FetchPolicy

LAPTOP = FetchPolicy(addresses=AddressPolicy(allow_loopback=True), allow_http=True, ports=None)
PASSWORD = "open-sesame-4711"
BASIC = f"Basic {base64.b64encode(f'ali:{PASSWORD}'.encode()).decode()}"
CREDENTIALS = SourceCredentials(user="ali", password=SecretStr(PASSWORD))
CRD = json.dumps(
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "lamps.cave.example.com"},
        "spec": {
            "group": "cave.example.com",
            "scope": "Namespaced",
            "names": {"kind": "Lamp", "plural": "lamps"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SourceServer]:
    async with SourceServer.open(tmp_path) as opened:
        opened.login = BASIC
        yield opened


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[SourceServer]:
    """Another server, which must not see what is meant for the first."""
    async with SourceServer.open(tmp_path / "stranger") as opened:
        yield opened


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.open(LAPTOP) as opened:
        yield opened


def moved(to: str) -> Any:
    """Sends whoever asks to another place."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": to + request.path_qs})

    return answer


async def test_git_over_http(server: SourceServer, stranger: SourceServer, fetcher: Fetcher) -> None:
    server.commit("shop", {"a.yaml": "a: 1"})
    client, source = GitClient(fetcher), GitSource(f"{server.url}/shop.git")
    assert (await client.checkout(source, BASIC)).pack
    assert server.shown == [BASIC, BASIC]
    for wrong in ("", "Basic bm9ib2R5Og=="):
        with pytest.raises(Invalid) as caught:
            await client.checkout(source, wrong)
        assert "credentials" in caught.value.problem.remediation[0]
    # A repository that has moved to another host is fetched there as by anybody.
    stranger.commit("moved", {"a.yaml": "a: 2"})
    server.files["/moved/info/refs"] = moved(f"{stranger.url}/moved.git/info/refs?service=git-upload-pack#")
    assert (await client.checkout(GitSource(f"{server.url}/moved"), BASIC)).pack
    assert stranger.shown == ["", ""]


async def test_a_helm_repository(server: SourceServer, stranger: SourceServer, fetcher: Fetcher) -> None:
    server.publish_charts("/charts", {("shop", "1.0.0"): b"chart"})
    stranger.publish_charts("/charts", {("shop", "1.0.0"): b"chart"})
    index = json.loads(server.files["/charts/index.yaml"])  # type: ignore[arg-type]
    index["entries"]["shop"][0]["urls"] = [f"{stranger.url}/charts/shop-1.0.0.tgz"]
    server.files["/elsewhere/index.yaml"] = json.dumps(index).encode()
    async with WorkerProcess.open() as beside:
        client = HelmRepositoryClient(fetcher, beside)
        file, _ = await client.archive(ChartSource(f"{server.url}/charts", "shop"), BASIC)
        assert (file.body, server.shown) == (b"chart", [BASIC, BASIC])
        with pytest.raises(Invalid):
            await client.archive(ChartSource(f"{server.url}/charts", "shop"))
        await client.archive(ChartSource(f"{server.url}/elsewhere", "shop"), BASIC)
    assert stranger.shown == [""]


async def test_a_file_and_where_it_has_moved_to(
    server: SourceServer, stranger: SourceServer, fetcher: Fetcher
) -> None:
    server.files["/a.yaml"] = b"a: 1"
    server.files["/moved.yaml"] = moved(f"{stranger.url}/there")
    stranger.files["/there/moved.yaml"] = moved(f"{server.url}/back")
    with pytest.raises(Invalid):
        await WebClient(fetcher).file(WebSource(f"{server.url}/moved.yaml"), BASIC)
    assert (stranger.shown, server.shown) == ([""], [BASIC, ""])
    assert (await WebClient(fetcher).file(WebSource(f"{server.url}/a.yaml"), BASIC)).body == b"a: 1"


async def test_an_oci_registry_that_gives_tokens_for_a_password(
    server: SourceServer, stranger: SourceServer, fetcher: Fetcher
) -> None:
    client, source = OciClient(fetcher), OciSource(server.host, "charts/shop", "1.0.0")
    server.push("charts/shop", {"shop.tgz": b"chart"}, media_type=CHART_LAYER, tag="1.0.0")
    (chart,) = await client.pull(source, BASIC)
    assert chart.body == b"chart"
    # The password goes to the token server alone, the token to the registry.
    assert server.shown == ["", BASIC, "Bearer anybody", "Bearer anybody"]
    with pytest.raises(Invalid):
        await client.pull(source)
    server.challenge = f'Bearer realm="http://localhost.example.org:{stranger.host.rpartition(":")[2]}/token"'
    with pytest.raises(Invalid, match="cannot be read") as caught:
        await client.pull(source, BASIC)
    assert "not sent there" in caught.value.problem.probable_cause[0]
    assert stranger.shown == []


async def test_where_an_oci_registry_redirects_to_nobody_asks_for_the_password(
    server: SourceServer, stranger: SourceServer, fetcher: Fetcher
) -> None:
    """The other server is of the same host here, as neighbours of one domain are: a token server might be."""
    server.login = ""
    server.files["/v2/charts/shop/manifests/1.0.0"] = moved(stranger.url)
    with pytest.raises(Invalid, match="cannot be read") as caught:
        await OciClient(fetcher).pull(OciSource(server.host, "charts/shop", "1.0.0"), BASIC)
    assert "not sent there" in caught.value.problem.probable_cause[0]
    assert (server.shown, stranger.shown) == ([""], [""])


async def test_an_oci_registry_that_takes_the_password_or_a_token_itself(
    server: SourceServer, fetcher: Fetcher
) -> None:
    client, source = OciClient(fetcher), OciSource(server.host, "charts/shop", "1.0.0")
    server.push("charts/shop", {"shop.tgz": b"chart"}, media_type=CHART_LAYER, tag="1.0.0")
    server.challenge = 'Basic realm="here"'
    assert len(await client.pull(source, BASIC)) == 1
    assert server.shown == ["", BASIC, BASIC]
    server.shown.clear()
    server.login = "Bearer of-mine"
    assert len(await client.pull(source, "Bearer of-mine")) == 1
    assert server.shown == ["Bearer of-mine"] * 2


# --- imports ------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(settings: RegistrySettings, tmp_path: Path) -> RegistrySettings:
    """A laptop's settings."""
    return settings.model_copy(
        update={
            "fetch": FetchSettings(allow_http=True, allow_loopback_addresses=True, ports=()),
            "master_key_file": tmp_path / "keys" / "registry",
            "create_master_key": True,
            "stop_grace_seconds": 0.2,
        }
    )


@pytest.fixture
async def asking(nats: NATSForTests, people: People) -> AsyncIterator[Client]:
    """A person who asks; each test runs the registry itself."""
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        yield Client(bus, people, people.caller())


@pytest.fixture
async def facts(nats: NATSForTests) -> AsyncIterator[Facts]:
    async with following(nats, "registry") as found:
        yield found


@pytest.fixture
async def db(settings: RegistrySettings) -> AsyncIterator[Database]:
    migrations = files("meshery_registry") / "migrations"
    async with Database.open(settings.database, schema="registry", migrations=migrations) as opened:
        yield opened


async def ended(asking: Client, facts: Facts, started: Import) -> Import:
    await facts.wait_for(imports.IMPORT_FINISHED, lambda fact: fact.import_id == started.id)
    return await asking.ask(imports.GET_IMPORT, ImportId(import_id=started.id))


async def kept(db: Database) -> str:
    """All that the database keeps of imports, as text."""
    everything: str = await db.fetchval(
        EVERY_ORGANIZATION,
        """
        select string_agg(kept, ' ') from (
            select one::text as kept from operations one
            union all select one::text from idempotency_keys one
            union all select one::text from outbox one
            union all select one::text from import_orders one
            union all select one::text from import_files one
            union all select one::text from import_entries one
        ) everything
        """,
    )
    assert "import_definitions" in everything
    return everything


def leaks(text: str) -> bool:
    """Whether the password is in a text, as it is, as it is sent, or as bytes."""
    forms = (PASSWORD, BASIC.removeprefix("Basic "))
    return any(one in text or one.encode().hex() in text for one in forms)


class Hanging:
    """A file that is sent when the test says so."""

    def __init__(self) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: web.Request) -> web.Response:
        self.asked.set()
        await self.go_on.wait()
        return web.Response(text=CRD)


async def test_credentials_are_sealed_survive_a_crash_and_are_forgotten(
    asking: Client, settings: RegistrySettings, facts: Facts, db: Database, server: SourceServer
) -> None:
    file = server.files["/crds.yaml"] = Hanging()
    request = ImportDefinitions(url=f"{server.url}/crds.yaml", credentials=CREDENTIALS)
    async with own_process(settings) as child:
        started = await asking.ask(imports.IMPORT_DEFINITIONS, request)
        await asyncio.wait_for(file.asked.wait(), 20)
        sealed = "select octet_length(sealed_authorization) from import_orders where import_id = $1"
        assert await db.fetchval(EVERY_ORGANIZATION, sealed, started.id) > len(BASIC)
        assert not leaks(await kept(db))
        child.kill()
        assert child.stdout is not None
        assert not leaks((await child.stdout.read()).decode())
    file.go_on.set()
    await lose_leases(db)
    async with hosted(running(settings)):
        done = await ended(asking, facts, started)
    assert (done.status, done.components.added) == (ImportStatus.SUCCEEDED, 1)
    assert server.shown == [BASIC, BASIC]
    assert await db.fetchval(EVERY_ORGANIZATION, sealed, started.id) is None
    assert not leaks(await kept(db) + done.model_dump_json())
    assert not any(leaks(one.payload.decode()) for one in facts.received)


async def test_what_is_fetched_needs_no_credentials_any_more(
    asking: Client, settings: RegistrySettings, facts: Facts, db: Database, server: SourceServer
) -> None:
    server.publish_charts("/charts", {("shop", "1.0.0"): b"no chart"})
    chart = RepositoryChart(repository=f"{server.url}/charts", name="shop")
    async with hosted(running(settings)):
        request = ImportDefinitions(chart=chart, credentials=CREDENTIALS)
        started = await asking.ask(imports.IMPORT_DEFINITIONS, request)
        await ended(asking, facts, started)
        wrong = SourceCredentials(token=SecretStr("wrong-token"))
        request = ImportDefinitions(chart=chart, credentials=wrong)
        started = await asking.ask(imports.IMPORT_DEFINITIONS, request)
        failed = await ended(asking, facts, started)
    assert server.shown == [BASIC, BASIC, "Bearer wrong-token"]
    assert failed.status is ImportStatus.FAILED
    assert failed.problem is not None
    assert "credentials" in failed.problem.remediation[0]
    assert "wrong-token" not in await kept(db) + failed.model_dump_json()


async def test_credentials_that_cannot_be_used_are_refused_without_a_quote(
    asking: Client, settings: RegistrySettings, db: Database
) -> None:
    url = "https://example.com/a.yaml"
    both = SourceCredentials(user="ali", password=SecretStr(PASSWORD), token=SecretStr("x"))
    async with hosted(running(settings)):
        for request in (
            ImportDefinitions(url=url, credentials=both),
            ImportDefinitions(url=url, credentials=SourceCredentials()),
            ImportDefinitions(url=url, credentials=SourceCredentials(token=SecretStr(f"{PASSWORD}\n"))),
            ImportDefinitions(artifact_hub="shop", credentials=CREDENTIALS),
            ImportDefinitions(file=UploadedFile(file_name="a", content="YQ=="), credentials=CREDENTIALS),
            ImportDefinitions(url=f"https://ali:{PASSWORD}@example.com/a.yaml"),
            ImportDefinitions(url=f"git+https://ali:{PASSWORD}@example.com/a.git"),
            ImportDefinitions(url=f"oci://ali:{PASSWORD}@example.com/a"),
            ImportDefinitions(
                chart=RepositoryChart(repository=f"https://ali:{PASSWORD}@example.com", name="a")
            ),
        ):
            with pytest.raises(Invalid) as caught:
                await asking.ask(imports.IMPORT_DEFINITIONS, request)
            assert not leaks(caught.value.problem.model_dump_json())
            assert caught.value.problem.remediation
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from operations") == 0


async def test_without_a_master_key_no_credentials_are_taken(
    asking: Client, settings: RegistrySettings, db: Database
) -> None:
    async with hosted(running(settings.model_copy(update={"master_key_file": None}))):
        request = ImportDefinitions(url="https://example.com/a.yaml", credentials=CREDENTIALS)
        with pytest.raises(Invalid, match="takes no credentials"):
            await asking.ask(imports.IMPORT_DEFINITIONS, request)
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from operations") == 0


async def test_another_master_key_ends_the_import_with_a_reason(
    asking: Client, settings: RegistrySettings, facts: Facts, db: Database, server: SourceServer
) -> None:
    file = server.files["/crds.yaml"] = Hanging()
    request = ImportDefinitions(url=f"{server.url}/crds.yaml", credentials=CREDENTIALS)
    async with own_process(settings) as child:
        started = await asking.ask(imports.IMPORT_DEFINITIONS, request)
        await asyncio.wait_for(file.asked.wait(), 20)
        child.kill()
        await child.wait()
    file.go_on.set()
    assert settings.master_key_file is not None
    settings.master_key_file.unlink()
    await lose_leases(db)
    async with hosted(running(settings)):
        failed = await ended(asking, facts, started)
    assert failed.problem is not None
    assert failed.problem.code == "source_credentials_sealed"
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from import_orders") == 0
