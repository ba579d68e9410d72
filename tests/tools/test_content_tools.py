"""The tools that make the registry's content: the same input gives the same bytes, and what is committed is current."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

import content_icons
import kubernetes_models
from kubernetes_enums import Enum, enums_of, put_enums
from kubernetes_models import Release

_GO = """
func schema_k8sio_api_apps_v1_Engine(ref common.ReferenceCallback) common.OpenAPIDefinition {
	return common.OpenAPIDefinition{
		Schema: spec.Schema{
			SchemaProps: spec.SchemaProps{
				Description: "An engine.",
				Properties: map[string]spec.Schema{
					"name": {
						SchemaProps: spec.SchemaProps{
							Description: "No \\"enum\\".",
							Type:        []string{"string"},
						},
					},
					"fuel": {
						SchemaProps: spec.SchemaProps{
							Description: "What it burns.\\n\\nPossible enum values:\\n - `\\"Wood\\"`",
							Type:        []string{"string"},
							Enum:        []interface{}{"Coal", "Wood"},
						},
					},
					"modes": {
						VendorExtensible: spec.VendorExtensible{
							Extensions: spec.Extensions{
								"x-kubernetes-list-type": "atomic",
							},
						},
						SchemaProps: spec.SchemaProps{
							Description: "How.",
							Type:        []string{"array"},
							Items: &spec.SchemaOrArray{
								Schema: &spec.Schema{
									SchemaProps: spec.SchemaProps{
										Type: []string{"string"},
										Enum: []interface{}{"Fast"},
									},
								},
							},
						},
					},
				},
			},
		},
	}
}
"""


def release(folder: Path, version: str, *, wheels: int) -> Release:
    """The part of a release's sources that is read: one group version with a kind, a list of it, and a review."""
    kind = [{"group": "apps", "version": "v1", "kind": "Engine"}]
    engine = {
        "type": "object",
        "description": "An engine.",
        "properties": {
            "kind": {"type": "string"},
            "fuel": {"type": "string", "description": "What it burns."},
            "modes": {"type": "array", "items": {"type": "string"}},
            **{
                f"wheel{number}": {"$ref": "#/components/schemas/io.k8s.api.apps.v1.Wheel"}
                for number in range(wheels)
            },
        },
        "x-kubernetes-group-version-kind": kind,
    }
    schemas = {
        "io.k8s.api.apps.v1.Engine": engine,
        "io.k8s.api.apps.v1.Wheel": {"type": "object", "properties": {"size": {"type": "integer"}}},
        "io.k8s.api.apps.v1.Whistle": {
            "type": "object",
            "x-kubernetes-group-version-kind": [{**kind[0], "kind": "Whistle"}],
        },
    }
    every = ["create", "get", "list"]
    resources: list[dict[str, Any]] = [
        {"name": "engines", "kind": "Engine", "namespaced": True, "verbs": every},
        {"name": "engines/status", "kind": "Engine", "namespaced": True, "verbs": ["get"]},
        {"name": "enginereviews", "kind": "EngineReview", "namespaced": False, "verbs": ["create"]},
        {"name": "whistles", "kind": "Whistle", "namespaced": False, "verbs": every},
    ]
    files = {
        "api/discovery/apis__apps__v1.json": {"groupVersion": "apps/v1", "resources": resources},
        "api/discovery/apis__internal.apiserver.k8s.io__v1.json": {
            "groupVersion": "internal.apiserver.k8s.io/v1",
            "resources": resources,
        },
        "api/openapi-spec/v3/apis__apps__v1_openapi.json": {
            "openapi": "3.0.0",
            "components": {"schemas": schemas},
        },
    }
    for path, document in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(document))
    code = folder / "pkg/generated/openapi/zz_generated.openapi.go"
    code.parent.mkdir(parents=True)
    code.write_text(_GO)
    return Release(version, folder, "h1:abc=")


@pytest.fixture
def releases(tmp_path: Path) -> list[Release]:
    """Two releases: one kind changed from one to the other, the other did not."""
    return [
        release(tmp_path / "old", "v1.1.0", wheels=1),
        release(tmp_path / "new", "v1.2.0", wheels=2),
    ]


def test_the_same_releases_give_the_same_bytes(releases: list[Release]) -> None:
    files = kubernetes_models.files_of(releases)
    assert files == kubernetes_models.files_of(releases)
    assert set(files) == {"versions/v1.1.0.json", "versions/v1.2.0.json", "schemas.xz"}


