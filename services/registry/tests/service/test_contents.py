"""What ships with us, stored at the start."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from meshery_common.background import alongside
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import definitions, imports, registry
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import KindName, ListComponents, ListModels, RegisterOpenAPI
from meshery_registry.domain.contents import read_contents
from meshery_registry.domain.entities import Package
from meshery_registry.service import Contents, PackageRegistrar
from meshery_registry.settings import RegistrySettings
from meshery_registry.store import ContentStore, RegistrationStore
from meshery_registry.store.visible import SHIPPED

CONTENT = Path(str(files("meshery_registry") / "content"))
CLUSTER = UUID("11111111-1111-4111-8111-111111111111")
MIGRATIONS = files("meshery_registry") / "migrations"


@pytest.fixture
async def db(settings: RegistrySettings) -> AsyncIterator[Database]:
    async with Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as opened:
        yield opened


async def the_generation(db: Database) -> int:
    async with db.transaction(SHIPPED) as tx:
        return await RegistrationStore().locked_generation(tx, SHIPPED)


async def untold(db: Database, organization_id: UUID) -> int:
    """How many changes of an organisation's registry no fact has told: every one has to be."""
    return int(
        await db.fetchval(
            organization_id,
            """
            select generation - (select count(*) from outbox where subject like $2)
            from generations where organization_id = $1
            """,
            organization_id,
            registry.MODELS_REGISTERED.wildcard(organization_id, "%"),
        )
    )


async def test_everything_is_stored_once_and_everybody_sees_it(db: Database, client: Any) -> None:
    contents = Contents(db, PackageRegistrar(), CONTENT)
    assert await contents.store() > 0
    generation = await the_generation(db)
    assert await contents.store() == 0
    assert await the_generation(db) == generation
    assert await untold(db, SHIPPED) == 0
    page = await client.ask(
        registry.LIST_COMPONENTS, ListComponents(model="kubernetes", name="Deployment", with_schemas=True)
    )
    component = page.components[0]
    assert component["component"]["version"] == "apps/v1"
    assert '"template"' in component["component"]["schema"]
    assert len(component["capabilities"]) == 8
    assert component["configuration"]["spec"]["replicas"] == 1
    icon = component["styles"]["svgColor"]
    assert icon.startswith("/api/registry/icons/")
    icon_hash = icon.rpartition("/")[2].removesuffix(".svg")
    icons = await client.ask(definitions.GET_ICONS, definitions.GetIcons(hashes=[icon_hash, "no"]))
    assert icons.icons[icon_hash].startswith("<svg")
    models = await client.as_somebody().ask(registry.LIST_MODELS, ListModels(name="kubernetes"))
    assert models.total_count >= 2
    relationships = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships())
    assert relationships.total_count > 10
    resolved = await client.ask(
        registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[KindName(api_version="v1", kind="Pod")])
    )
    assert resolved.kinds[0].component_id is not None


async def test_replicas_that_start_at_once_store_it_once(db: Database) -> None:
    both = [Contents(db, PackageRegistrar(), CONTENT) for _ in range(2)]
    async with asyncio.timeout(30), alongside(*(one.run() for one in both)):
        while not await ContentStore().digest(db.within(SHIPPED)):
            await asyncio.sleep(0.05)
        generation = await the_generation(db)
        while await db.fetchval(SHIPPED, "select fence < 2 from leases where name = 'contents'"):
            await asyncio.sleep(0.05)
        assert await the_generation(db) == generation


async def test_what_the_content_no_longer_holds_is_removed_and_the_rest_keeps_its_ids(
    db: Database, client: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "content"
    shutil.copytree(CONTENT, folder)
    await Contents(db, PackageRegistrar(), folder).store()
    before = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1000))
    (folder / "kubernetes" / "relationships" / "pdb-workload.yaml").unlink()
    await Contents(db, PackageRegistrar(), folder).store()
    after = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1000))
    assert after.total_count == before.total_count - 1
    assert {one["id"] for one in after.relationships} < {one["id"] for one in before.relationships}


async def test_a_version_that_ships_no_longer_keeps_its_kinds_and_hands_its_relationships_on(
    db: Database, client: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "content"
    shutil.copytree(CONTENT, folder)
    version = newest_kubernetes(folder).model.version
    last = ListComponents(model="kubernetes", model_version=version, name="Pod")
    await Contents(db, PackageRegistrar(), folder).store()
    before = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1))
    pods = await client.ask(registry.LIST_COMPONENTS, last)
    file = folder / "kubernetes" / "versions" / f"{version}.json"
    kept = file.read_bytes()
    for change in (file.unlink, lambda: file.write_bytes(kept)):
        change()
        await Contents(db, PackageRegistrar(), folder).store()
        after = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1))
        assert after.total_count == before.total_count
        assert after.relationships[0]["model"]["model"]["version"] == newest_kubernetes(folder).model.version
        again = await client.ask(registry.LIST_COMPONENTS, last)
        assert [one["id"] for one in again.components] == [one["id"] for one in pods.components]
        assert await untold(db, SHIPPED) == 0


def newest_kubernetes(folder: Path) -> Package:
    return [one for one in read_contents(folder).packages if one.model.name == "kubernetes"][-1]


