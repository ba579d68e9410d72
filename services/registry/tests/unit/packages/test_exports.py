"""Packages written and read again: the same package, the same bytes, the newest schemas to the letter."""

from __future__ import annotations

import gzip
import hashlib
import string
import tarfile
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshery_common.documents import read_documents
from meshery_registry.domain.contents import read_contents
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    PolicyEntity,
    RelationshipEntity,
)
from meshery_registry.domain.names import CATEGORIES, SUB_CATEGORIES
from meshery_registry.domain.packages import read_source, write_package
from meshery_registry.domain.packages.components import STATUSES as COMPONENT_STATUSES
from meshery_registry.domain.packages.documents import entity_type
from meshery_registry.domain.packages.exports import package_files
from meshery_registry.domain.packages.images import ARTIFACT_TYPE, LAYER_TYPE
from meshery_registry.domain.packages.models import STATUSES as MODEL_STATUSES
from meshery_registry.domain.packages.relationships import STATUSES as RELATIONSHIP_STATUSES
from meshery_registry.domain.packages.writing import relationship_digest

SCHEMAS = orjson.loads((Path(__file__).parents[2] / "fixtures" / "package_schemas.json").read_bytes())

# Whatever JSON and PostgreSQL can hold; blanks around names are taken away when they are read.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)
words = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12)
keys = st.text(string.ascii_letters, min_size=1, max_size=8).map(lambda key: f"x{key}")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
some = values.filter(lambda value: value is not None)
documents = st.dictionaries(keys, some, max_size=3)
looks = st.fixed_dictionaries({}, optional={"primaryColor": names, "svgColor": names, "shape": names})
schemas = st.dictionaries(keys, values, max_size=3).map(
    lambda schema: orjson.dumps(schema, option=orjson.OPT_SORT_KEYS).decode()
)

models = st.builds(
    ModelEntity,
    name=st.text(string.ascii_lowercase, min_size=1, max_size=10),
    version=names,
    display_name=names,
    description=texts,
    definition_version=st.just("v1.0.0") | st.just("v1.2.0"),
    category=st.sampled_from(sorted(CATEGORIES)),
    sub_category=st.sampled_from(sorted(SUB_CATEGORIES)),
    status=st.sampled_from(MODEL_STATUSES),
    annotation=st.booleans(),
    registrant_kind=words,
    registrant_name=st.just("") | names,
    metadata=st.builds(lambda one, other: one | other, documents, looks),
)
components = st.builds(
    ComponentEntity,
    kind=names,
    api_version=names,
    display_name=names,
    description=texts,
    schema=schemas,
    namespaced=st.booleans(),
    custom=st.booleans(),
    status=st.sampled_from(COMPONENT_STATUSES),
    styles=st.builds(lambda one, other: one | other, documents, looks),
    capabilities=st.lists(documents, max_size=2).map(tuple),
    metadata=documents,
    configuration=st.dictionaries(texts, values, max_size=3),
) | st.builds(ComponentEntity, kind=names, api_version=names, display_name=names, annotation=st.just(True))
paths = st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=2)
patches = st.fixed_dictionaries(
    {"patchStrategy": st.sampled_from(["merge", "replace"])},
    optional={"mutatorRef": paths, "mutatedRef": paths},
)
items = st.fixed_dictionaries(
    {"kind": names},
    optional={
        "matchStrategyMatrix": paths,
        "patch": patches,
        "match": st.fixed_dictionaries({"refs": paths}),
        "model": st.fixed_dictionaries({"name": names, "model": st.fixed_dictionaries({"version": texts})}),
        "xOwn": some,
    },
)
sides = st.lists(items, min_size=1, max_size=2)
selectors = st.fixed_dictionaries({"from": sides, "to": sides})
definitions = st.fixed_dictionaries(
    {
        "metadata": documents,
        "capabilities": st.lists(documents, max_size=1),
        "evaluationQuery": st.just("") | names,
        "selectors": st.lists(
            st.fixed_dictionaries({"allow": selectors}, optional={"deny": selectors}), min_size=1, max_size=2
        ),
    },
    optional={"version": st.just("v2.0.0"), "xOwn": some},
)
relationships = st.builds(
    RelationshipEntity,
    kind=st.sampled_from(["edge", "hierarchical", "sibling"]),
    type=words,
    sub_type=words,
    definition=definitions,
    status=st.sampled_from(RELATIONSHIP_STATUSES),
)
cel = st.builds(
    lambda name, own: PolicyEntity(
        name, "cel", "", {"schemaVersion": "policies.meshery.io/v1", "name": name, "language": "cel", **own}
    ),
    names,
    documents,
)
rego = st.builds(
    PolicyEntity, name=names, language=st.just("rego"), source=texts.filter(lambda one: one[:1] != "\ufeff")
)
connections = st.builds(
    lambda kind, own: ConnectionEntity(
        kind, {"name": kind, "type": "", "subType": "x", "status": "discovered", **own}
    ),
    names,
    documents,
)


