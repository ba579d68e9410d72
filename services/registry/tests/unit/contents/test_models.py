"""The models that ship: versions, kinds, schemas, looks, and what new components begin with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import orjson
import pytest
import yaml

from meshery_registry.domain.capabilities import DEFAULT_CAPABILITIES
from meshery_registry.domain.contents import contents_digest, read_contents
from meshery_registry.domain.definitions import CLUSTER
from meshery_registry.domain.entities import ComponentEntity, Package, Readings
from meshery_registry.domain.icons import IconRefused, cleaned_icon
from meshery_registry.domain.names import KUBERNETES, category_id
from meshery_registry.domain.openapi import MAX_SCHEMA_BYTES

_COLOR = re.compile(r"#[0-9A-F]{6}")
_MAX_ICON_BYTES = 2_000
#: What Meshery's schema allows (and no `polygon`, which needs points).
_SHAPES = {
    *("ellipse", "triangle", "round-triangle", "rectangle", "round-rectangle", "bottom-round-rectangle"),
    *(
        "cut-rectangle",
        "barrel",
        "rhomboid",
        "diamond",
        "round-diamond",
        "pentagon",
        "round-pentagon",
        "hexagon",
    ),
    *(
        "round-hexagon",
        "concave-hexagon",
        "heptagon",
        "round-heptagon",
        "octagon",
        "round-octagon",
        "star",
        "tag",
    ),
    *("round-tag", "vee"),
}
_OUTSIDE = frozenset({"apiVersion", "kind", "metadata", "status"})


def test_the_digest_follows_every_file(folder: Traversable, tmp_path: Path) -> None:
    copy = tmp_path / "content"
    shutil.copytree(Path(str(folder)), copy)
    digest = contents_digest(copy)
    assert digest == contents_digest(folder) == contents_digest(folder)
    for name in ("edges.yaml", "icons/white/Pod.svg", "kubernetes/relationships/service-workload.yaml"):
        before = (copy / name).read_bytes()
        (copy / name).write_bytes(before + b"\n")
        assert contents_digest(copy) != digest
        (copy / name).write_bytes(before)
    (copy / "edges.yaml").rename(copy / "others.yaml")
    assert contents_digest(copy) != digest


def test_the_newest_three_minor_versions_of_kubernetes_ship(kubernetes: list[Package]) -> None:
    versions = [re.fullmatch(r"v1\.(\d+)\.\d+", one.model.version) for one in kubernetes]
    minors = [int(one[1]) for one in versions if one]
    assert minors == list(range(minors[-1] - 2, minors[-1] + 1))
    for one in kubernetes:
        assert (one.model.name, one.model.registrant_kind) == (KUBERNETES, CLUSTER)
        assert len(one.components) > 75
        assert bool(one.relationships) == (one is kubernetes[-1])


def test_nothing_is_refused_or_told_twice(contents: Readings) -> None:
    assert not contents.refused
    for package in contents.packages:
        assert not package.refused
        named = [(one.api_version, one.kind) for one in package.components]
        assert len(set(named)) == len(named)


def test_what_people_never_design_is_left_out(newest: Package) -> None:
    kinds = {one.kind for one in newest.components}
    assert {"Deployment", "Service", "Namespace", "Ingress", "Role", "CustomResourceDefinition"} <= kinds
    assert not [one for one in kinds if one.endswith(("List", "Review", "Options"))]
    assert not kinds & {"Status", "Binding", "Scale", "StorageVersion", "APIGroup"}


def test_scopes_are_those_of_the_api_server(newest: Package) -> None:
    namespaced = {one.kind: one.namespaced for one in newest.components}
    assert all(namespaced[kind] for kind in ("Deployment", "Role", "PersistentVolumeClaim"))
    assert not any(namespaced[kind] for kind in ("Namespace", "Node", "ClusterRole"))


def test_versions_share_the_texts_of_schemas(kubernetes: list[Package]) -> None:
    older, newer = (
        {(one.api_version, one.kind): one.schema for one in package.components} for package in kubernetes[1:]
    )
    same = [key for key, schema in newer.items() if older.get(key) == schema]
    assert same
    assert all(older[key] is newer[key] for key in same)


def test_schemas_are_small_enough_and_tell_bad_manifests_from_good_ones(newest: Package) -> None:
    validators = {}
    for one in newest.components:
        assert len(one.schema) < MAX_SCHEMA_BYTES
        assert '"kind":"Container"' not in one.schema
        validators[one.api_version, one.kind] = jsonschema_rs.validator_for(orjson.loads(one.schema))
    container = {"name": "web", "image": "nginx", "imagePullPolicy": "Always"}
    assert validators["v1", "Pod"].is_valid({"spec": {"containers": [container]}})
    assert not validators["v1", "Pod"].is_valid({"spec": {"containers": [{"image": "nginx"}]}})
    # Allowed values are served by API servers and missing in the documents of their releases.
    assert not validators["v1", "Pod"].is_valid(
        {"spec": {"containers": [{**container, "imagePullPolicy": "Maybe"}]}}
    )


def test_every_kind_has_its_looks(contents: Readings) -> None:
    for component in _components(contents):
        styles = component.styles
        assert styles["shape"] in _SHAPES, component.kind
        assert _COLOR.fullmatch(styles["primaryColor"])
        assert _COLOR.fullmatch(styles["secondaryColor"])
        assert component.display_name
        for key in ("svgColor", "svgWhite"):
            _assert_safe(styles[key])
        assert styles["primaryColor"] in styles["svgColor"], f"{component.kind}: make the icons again"


def test_every_model_has_its_looks_and_a_category(contents: Readings) -> None:
    migrations = files("meshery_registry") / "migrations"
    categories = (migrations / "0002_categories.sql").read_text(encoding="utf-8")
    for package in contents.packages:
        model = package.model
        assert re.fullmatch(r"[a-z0-9-]+", model.name)
        assert re.fullmatch(r"[a-zA-Z0-9 ]+", model.display_name)
        assert str(category_id(model.category)) in categories
        assert model.metadata["shape"] in _SHAPES
        for key in ("svgColor", "svgWhite"):
            _assert_safe(model.metadata[key])


def test_icons_tell_kinds_apart(contents: Readings) -> None:
    drawn: dict[str, str] = {}
    for component in _components(contents):
        assert drawn.setdefault(component.styles["svgWhite"], component.kind) == component.kind


def test_no_looks_are_left_of_kinds_that_are_gone(contents: Readings, folder: Traversable) -> None:
    kinds = {one.kind for one in _components(contents)}
    models = {"Kubernetes", "MesheryCore"}
    assert {one.name.removesuffix(".svg") for one in (folder / "icons" / "color").iterdir()} == kinds | models
    for model in ("kubernetes", "meshery-core"):
        looks = yaml.safe_load((folder / model / "kinds.yaml").read_text(encoding="utf-8"))
        assert set(looks["kinds"]) <= kinds
        assert {look["family"] for look in looks["kinds"].values()} == set(looks["families"])


def test_only_what_is_said_to_people_has_no_schema(contents: Readings) -> None:
    for component in _components(contents):
        assert component.annotation or component.schema
        assert component.namespaced or component.kind not in ("Container", "Pod")
    assert {one.model.name: one.model.annotation for one in contents.packages} == {
        "kubernetes": False,
        "meshery-core": True,
    }


def test_new_components_are_valid_as_they_begin(newest: Package, folder: Traversable) -> None:
    begun = [one for one in newest.components if one.configuration]
    told = yaml.safe_load((folder / "kubernetes" / "configurations.yaml").read_text(encoding="utf-8"))
    assert {f"{one.api_version}/{one.kind}" for one in begun} == set(told)
    for one in begun:
        own = {key: value for key, value in one.configuration.items() if key not in _OUTSIDE}
        validator = jsonschema_rs.validator_for(orjson.loads(one.schema))
        assert not [error.message for error in validator.iter_errors(own)], one.kind


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "DaemonSet", "Pod", "Job", "CronJob", "Service"]
)
def test_common_kinds_begin_with_something(newest: Package, kind: str) -> None:
    assert [one.configuration for one in newest.components if one.kind == kind] != [{}]


def test_capabilities_are_told_apart_by_kind_type_and_sub_type() -> None:
    assert len({(one["kind"], one["type"], one["subType"]) for one in DEFAULT_CAPABILITIES}) == 8
    assert {one["kind"] for one in DEFAULT_CAPABILITIES} <= {"action", "mutate", "view", "interaction"}
    assert all(
        one["entityState"] and one["displayName"] and one["description"] for one in DEFAULT_CAPABILITIES
    )


def test_a_folder_without_models_is_empty(tmp_path: Path) -> None:
    (tmp_path / "edges.yaml").write_text("{}")
    (tmp_path / "icons").mkdir()
    assert read_contents(tmp_path) == Readings()


def _components(contents: Readings) -> list[ComponentEntity]:
    return [component for package in contents.packages for component in package.components]


def _assert_safe(icon: str) -> None:
    assert len(icon.encode()) <= _MAX_ICON_BYTES
    elements: list[ElementTree.Element] = list(ElementTree.fromstring(icon).iter())
    for element in elements:
        name: str = element.tag.rpartition("}")[2]
        attributes: Mapping[str, Any] = element.attrib
        assert name in {"svg", "g", "path", "rect", "circle", "ellipse"}
        assert not [key for key in attributes if key.startswith("on") or key.endswith(("href", "style"))]
    # The cleaning of strangers' icons leaves ours as they are, but for the white space.
    try:
        assert cleaned_icon(icon) == icon.strip()
    except IconRefused as error:
        pytest.fail(str(error))
