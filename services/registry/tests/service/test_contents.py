"""What ships with us, stored at the start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from meshery_common.database import Database
from meshery_contracts import definitions, registry
from meshery_contracts.registry import KindName, ListComponents, ListModels
from meshery_registry.service import Contents, PackageRegistrar
from meshery_registry.settings import RegistrySettings
from meshery_registry.store import RegistrationStore
from meshery_registry.store.visible import SHIPPED

CONTENT = Path(str(files("meshery_registry") / "content"))
MIGRATIONS = files("meshery_registry") / "migrations"


@pytest.fixture
async def db(settings: RegistrySettings) -> AsyncIterator[Database]:
    async with Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as opened:
        yield opened


async def the_generation(db: Database) -> int:
    async with db.transaction(SHIPPED) as tx:
        return await RegistrationStore().locked_generation(tx, SHIPPED)


async def test_everything_is_stored_once_and_everybody_sees_it(db: Database, client: Any) -> None:
    contents = Contents(db, PackageRegistrar(), CONTENT)
    assert await contents.store() > 0
    generation = await the_generation(db)
    assert await contents.store() == 0
    assert await the_generation(db) == generation
    page = await client.ask(
        registry.LIST_COMPONENTS, ListComponents(model="kubernetes", name="Deployment", with_schemas=True)
    )
    component = page.components[0]
    assert component["component"]["version"] == "apps/v1"
    assert '"template"' in component["component"]["schema"]
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
    running = [asyncio.ensure_future(one.run()) for one in both]
    try:
        async with asyncio.timeout(30):
            while not await RegistrationStore().contents_digest(db.within(SHIPPED)):
                await asyncio.sleep(0.05)
        generation = await the_generation(db)
        async with asyncio.timeout(30):
            while await db.fetchval(
                SHIPPED, "select count(*) from leases where name = 'contents' and fence < 2"
            ):
                await asyncio.sleep(0.05)
        assert await the_generation(db) == generation
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_what_the_content_no_longer_holds_is_removed_and_the_rest_keeps_its_ids(
    db: Database, client: Any, tmp_path: Path
) -> None:
    def copy(folder: Path, to: Path) -> None:
        to.mkdir()
        for one in folder.iterdir():
            if one.is_dir():
                copy(one, to / one.name)
            else:
                (to / one.name).write_bytes(one.read_bytes())

    folder = tmp_path / "content"
    copy(CONTENT, folder)
    await Contents(db, PackageRegistrar(), folder).store()
    before = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1000))
    (folder / "kubernetes" / "relationships" / "pdb-workload.yaml").unlink()
    await Contents(db, PackageRegistrar(), folder).store()
    after = await client.ask(registry.LIST_RELATIONSHIPS, registry.ListRelationships(page_size=1000))
    assert after.total_count == before.total_count - 1
    assert {one["id"] for one in after.relationships} < {one["id"] for one in before.relationships}
