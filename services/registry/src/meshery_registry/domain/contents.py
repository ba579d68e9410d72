"""What ships with us, out of the data files of this package: models, kinds, icons and relationships.

Given the folder, it reads and computes; where the folder is, and whether it was stored before, others know. The tools
that write the files are `tools/kubernetes_models.py` and `tools/content_icons.py`; `content/README.md` tells how.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import orjson
import yaml

from meshery_registry.domain.entities import (
    ComponentEntity,
    ModelEntity,
    Package,
    Readings,
    RelationshipEntity,
)
from meshery_registry.domain.names import display_name
from meshery_registry.domain.policies.contents import read_policies

#: Part of the digest: raise it when the same files would be read differently, so that they are stored again.
READER_VERSION = 1

_Document = Mapping[str, Any]


def contents_digest(folder: Traversable) -> str:
    """A digest of every file of the content: the same one means that nothing needs to be stored."""
    digest = hashlib.sha256(f"reader {READER_VERSION}".encode())
    for path, file in _files(folder):
        body = file.read_bytes()
        digest.update(f"\0{path}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()


def read_contents(folder: Traversable) -> Readings:
    """Every model that ships with us, oldest version first; the newest version has the relationships."""
    icons = _icons(folder / "icons")
    edges = _yaml(folder / "edges.yaml")
    models = sorted(
        (one for one in folder.iterdir() if (one / "model.yaml").is_file()), key=lambda one: one.name
    )
    return Readings(packages=tuple(package for one in models for package in _packages(one, icons, edges)))


def _packages(folder: Traversable, icons: Mapping[str, _Document], edges: _Document) -> Iterator[Package]:
    model = _yaml(folder / "model.yaml")
    relationships = tuple(_relationship(file, edges) for file in _children(folder / "relationships"))
    policies = read_policies(_children(folder / "policies"))
    versions = [orjson.loads(file.read_bytes()) for file in _children(folder / "versions")]
    if not versions:
        yield Package(_model(model, model["version"], icons), relationships=relationships, policies=policies)
        return
    configurations = folder / "configurations.yaml"
    kinds = _Kinds(
        schemas=_schemas(folder / "schemas.xz"),
        looks=_yaml(folder / "kinds.yaml"),
        configurations=_yaml(configurations) if configurations.is_file() else {},
        icons=icons,
    )
    versions.sort(key=lambda one: [int(part) for part in one["version"].removeprefix("v").split(".")])
    for one in versions:
        yield Package(
            _model(model, one["version"], icons),
            components=tuple(kinds.component(listed) for listed in one["components"]),
            # Once is enough: they hold for kinds, whatever the version of the model that these come from.
            relationships=relationships if one is versions[-1] else (),
            policies=policies if one is versions[-1] else (),
        )


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What the files of a model say of its kinds, over all its versions."""

    schemas: Mapping[str, str]
    looks: _Document
    configurations: _Document
    icons: Mapping[str, _Document]

    def component(self, listed: _Document) -> ComponentEntity:
        kind, api_version = listed["kind"], listed["apiVersion"]
        look = self.looks["kinds"][kind]
        return ComponentEntity(
            kind=kind,
            api_version=api_version,
            display_name=display_name(kind),
            description=listed["description"],
            schema=self.schemas[listed["schema"]],
            namespaced=listed["namespaced"],
            annotation=listed.get("annotation", False),
            styles={**self.looks["families"][look["family"]], "shape": look["shape"], **self.icons[kind]},
            configuration=self.configurations.get(f"{api_version}/{kind}", {}),
        )


def _model(document: _Document, version: str, icons: Mapping[str, _Document]) -> ModelEntity:
    return ModelEntity(
        name=document["name"],
        version=version,
        display_name=document["displayName"],
        description=document["description"],
        annotation=document.get("annotation", False),
        category=document["category"],
        sub_category=document["subCategory"],
        registrant_kind=document["registrant"],
        metadata={**document["metadata"], **icons[document["icon"]]},
    )


def _relationship(file: Traversable, edges: _Document) -> RelationshipEntity:
    """One file; what all relationships of its class look like comes from `edges.yaml`."""
    document = _yaml(file)
    kind, type_, sub_type = document["kind"], document["type"], document["subType"]
    metadata = {"isAnnotation": False, **document["metadata"]}
    metadata["styles"] = {**edges[f"{kind}-{type_}-{sub_type}"], **metadata.get("styles", {})}
    return RelationshipEntity(
        kind=kind,
        type=type_,
        sub_type=sub_type,
        definition={
            "metadata": metadata,
            "capabilities": [],
            "evaluationQuery": "",
            "selectors": document["selectors"],
        },
    )


def _icons(folder: Traversable) -> dict[str, _Document]:
    """The icons by name, under the keys that styles have for them."""
    return {
        file.name.removesuffix(".svg"): {
            "svgColor": file.read_text(encoding="utf-8"),
            "svgWhite": (folder / "white" / file.name).read_text(encoding="utf-8"),
        }
        for file in _children(folder / "color")
    }


def _schemas(file: Traversable) -> dict[str, str]:
    """JSON schemas by the SHA-256 of their text: one a line, those of one kind side by side. Annotations have none."""
    lines = lzma.decompress(file.read_bytes()).splitlines() if file.is_file() else []
    return {"": "", **{hashlib.sha256(line).hexdigest(): line.decode() for line in lines}}


def _yaml(file: Traversable) -> Any:
    return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)


def _children(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted((one for one in folder.iterdir() if one.is_file()), key=lambda one: one.name)


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            yield from _files(one, f"{above}{one.name}/")
        else:
            yield f"{above}{one.name}", one