def unique(parts: st.SearchStrategy[Any], key: Any, *, least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(parts, min_size=least, max_size=3, unique_by=key).map(
        lambda found: tuple(sorted(found, key=key))
    )


packages = st.builds(
    Package,
    model=models,
    components=unique(components, lambda one: (one.kind, one.api_version), least=1),
    relationships=unique(
        relationships, lambda one: (one.kind, one.type, one.sub_type, relationship_digest(one))
    ),
    policies=unique(cel | rego, lambda one: one.name),
    connections=unique(connections, lambda one: one.kind),
)


@given(packages, st.sampled_from(["json", "yaml"]), st.sampled_from(["oci", "tar"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read_again(package: Package, format: Any, file_type: Any, older: bool) -> None:
    written = write_package(package, format, file_type, True, True, older)
    readings = read_source("package.tar", written)
    assert not readings.refused
    assert readings.packages == (package,)
    assert write_package(readings.packages[0], format, file_type, True, True, older) == written


def validator(kind: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**SCHEMAS, "$ref": f"#/$defs/{kind}"}, validate_formats=True)


VALIDATORS = {
    kind: validator(kind) for kind in ("model", "component", "relationship", "connection", "policy")
}


def check(files_: dict[str, bytes]) -> None:
    """Every document of a package is what the newest schemas say."""
    for path, data in files_.items():
        if path.endswith(".rego"):
            continue
        (document,) = read_documents(data.decode())
        kind = entity_type(document)
        assert kind is not None
        problems = [
            f"{path}: {list(one.instance_path)} {one.message}"
            for one in VALIDATORS[kind].iter_errors(document)
        ]
        assert not problems


@given(packages)
@settings(max_examples=50, deadline=None)
def test_what_is_written_keeps_to_the_schemas(package: Package) -> None:
    check(package_files(package))


SHIPPED = max(
    read_contents(files("meshery_registry") / "content").packages,
    key=lambda one: (len(one.components), len(one.relationships)),
)


def test_what_ships_with_us_is_written_and_read_again() -> None:
    check(package_files(SHIPPED))
    for file_type in ("oci", "tar"):
        readings = read_source("kubernetes.tar", write_package(SHIPPED, "json", file_type))
        (package,) = readings.packages
        assert package.model == SHIPPED.model
        by_kind = sorted(SHIPPED.components, key=lambda one: (one.kind, one.api_version))
        assert list(package.components) == by_kind
        assert len(package.relationships) == len(SHIPPED.relationships)
        assert all(one in SHIPPED.relationships for one in package.relationships)


SMALL = Package(
    ModelEntity("cert-manager", "v1.14.4", "Cert Manager", registrant_kind="github"),
    components=(
        ComponentEntity("Issuer", "cert-manager.io/v1", "Issuer", schema="{}"),
        ComponentEntity("Issuer", "cert-manager.io/v1beta1", "Issuer", schema="{}"),
        ComponentEntity("issuer", "other.io/v1", "Issuer", schema="{}"),
    ),
    relationships=(
        RelationshipEntity(
            "edge",
            "non-binding",
            "network",
            {
                "metadata": {},
                "capabilities": [],
                "evaluationQuery": "",
                "selectors": [{"allow": {"from": [{"kind": "A"}], "to": [{"kind": "B"}]}}],
            },
        ),
    ),
    policies=(PolicyEntity("deny", "rego", "package deny\n"),),
)


def test_the_layout_is_mesherys() -> None:
    folder = "cert-manager/v1.14.4/v1.0.0"
    paths_ = sorted(package_files(SMALL))
    digest = relationship_digest(SMALL.relationships[0])[:5]
    assert paths_ == [
        f"{folder}/components/Issuer-cert-manager.io-v1beta1.json",
        f"{folder}/components/Issuer.json",
        f"{folder}/components/issuer-other.io-v1.json",
        f"{folder}/model.json",
        f"{folder}/policies/deny.rego",
        f"{folder}/relationships/edge-non-binding-network-{digest}.json",
    ]


def test_the_same_package_is_the_same_bytes() -> None:
    for format in ("json", "yaml"):
        for file_type in ("oci", "tar"):
            digests = {hashlib.sha256(write_package(SMALL, format, file_type)).hexdigest() for _ in range(2)}
            assert len(digests) == 1


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        assert all(one.mtime == 0 and one.isreg() for one in archive)
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def test_the_image_is_dockers_and_ocis() -> None:
    image = members(write_package(SMALL))
    (docker,) = orjson.loads(image["manifest.json"])
    assert docker["RepoTags"] == ["cert-manager:v1.14.4"]
    layer = image[docker["Layers"][0]]
    config = orjson.loads(image[docker["Config"]])
    unpacked = gzip.decompress(layer)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]
    assert sorted(members(unpacked)) == sorted(package_files(SMALL))
    (listed,) = orjson.loads(image["index.json"])["manifests"]
    manifest_body = image[f"blobs/{listed['digest'].replace(':', '/')}"]
    assert (listed["artifactType"], listed["size"]) == (ARTIFACT_TYPE, len(manifest_body))
    assert listed["digest"] == f"sha256:{hashlib.sha256(manifest_body).hexdigest()}"
    manifest = orjson.loads(manifest_body)
    assert manifest["artifactType"] == ARTIFACT_TYPE
    assert manifest["layers"] == [
        {
            "mediaType": LAYER_TYPE,
            "digest": f"sha256:{hashlib.sha256(layer).hexdigest()}",
            "size": len(layer),
        }
    ]


def test_parts_may_be_left_out() -> None:
    (package,) = read_source("m", write_package(SMALL, components=False)).packages
    assert (len(package.components), len(package.relationships)) == (0, 1)
    (package,) = read_source("m", write_package(SMALL, relationships=False)).packages
    assert (len(package.components), len(package.relationships)) == (3, 0)


def test_the_words_of_the_generation_before() -> None:
    written = package_files(SMALL, older=True)
    documents_ = [orjson.loads(data) for path, data in written.items() if path.endswith(".json")]
    assert {one["schemaVersion"] for one in documents_} == {
        "models.meshery.io/v1beta2",
        "components.meshery.io/v1beta2",
        "relationships.meshery.io/v1beta2",
    }
    component = next(one for one in documents_ if one["schemaVersion"].startswith("components"))
    assert "created_at" in component
    assert "createdAt" not in component


@pytest.mark.parametrize(
    "name", ["Chart", "..", ".hidden", "a/b", "CON", "x" * 255, "é", "model", "manifest", "index"]
)
def test_kinds_of_any_name(name: str) -> None:
    package = replace(
        SMALL,
        components=(ComponentEntity(name, "v1", name, schema="{}"),),
        policies=(PolicyEntity(name.lower(), "rego", "package a"),),
    )
    for format in ("json", "yaml"):
        readings = read_source("m", write_package(package, format))
        assert readings.packages == (package,), readings.refused
