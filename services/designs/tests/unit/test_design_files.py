"""Design files on their way into the store and out of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts.errors import Invalid, TooLarge
from meshery_designs.domain import design_files
from meshery_designs.domain.design_files import StoredFile, assemble, changed, checked, name_of_clone
from meshery_testkit.builders import a_component

DESIGN = UUID(int=1)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.-/é", max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
components = st.lists(
    st.builds(
        lambda component_id, kind, data: {
            "id": str(component_id),
            "component": {"kind": kind, "version": "v1"},
            "configuration": {"data": data},
        },
        st.uuids(),
        st.text("ABCabc", min_size=1, max_size=8),
        values,
    ),
    max_size=5,
    unique_by=lambda one: str(one["id"]),
)


def check(document: Any, *, name: str = "", version: int = 1) -> StoredFile:
    return checked(document, design_id=DESIGN, name=name, version=version, new_id=uuid4)


def problems(document: Any, **more: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        check(document, **more)
    return {one.path: one.message for one in caught.value.problem.fields}


@given(components=components, extra=st.dictionaries(st.sampled_from(["description", "styles", "x"]), values))
def test_what_is_stored_comes_out_again(components: list[dict[str, Any]], extra: dict[str, Any]) -> None:
    file = check({"name": "shop", "components": components, **extra})
    read = orjson.loads(file.text)
    assert read == orjson.loads(assemble(file.shell, [body for _, body in file.components]))
    assert [one["configuration"] for one in read["components"]] == [
        one["configuration"] for one in components
    ]
    assert {key: read[key] for key in extra} == orjson.loads(orjson.dumps(extra))
    again = check(read)
    assert (again.shell, again.components) == (file.shell, file.components)


@given(before=components, at=st.integers(0, 4))
def test_versions_share_the_components_that_did_not_change(before: list[dict[str, Any]], at: int) -> None:
    first = check({"components": before})
    document = orjson.loads(first.text)
    edit = [{**one, "displayName": "new"} for one in document["components"][at : at + 1]]
    second = check(changed(document, edit, []), version=2)
    assert len(second.components) == len(first.components)
    differing = sum(a != b for a, b in zip(first.components, second.components, strict=True))
    assert differing == len(edit)


@given(components, st.data())
def test_changes_replace_add_and_remove(before: list[dict[str, Any]], data: st.DataObject) -> None:
    ids = [one["id"] for one in before]
    edited = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
    removed = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
    fresh = a_component(name="fresh")
    edits = [a_component(id=one, name="edited") for one in edited]
    after = changed({"components": before}, [*edits, fresh], [UUID(one) for one in removed])["components"]
    assert [one["id"] for one in after] == [one for one in ids if one not in removed] + [fresh["id"]]
    assert {one["id"] for one in after if one.get("displayName") == "edited"} == set(edited) - set(removed)


def test_new_components_without_ids_are_all_added() -> None:
    new = [{"component": {"kind": kind}} for kind in ("A", "B")]
    document = changed({"components": []}, new, [])
    read = orjson.loads(check(document).text)["components"]
    assert [one["component"]["kind"] for one in read] == ["A", "B"]
    assert len({one["id"] for one in read}) == 2


def test_a_change_is_found_by_its_id_in_any_spelling() -> None:
    component = a_component()
    shouted = {**component, "id": component["id"].upper(), "displayName": "new"}
    assert changed({"components": [component]}, [shouted], [])["components"] == [shouted]


def test_ids_names_and_versions_are_set() -> None:
    file = orjson.loads(
        check({"id": "x", "version": "9.9.9", "components": [{"component": {"kind": "A"}}]}).text
    )
    assert (file["id"], file["version"], file["name"]) == (str(DESIGN), "0.0.1", "Untitled Design")
    assert file["schemaVersion"] == "designs.meshery.io/v1beta3"
    UUID(file["components"][0]["id"])
    assert orjson.loads(check({"name": "its own"}, version=7).text)["version"] == "0.0.7"
    assert check({"name": "its own"}).name == "its own"
    assert check({"name": "its own"}, name=" given ").name == "given"
    assert orjson.loads(check({}).text)["components"] == []


def test_what_the_registry_keeps_is_not_stored() -> None:
    component = {**a_component(), "capabilities": [1]}
    component["component"]["schema"] = "{…}"
    stored = orjson.loads(check({"components": [component]}).text)["components"][0]
    assert "capabilities" not in stored
    assert stored["component"]["schema"] == ""


def test_everything_that_is_wrong_is_named_with_its_place() -> None:
    twice = a_component()
    found = problems(
        {
            "name": "x" * 256,
            "relationships": {},
            "components": [
                "no mapping",
                {"id": "no uuid", "component": {"kind": "A"}},
                {"component": {"kind": ""}},
                {"component": {"kind": "A", "version": 1}, "configuration": []},
                {"component": {"kind": "A"}, "configuration": {"metadata": {"labels": [], "name": 5}}},
                {"component": {"kind": "A"}, "metadata": "x", "modelReference": []},
                twice,
                twice,
            ],
        }
    )
    assert set(found) == {
        "name",
        "relationships",
        "components.0",
        "components.1.id",
        "components.2.component.kind",
        "components.3.component.version",
        "components.3.configuration",
        "components.4.configuration.metadata.labels",
        "components.4.configuration.metadata.name",
        "components.5.metadata",
        "components.5.modelReference",
        "components.7.id",
    }


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_a_file_that_is_no_mapping_is_refused(document: Any) -> None:
    with pytest.raises(Invalid) as caught:
        check(document)
    assert caught.value.problem.code == "design_shape"


def test_limits() -> None:
    assert problems({"components": {}}) == {"components": "must be a list"}
    assert problems({"components": [{}] * 5001}) == {"components": "has more than 5000 entries"}
    assert "name" in problems({}, name="a\0b")
    with pytest.raises(TooLarge):
        check({"components": [a_component(data={"key": "x" * design_files.MAX_REPLY_BYTES})]})


@pytest.mark.parametrize(
    ("document", "is_design"),
    [
        ({"schemaVersion": "designs.meshery.io/v1beta1"}, True),
        ({"components": []}, True),
        ({"components": [], "kind": "X", "apiVersion": "v1"}, False),
        ({"kind": "ConfigMap", "apiVersion": "v1"}, False),
        ({"schemaVersion": 5}, False),
        ([], False),
        (None, False),
    ],
)
def test_design_files_are_told_from_manifests(document: Any, is_design: bool) -> None:
    assert design_files.is_design_file(document) is is_design


def test_a_shell_without_fields_can_be_assembled() -> None:
    assert orjson.loads(assemble(b"{}", [])) == {"components": []}
    assert orjson.loads(assemble(b"{}", [b'{"id":"a"}'])) == {"components": [{"id": "a"}]}


def test_a_clone_without_a_name_gets_one_that_fits() -> None:
    assert name_of_clone("shop") == "shop (Copy)"
    longest = name_of_clone("x" * design_files.MAX_NAME_CHARACTERS)
    assert longest.endswith("x (Copy)")
    assert check({}, name=longest).name == longest