def test_kinds_are_what_is_made_and_kept(releases: list[Release]) -> None:
    files = kubernetes_models.files_of(releases)
    old, new = (json.loads(files[f"versions/{version}.json"]) for version in ("v1.1.0", "v1.2.0"))
    assert (old["source"], old["checksum"]) == ("k8s.io/kubernetes@v1.1.0", "h1:abc=")
    told = [(one["apiVersion"], one["kind"], one["namespaced"]) for one in old["components"]]
    assert told == [("apps/v1", "Engine", True), ("apps/v1", "Whistle", False)]
    # A component is a line, so that a difference between versions can be read.
    lines = files["versions/v1.1.0.json"].decode().splitlines()
    assert sum('"kind"' in line for line in lines) == 2
    assert [one["schema"] for one in old["components"]] != [one["schema"] for one in new["components"]]
    assert old["components"][1] == new["components"][1]


def test_each_schema_is_kept_once(releases: list[Release]) -> None:
    files = kubernetes_models.files_of(releases)
    lines = lzma.decompress(files["schemas.xz"]).splitlines()
    listed = {
        one["schema"]
        for path, body in files.items()
        if path.startswith("versions/")
        for one in json.loads(body)["components"]
    }
    assert {hashlib.sha256(line).hexdigest() for line in lines} == listed
    assert len(lines) == 3
    assert not [line for line in lines if b"$ref" in line or b'"kind"' in line]


def test_other_versions_are_taken_away(releases: list[Release], tmp_path: Path) -> None:
    content = tmp_path / "content"
    assert kubernetes_models.write(content, kubernetes_models.files_of(releases)) == [
        "versions/v1.1.0.json",
        "versions/v1.2.0.json",
        "schemas.xz",
    ]
    assert kubernetes_models.write(content, kubernetes_models.files_of(releases)) == []
    changed = kubernetes_models.write(content, kubernetes_models.files_of(releases[1:]))
    assert changed == ["versions/v1.1.0.json", "schemas.xz"]
    assert [file.name for file in (content / "versions").iterdir()] == ["v1.2.0.json"]


def test_a_kind_that_cannot_be_read_ends_the_tool(releases: list[Release]) -> None:
    document = releases[0].folder / "api/openapi-spec/v3/apis__apps__v1_openapi.json"
    document.write_text(json.dumps({"openapi": "3.0.0", "components": {"schemas": {}}}))
    with pytest.raises(SystemExit, match=r"v1\.1\.0 apps/v1 could not be read: Engine"):
        kubernetes_models.files_of(releases)


def test_allowed_values_come_from_the_generated_code(releases: list[Release]) -> None:
    assert list(enums_of(_GO)) == [
        Enum(
            "io.k8s.api.apps.v1.Engine",
            ("properties", "fuel"),
            ["Coal", "Wood"],
            'What it burns.\n\nPossible enum values:\n - `"Wood"`',
        ),
        Enum("io.k8s.api.apps.v1.Engine", ("properties", "modes", "items"), ["Fast"], None),
    ]
    schemas = lzma.decompress(kubernetes_models.files_of(releases)["schemas.xz"]).splitlines()
    engine = json.loads(next(line for line in schemas if b"fuel" in line))
    assert engine["properties"]["fuel"]["enum"] == ["Coal", "Wood"]
    assert engine["properties"]["modes"]["items"]["enum"] == ["Fast"]


def test_allowed_values_go_to_their_own_schema_only() -> None:
    enum = Enum("v1.Engine", ("properties", "fuel"), ["Coal"], None)
    fuel = {"type": "string"}
    schemas = {
        name: {"properties": {"fuel": dict(fuel)}}
        for name in ("api.v1.Engine", "api.v1.SteamEngine", "v1.Engine")
    }
    put_enums({"components": {"schemas": {**schemas, "other.v1.Engine": {}}}}, [enum])
    assert [("enum" in one["properties"]["fuel"]) for one in schemas.values()] == [True, False, True]


def test_the_committed_icons_are_those_of_the_glyphs() -> None:
    content = content_icons.CONTENT
    made = content_icons.icons(content_icons.colors_of(content))
    found = {
        file.relative_to(content / "icons").as_posix(): file.read_text()
        for file in content.glob("icons/*/*.svg")
    }
    assert found == made, "run tools/content_icons.py"