def shipped_registration(db_content: Path = CONTENT) -> RegisterOpenAPI:
    """A cluster of the newest shipped version that serves ConfigMaps just as they are shipped."""
    package = newest_kubernetes(db_content)
    schema = next(one.schema for one in package.components if one.kind == "ConfigMap")
    document = {
        "openapi": "3.0.0",
        "components": {
            "schemas": {
                "io.k8s.ConfigMap": {
                    **orjson.loads(schema),
                    "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "ConfigMap"}],
                }
            }
        },
    }
    return RegisterOpenAPI(
        connection_id=CLUSTER,
        cluster_name="sandbox",
        cluster_version=package.model.version,
        group_version="v1",
        document=orjson.dumps(document).decode(),
        namespaced_kinds=["ConfigMap"],
        cluster_kinds=[],
    )


@pytest.mark.parametrize("first", ["content", "cluster"])
async def test_a_cluster_that_serves_what_ships_with_us_makes_no_copies(
    db: Database, client: Any, first: str
) -> None:
    contents = Contents(db, PackageRegistrar(), CONTENT)
    if first == "content":
        await contents.store()
    report = await client.register(shipped_registration())
    assert (report.added, report.unchanged) == ((0, 1) if first == "content" else (1, 0))
    await contents.store()
    assert await untold(db, client.caller.organization_id) == 0
    wanted = ListComponents(name="ConfigMap", model_version=shipped_registration().cluster_version)
    page = await client.ask(registry.LIST_COMPONENTS, wanted)
    assert page.total_count == 1
    again = await client.register(shipped_registration())
    assert (again.added, again.unchanged, again.removed) == (0, 1, 0)
    resolved = await client.ask(
        registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[KindName(api_version="v1", kind="ConfigMap")])
    )
    assert str(resolved.kinds[0].component_id) == page.components[0]["id"]
    registrants = await client.ask(registry.LIST_REGISTRANTS, PageRequest(search="sandbox"))
    assert [one["summary"]["components"] for one in registrants.registrants] == [1]


async def test_a_cluster_that_teaches_and_what_is_stored_wait_for_each_other(
    db: Database, client: Any
) -> None:
    """Otherwise a cluster would find that a kind does not ship, and store a copy that nobody sees before it is late."""
    store, organization_id = ContentStore(), client.caller.organization_id
    async with asyncio.TaskGroup() as group, db.transaction(organization_id) as learning:
        await store.keep_still(learning)
        storing = group.create_task(Contents(db, PackageRegistrar(), CONTENT).store())
        await until_somebody_waits(db)
        assert not await db.fetchval(SHIPPED, "select count(*) from components")
    assert storing.result() > 1
    async with asyncio.TaskGroup() as group, db.transaction(SHIPPED) as shipping:
        await store.await_learners(shipping)
        registering = group.create_task(client.register(shipped_registration()))
        await until_somebody_waits(db)
    assert (registering.result().added, registering.result().unchanged) == (0, 1)


async def until_somebody_waits(db: Database) -> None:
    """Wait until a transaction waits for a lock of the kind that `ContentStore` takes."""
    waiting = """
        select count(*) from pg_stat_activity
        where wait_event_type = 'Lock' and wait_event = 'advisory' and datname = current_database()
    """
    async with asyncio.timeout(20):
        while not await db.fetchval(EVERY_ORGANIZATION, waiting):
            await asyncio.sleep(0.02)


async def test_the_version_that_a_cluster_serves_stands_for_a_kind(db: Database, client: Any) -> None:
    await Contents(db, PackageRegistrar(), CONTENT).store()
    oldest = read_contents(CONTENT).packages[0].model.version
    await client.register(shipped_registration().model_copy(update={"cluster_version": oldest}))
    kinds = [KindName(api_version="v1", kind="ConfigMap"), KindName(api_version="v1", kind="Pod")]
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=kinds))
    newest = newest_kubernetes(CONTENT).model.version
    assert [one.model.model["version"] for one in resolved.kinds] == [oldest, newest]


async def test_what_ships_comes_back_as_what_ships(db: Database, client: Any) -> None:
    await Contents(db, PackageRegistrar(), CONTENT).store()
    newest = newest_kubernetes(CONTENT).model
    exported = await client.ask(
        imports.EXPORT_MODEL, imports.ExportModel(name=newest.name, version=newest.version)
    )
    file = imports.UploadedFile(file_name="kubernetes.tar", content=exported.content)
    started = await client.ask(imports.IMPORT_DEFINITIONS, imports.ImportDefinitions(file=file))
    imported = started
    while imported.finished_at is None:
        await asyncio.sleep(0.05)
        imported = await client.ask(imports.GET_IMPORT, imports.ImportId(import_id=started.id))
    assert (imported.models.unchanged, imported.models.added) == (1, 0)
    assert (imported.components.added, imported.relationships.added, imported.policies.added) == (0, 0, 0)
    assert imported.components.unchanged > 80
    models = await client.ask(registry.LIST_MODELS, ListModels(name=newest.name, version=newest.version))
    assert models.total_count == 1
