"""Designs over the bus: saved, read, listed, edited together, deleted."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from uuid import uuid4

import orjson
import pytest

from meshery_common import access
from meshery_common.access import Access, ActorKind
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import deployments, designs
from meshery_contracts.catalogue import contract_for
from meshery_contracts.designs import (
    CloneDesign,
    ComponentChanges,
    CreateDesign,
    Design,
    DesignId,
    GetDesign,
    ImportDesign,
    ListDesigns,
    ListVersions,
    UpdateDesign,
    Visibility,
)
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from meshery_contracts.keys import Key
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.facts import Facts
from meshery_testkit.hosting import processes_beside

pytestmark = pytest.mark.usefixtures("service")


async def created(client: Client, *names: str, **fields: Any) -> Design:
    """A saved design with a ConfigMap of each name."""
    file = a_design_file(*(a_component(name=one) for one in names))
    return await client.ask(designs.CREATE, CreateDesign(**{"name": "shop", "file": file, **fields}))


def components(design: Design) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(design.pattern_file)["components"]
    return found


def names(design: Design) -> list[str]:
    return [one["displayName"] for one in components(design)]


async def test_a_large_change_of_a_small_design_is_made_beside_the_service(client: Client) -> None:
    saved = await created(client, "a")
    assert processes_beside() == 0
    many = [a_component(name=f"part-{number}", data={"key": "x" * 1000}) for number in range(100)]
    request = UpdateDesign(design_id=saved.id, changes=ComponentChanges(changed=many))
    assert len(names(await client.ask(designs.UPDATE, request))) == 101
    assert processes_beside() == 1


async def test_a_design_is_saved_read_listed_and_deleted(client: Client) -> None:
    saved = await created(client, "a", "b")
    assert (saved.version, saved.name, saved.user_id) == (1, "shop", client.caller.user_id)
    read = await client.ask(designs.GET, GetDesign(design_id=saved.id))
    assert read == saved
    assert names(read) == ["a", "b"]
    page = await client.ask(designs.LIST, ListDesigns())
    assert (page.total_count, [one.id for one in page.patterns]) == (1, [saved.id])
    await client.ask(designs.DELETE, DesignId(design_id=saved.id))
    with pytest.raises(NotFound):
        await client.ask(designs.GET, GetDesign(design_id=saved.id))
    assert (await client.ask(designs.LIST, ListDesigns())).total_count == 0


async def test_an_empty_design_is_a_design(client: Client) -> None:
    design = await client.ask(designs.CREATE, CreateDesign())
    assert (design.name, components(design)) == ("Untitled Design", [])


async def test_yaml_is_read_as_well_as_json(client: Client) -> None:
    file = "name: shop\ncomponents:\n- component: {kind: ConfigMap, version: v1}\n  displayName: a\n"
    assert names(await client.ask(designs.CREATE, CreateDesign(file=file))) == ["a"]


async def test_files_that_cannot_be_saved_are_refused(client: Client) -> None:
    for file, code in [
        ("[" * 5000, "document_too_deep"),
        ("a: &a [*a, *a]", "document_too_large"),
        ("a: 1\n---\nb: 2", "design_documents"),
        ("- a", "design_shape"),
        ("components: [{}]", "design_invalid"),
        ("a: [1", "document_unreadable"),
        ("components: []\ncomponents: []", "document_key_twice"),
        ('{"components": [], "x": "\\u0000"}', "document_value"),
    ]:
        with pytest.raises(Invalid) as caught:
            await client.ask(designs.CREATE, CreateDesign(file=file))
        assert caught.value.problem.code == code


async def test_large_designs_are_saved_read_and_listed(client: Client) -> None:
    parts = [a_component(name=f"part-{number}", data={"key": "x" * 1_000_000}) for number in range(8)]
    file = a_design_file(*parts)
    assert len(file) > 8_000_000
    key = uuid4().hex
    once, again = [await client.ask(designs.CREATE, CreateDesign(file=file), key=key) for _ in range(2)]
    assert once == again
    assert await client.ask(designs.GET, GetDesign(design_id=once.id)) == once
    changed = ComponentChanges(changed=[{**components(once)[0], "displayName": "first"}])
    edit = UpdateDesign(design_id=once.id, base_version=1, changes=changed)
    edited = await client.ask(designs.UPDATE, edit)
    assert names(edited) == ["first", *(f"part-{number}" for number in range(1, 8))]
    clone = await client.ask(designs.CLONE, CloneDesign(design_id=once.id))
    page = await client.ask(designs.LIST, ListDesigns())
    assert [one.pattern_file for one in page.patterns] == [clone.pattern_file, edited.pattern_file]


async def test_a_large_manifest_is_imported(client: Client) -> None:
    manifests = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"settings-{number}"},
            "data": {"key": "x" * 1_000_000},
        }
        for number in range(8)
    ]
    file = base64.b64encode("\n---\n".join(json.dumps(one) for one in manifests).encode()).decode()
    imported = await client.ask(designs.IMPORT, ImportDesign(file_name="large.yaml", file=file))
    assert (imported.design.name, len(components(imported.design))) == ("large", 8)
    whole = await client.ask(designs.GET, GetDesign(design_id=imported.design.id, with_source=True))
    assert whole.source_content is not None


async def test_a_design_that_is_too_large_is_refused(client: Client) -> None:
    # As JSON in JSON each of these takes two bytes, and it stands in a reply twice.
    file = a_design_file(a_component(data={"key": '"' * 3_500_000}))
    with pytest.raises(TooLarge) as caught:
        await client.ask(designs.CREATE, CreateDesign(file=file))
    assert caught.value.problem.code == "design_too_large"


async def test_more_files_than_an_answer_holds_are_not_listed(client: Client) -> None:
    file = a_design_file(a_component(data={"key": "x" * 8_000_000}))
    for _ in range(3):
        await client.ask(designs.CREATE, CreateDesign(file=file))
    with pytest.raises(TooLarge) as caught:
        await client.ask(designs.LIST, ListDesigns())
    assert caught.value.problem.code == "answer_too_large"
    assert len((await client.ask(designs.LIST, ListDesigns(page_size=2))).patterns) == 2
    assert len((await client.ask(designs.LIST, ListDesigns(with_files=False))).patterns) == 3


async def test_every_version_can_be_read_again(client: Client) -> None:
    first = await created(client, "a", "b")
    second = await client.ask(
        designs.UPDATE,
        UpdateDesign(
            design_id=first.id, base_version=1, name="store", file=a_design_file(a_component(name="c"))
        ),
    )
    assert (second.version, second.name, names(second)) == (2, "store", ["c"])
    old = await client.ask(designs.GET, GetDesign(design_id=first.id, version=1))
    assert (old.version, old.name, orjson.loads(old.pattern_file)) == (
        *(1, "shop"),
        orjson.loads(first.pattern_file),
    )
    listed = await client.ask(designs.LIST_VERSIONS, ListVersions(design_id=first.id))
    assert [(one.version, one.name, one.components) for one in listed.versions] == [
        (2, "store", 1),
        (1, "shop", 2),
    ]
    newest = await client.ask(designs.LIST_VERSIONS, ListVersions(design_id=first.id, page_size=1))
    rest = ListVersions(design_id=first.id, page_size=1, cursor=newest.next_cursor)
    oldest = await client.ask(designs.LIST_VERSIONS, rest)
    beyond = await client.ask(designs.LIST_VERSIONS, ListVersions(design_id=first.id, page=9))
    assert [[one.version for one in page.versions] for page in (newest, oldest, beyond)] == [[2], [1], []]
    assert [page.total_count for page in (newest, oldest, beyond)] == [2, 2, 2]
    with pytest.raises(NotFound) as caught:
        await client.ask(designs.GET, GetDesign(design_id=first.id, version=3))
    assert caught.value.problem.code == "version_unknown"


async def test_a_save_may_carry_what_changed_only(client: Client) -> None:
    first = await created(client, "a", "b", "c")
    kept, edited, removed = components(first)
    changes = ComponentChanges(
        changed=[{**edited, "displayName": "B"}, {"displayName": "d", "component": {"kind": "Pod"}}],
        removed=[removed["id"]],
    )
    second = await client.ask(
        designs.UPDATE, UpdateDesign(design_id=first.id, base_version=1, changes=changes)
    )
    assert names(second) == ["a", "B", "d"]
    assert components(second)[0] == kept
    assert second.name == "shop"


async def test_a_change_is_held_to_the_rules_of_files(client: Client) -> None:
    first = await created(client, "a")
    for changed, code in [
        ({**a_component(), "x": 2**70}, "document_value"),
        ({"component": {}}, "design_invalid"),
    ]:
        with pytest.raises(Invalid) as caught:
            await client.ask(
                designs.UPDATE,
                UpdateDesign(design_id=first.id, changes=ComponentChanges(changed=[changed])),
            )
        assert caught.value.problem.code == code


async def test_a_whole_file_and_changes_are_not_sent_together(client: Client) -> None:
    first = await created(client, "a")
    edit = UpdateDesign(
        design_id=first.id, file=first.pattern_file, changes=ComponentChanges(changed=[a_component(name="b")])
    )
    with pytest.raises(Invalid) as caught:
        await client.ask(designs.UPDATE, edit)
    assert caught.value.problem.code == "edit_ambiguous"


async def test_name_and_visibility_change_alone(client: Client) -> None:
    first = await created(client, "a")
    second = await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, visibility=Visibility.PUBLIC))
    assert (second.visibility, second.name, names(second)) == (Visibility.PUBLIC, "shop", ["a"])
    third = await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, name="store"))
    assert (third.visibility, third.name, third.version) == (Visibility.PUBLIC, "store", 3)


async def test_a_save_that_changes_nothing_makes_no_version(client: Client, facts: Facts) -> None:
    """Editors save again and again; the history is of changes."""
    first = await created(client, "a", visibility=Visibility.PUBLIC)
    for fields in (
        {"file": first.pattern_file, "base_version": 1},
        {"file": first.pattern_file, "name": "shop", "visibility": Visibility.PUBLIC},
        {"file": json.dumps(orjson.loads(first.pattern_file), indent=1)},
        {"changes": ComponentChanges(changed=components(first))},
        {"name": "shop"},
        {},
    ):
        assert await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, **fields)) == first
    second = await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, name="store"))
    # One who began with an older version has not seen what he would keep.
    stale = UpdateDesign(design_id=first.id, base_version=1, file=second.pattern_file)
    with pytest.raises(Conflict) as caught:
        await client.ask(designs.UPDATE, stale)
    assert caught.value.problem.code == "design_stale"
    assert (await client.ask(designs.LIST_VERSIONS, ListVersions(design_id=first.id))).total_count == 2
    await facts.wait_for(designs.SAVED, lambda fact: fact.version == 2)
    assert [one.version for one in facts.of(designs.SAVED)] == [1, 2]


async def test_true_is_not_one(client: Client) -> None:
    first = await client.ask(designs.CREATE, CreateDesign(file=a_design_file(a_component(spec={"a": True}))))
    changed = first.pattern_file.replace("true", "1")
    second = await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, file=changed))
    assert (second.version, components(second)[0]["configuration"]["spec"]) == (2, {"a": 1})


async def test_a_file_without_a_name_keeps_the_name(client: Client) -> None:
    first = await created(client, "a")
    saved = await client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, file='{"components": []}'))
    assert saved.name == "shop"


async def test_of_two_saves_from_one_version_one_is_a_conflict(client: Client) -> None:
    first = await created(client, "a")
    saves = [
        client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, base_version=1, name=name))
        for name in ("mine", "yours")
    ]
    results = await asyncio.gather(*saves, return_exceptions=True)
    (refused,) = [one for one in results if isinstance(one, Conflict)]
    (saved,) = [one for one in results if isinstance(one, Design)]
    assert refused.problem.code == "design_stale"
    assert (saved.version, await client.ask(designs.GET, GetDesign(design_id=first.id))) == (2, saved)


async def test_saves_that_name_no_version_follow_each_other(client: Client) -> None:
    """Older clients of Meshery know no versions: whoever comes last wins, and nobody is refused."""
    first = await created(client, "a")
    names = [f"n{number}" for number in range(5)]
    saves = [client.ask(designs.UPDATE, UpdateDesign(design_id=first.id, name=name)) for name in names]
    saved = await asyncio.gather(*saves)
    assert sorted(one.version for one in saved) == [2, 3, 4, 5, 6]
    assert {one.name for one in saved} == set(names)


async def test_a_repeated_command_is_done_once(client: Client) -> None:
    request = CreateDesign(name="shop", file=a_design_file(a_component(id=str(uuid4()))))
    first = await client.ask(designs.CREATE, request, key="k1")
    assert await client.ask(designs.CREATE, request, key="k1") == first
    at_once = await asyncio.gather(*(client.ask(designs.CREATE, request, key="k2") for _ in range(5)))
    assert len({one.model_dump_json() for one in at_once}) == 1
    assert (await client.ask(designs.LIST, ListDesigns())).total_count == 2
    with pytest.raises(Conflict) as caught:
        await client.ask(designs.CREATE, CreateDesign(name="other"), key="k1")
    assert caught.value.problem.code == "idempotency_key_reused"


async def test_another_organisation_finds_nothing(client: Client) -> None:
    design = await created(client, "a", visibility=Visibility.PUBLIC)
    stranger = client.stranger()
    for asked in (
        stranger.ask(designs.GET, GetDesign(design_id=design.id)),
        stranger.ask(designs.LIST_VERSIONS, ListVersions(design_id=design.id)),
        stranger.ask(designs.UPDATE, UpdateDesign(design_id=design.id, name="mine")),
        stranger.ask(designs.DELETE, DesignId(design_id=design.id)),
        stranger.ask(deployments.PLAN, deployments.PlanDesign(design_id=design.id)),
        stranger.ask(deployments.DEPLOY, deployments.DeployDesign(design_id=design.id)),
        stranger.ask(designs.VALIDATE, designs.ValidateDesign(design_id=design.id)),
    ):
        with pytest.raises(NotFound):
            await asked
    assert (await stranger.ask(designs.LIST, ListDesigns())).total_count == 0


async def test_publishing_has_keys_of_its_own(client: Client) -> None:
    with pytest.raises(Forbidden):
        await created(client, "a", visibility=Visibility.PUBLISHED)
    design = await created(client, "a")
    publish = UpdateDesign(design_id=design.id, visibility=Visibility.PUBLISHED)
    with pytest.raises(Forbidden):
        await client.ask(designs.UPDATE, publish)
    published = await client.holding(Key.PUBLISH_DESIGN).ask(designs.UPDATE, publish)
    assert published.visibility is Visibility.PUBLISHED
    # Still published: saved by whoever may edit it.
    await client.ask(designs.UPDATE, UpdateDesign(design_id=design.id, name="b"))
    withdraw = UpdateDesign(design_id=design.id, visibility=Visibility.PRIVATE)
    with pytest.raises(Forbidden):
        await client.ask(designs.UPDATE, withdraw)
    withdrawn = await client.holding(Key.UNPUBLISH_DESIGN).ask(designs.UPDATE, withdraw)
    assert withdrawn.visibility is Visibility.PRIVATE


async def test_a_published_design_is_read_everywhere_and_changed_nowhere_else(client: Client) -> None:
    design = await created(client.holding(Key.PUBLISH_DESIGN), "a", visibility=Visibility.PUBLISHED)
    stranger = client.stranger()
    assert (
        await stranger.ask(designs.GET, GetDesign(design_id=design.id))
    ).pattern_file == design.pattern_file
    with pytest.raises(Forbidden):
        await stranger.ask(designs.UPDATE, UpdateDesign(design_id=design.id, name="mine"))


async def test_who_may_only_read_may_not_change(client: Client) -> None:
    design = await created(client, "a", visibility=Visibility.PUBLIC)
    colleague = client.colleague()
    assert await colleague.ask(designs.GET, GetDesign(design_id=design.id)) == design
    for asked in (
        colleague.ask(designs.UPDATE, UpdateDesign(design_id=design.id, name="mine")),
        colleague.ask(designs.DELETE, DesignId(design_id=design.id)),
        colleague.ask(deployments.DEPLOY, deployments.DeployDesign(design_id=design.id)),
        colleague.ask(deployments.UNDEPLOY, deployments.DeployDesign(design_id=design.id)),
    ):
        with pytest.raises(Forbidden) as caught:
            await asked
        assert caught.value.problem.code == "design_not_yours"


async def test_who_was_granted_editing_may_edit_and_not_deploy(client: Client, database: Database) -> None:
    design = await created(client, "a")
    colleague = client.colleague()
    with pytest.raises(NotFound):
        await colleague.ask(designs.GET, GetDesign(design_id=design.id))
    async with database.transaction(client.caller.organization_id) as tx:
        await access.add_grant(
            tx,
            client.caller,
            object_id=design.id,
            object_kind="design",
            actor_kind=ActorKind.USER,
            actor_id=colleague.caller.user_id,
            access=Access.EDITOR,
        )
    edited = await colleague.ask(designs.UPDATE, UpdateDesign(design_id=design.id, name="ours"))
    assert (edited.name, edited.user_id) == ("ours", client.caller.user_id)
    with pytest.raises(Forbidden):
        await colleague.ask(deployments.DEPLOY, deployments.DeployDesign(design_id=design.id))
    await client.ask(designs.DELETE, DesignId(design_id=design.id))
    assert await database.fetchval(EVERY_ORGANIZATION, "select count(*) from grants") == 0


async def test_without_its_key_no_endpoint_answers(client: Client) -> None:
    nobody = client.colleague(key_bits=0)
    for endpoint in contract_for("designs").endpoints:
        assert isinstance(endpoint.key, Key)
        with pytest.raises(Forbidden) as caught:
            await nobody.ask(endpoint, endpoint.request.model_construct())
        assert caught.value.problem.code == "key_missing", endpoint.subject
