"""Cloning over the bus: what the clone is made of, who may, what is counted and told."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import orjson
import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import designs
from meshery_contracts.designs import (
    CloneDesign,
    CreateDesign,
    Design,
    DesignCloned,
    DesignId,
    GetDesign,
    ImportDesign,
    ListVersions,
    Visibility,
)
from meshery_contracts.errors import Forbidden, NotFound
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_design_file

pytestmark = pytest.mark.usefixtures("service")


async def an_original(client: Client, **fields: Any) -> Design:
    file = a_design_file(a_component(name="a"), a_component(name="b"))
    return await client.ask(designs.CREATE, CreateDesign(name="shop", file=file, **fields))


async def again(client: Client, design: Design) -> Design:
    return await client.ask(designs.GET, GetDesign(design_id=design.id, with_source=True))


async def test_a_clone_is_a_private_design_of_the_caller_with_the_same_file(client: Client) -> None:
    original = await an_original(client, visibility=Visibility.PUBLIC, location={"host": "example.org"})
    colleague = client.colleague()
    clone = await colleague.ask(designs.CLONE, CloneDesign(design_id=original.id, name="mine"))
    assert clone.id != original.id
    assert (clone.name, clone.version, clone.visibility) == ("mine", 1, Visibility.PRIVATE)
    assert (clone.user_id, clone.type, clone.location) == (
        *(colleague.caller.user_id, original.type),
        original.location,
    )
    file = orjson.loads(original.pattern_file)
    assert orjson.loads(clone.pattern_file) == {**file, "id": str(clone.id), "name": "mine"}
    assert await colleague.ask(designs.GET, GetDesign(design_id=clone.id)) == clone
    versions = await colleague.ask(designs.LIST_VERSIONS, ListVersions(design_id=clone.id))
    assert [one.version for one in versions.versions] == [1]
    with pytest.raises(NotFound):
        await again(client, clone)
    assert ((await again(client, original)).clone_count, clone.clone_count) == (1, 0)


async def test_a_clone_outlives_its_original_and_keeps_what_was_imported(
    client: Client, kinds: object
) -> None:
    source = base64.b64encode(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").decode()
    request = ImportDesign(file=source, file_name="shop.yaml")
    original = (await client.ask(designs.IMPORT, request)).design
    clone = await client.ask(designs.CLONE, CloneDesign(design_id=original.id))
    await client.ask(designs.DELETE, DesignId(design_id=original.id))
    kept = await again(client, clone)
    assert (kept.name, kept.type, kept.source_content) == ("shop (Copy)", original.type, source)


async def test_what_others_published_is_cloned_and_counted_there(client: Client) -> None:
    original = await an_original(client.holding(Key.PUBLISH_DESIGN), visibility=Visibility.PUBLISHED)
    stranger = client.stranger()
    clone = await stranger.ask(designs.CLONE, CloneDesign(design_id=original.id, name="mine"))
    assert clone.organization_id == stranger.caller.organization_id
    assert (await again(stranger, clone)).name == "mine"
    assert (await again(client, original)).clone_count == 1


async def test_what_may_not_be_read_is_not_cloned(client: Client) -> None:
    original = await an_original(client)
    for somebody in (client.colleague(), client.stranger()):
        with pytest.raises(NotFound):
            await somebody.ask(designs.CLONE, CloneDesign(design_id=original.id))
    with pytest.raises(NotFound):
        await client.ask(designs.CLONE, CloneDesign(design_id=uuid4()))
    assert (await again(client, original)).clone_count == 0


async def test_cloning_has_a_key_of_its_own(client: Client) -> None:
    original = await an_original(client, visibility=Visibility.PUBLIC)
    powerless = client.colleague(key_bits=LOCAL_BITS & ~bits_of((Key.CLONE_DESIGN,)))
    with pytest.raises(Forbidden):
        await powerless.ask(designs.CLONE, CloneDesign(design_id=original.id))


async def test_a_repeat_clones_and_tells_once(client: Client, database: Database) -> None:
    original = await an_original(client.holding(Key.PUBLISH_DESIGN), visibility=Visibility.PUBLISHED)
    for somebody in (client, client.stranger()):
        request = CloneDesign(design_id=original.id, name="mine")
        first = await somebody.ask(designs.CLONE, request, key="once")
        assert await somebody.ask(designs.CLONE, request, key="once") == first
        rows = await database.fetch(
            EVERY_ORGANIZATION,
            "select payload from outbox where subject = $1",
            designs.CLONED.subject_for(first.organization_id, first.id),
        )
        (fact,) = (DesignCloned.model_validate_json(row["payload"]) for row in rows)
        assert (fact.design_id, fact.original_id, fact.name) == (first.id, original.id, "mine")
        assert fact.description == "Design 'shop' was cloned as 'mine'."
    assert (await again(client, original)).clone_count == 2
    # A repeat needs no original any more.
    await client.ask(designs.DELETE, DesignId(design_id=original.id))
    assert (await client.ask(designs.CLONE, request, key="once")).name == "mine"
