"""Design files: what one looks like, how a version is made of components, how a save changes it.

A version is a shell (all but the components) and the ordered hashes of its components; a component that two
versions share is stored once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from meshery_contracts.errors import FieldProblem, Invalid

SCHEMA_VERSION = "designs.meshery.io/v1beta3"
COMPONENT_SCHEMA_VERSION = "components.meshery.io/v1beta3"
FIRST_VERSION = "0.0.1"
MAX_COMPONENTS = 5000

#: What a stored component leaves to the registry, which adds it again when somebody asks for it.
_REGISTRY_FIELDS = ("capabilities",)


@dataclass(frozen=True)
class StoredFile:
    """A design file taken apart for storage."""

    name: str
    #: The file without its components, JSON.
    shell: bytes
    #: Hash and JSON of each component, in order.
    components: tuple[tuple[bytes, bytes], ...]

    @property
    def text(self) -> str:
        """The whole file, JSON."""
        return assemble(self.shell, [body for _, body in self.components])


def is_design_file(document: Any) -> bool:
    """Whether a document is a design file rather than a manifest."""
    if not isinstance(document, dict):
        return False
    schema = document.get("schemaVersion")
    if isinstance(schema, str) and schema.startswith("designs."):
        return True
    return "components" in document and "kind" not in document and "apiVersion" not in document


def new_file(name: str, components: Sequence[dict[str, Any]], design_id: UUID) -> dict[str, Any]:
    """A first version of a design."""
    return {
        "id": str(design_id),
        "name": name,
        "schemaVersion": SCHEMA_VERSION,
        "version": FIRST_VERSION,
        "metadata": {"resolvedAliases": {}},
        "preferences": {"layers": {"relationships": {}}},
        "components": list(components),
        "relationships": [],
    }


def checked(
    document: Any, *, design_id: UUID, name: str, version: int, new_id: Callable[[], UUID]
) -> StoredFile:
    """A design file made fit to be stored: ids, names and version set. Raises Invalid with the places.

    `name` wins over the file's own; `version` counts saves and becomes the patch number.
    """
    if not isinstance(document, dict):
        raise Invalid(
            "A design file is a mapping with `components`.",
            code="design_shape",
            remedy="Send a design file, or import the document instead.",
        )
    problems: list[FieldProblem] = []
    components = document.get("components") or []
    if not isinstance(components, list):
        problems.append(FieldProblem(path="components", message="must be a list"))
        components = []
    if len(components) > MAX_COMPONENTS:
        problems.append(FieldProblem(path="components", message=f"has more than {MAX_COMPONENTS} entries"))
    for list_field in ("relationships",):
        if not isinstance(document.get(list_field) or [], list):
            problems.append(FieldProblem(path=list_field, message="must be a list"))
    kept = [_component(one, position, problems, new_id) for position, one in enumerate(components)]
    _check_unique(kept, problems)
    if problems:
        raise Invalid(
            f"The design file is not valid at {problems[0].path}: {problems[0].message}.",
            code="design_invalid",
            fields=tuple(problems[:100]),
            remedy="Mend the named places and save again.",
        )
    shell = {key: value for key, value in document.items() if key != "components"}
    shell["id"] = str(design_id)
    shell["name"] = name or _text(document.get("name")) or "Untitled Design"
    shell["schemaVersion"] = SCHEMA_VERSION
    shell["version"] = f"0.0.{version}"
    shell.setdefault("metadata", {"resolvedAliases": {}})
    shell.setdefault("preferences", {"layers": {"relationships": {}}})
    shell["relationships"] = document.get("relationships") or []
    bodies = [orjson.dumps(one) for one in kept]
    return StoredFile(
        name=shell["name"],
        shell=orjson.dumps(shell),
        components=tuple((component_hash(body), body) for body in bodies),
    )


def changed(
    document: dict[str, Any], changes: Sequence[Mapping[str, Any]], removed: Sequence[UUID]
) -> dict[str, Any]:
    """A design file after whole components were put in place of those with the same id, added, or removed."""
    gone = {str(one) for one in removed}
    by_id = {str(one.get("id")): one for one in changes}
    components = [
        by_id.pop(str(one.get("id")), one)
        for one in document.get("components") or []
        if str(one.get("id")) not in gone
    ]
    return {**document, "components": [*components, *by_id.values()]}


def assemble(shell: bytes, bodies: Sequence[bytes]) -> str:
    """The file's text from its stored parts, without decoding the components."""
    head = shell.rstrip()[:-1]
    comma = b"," if len(head) > 1 else b""
    return (head + comma + b'"components":[' + b",".join(bodies) + b"]}").decode()


def component_hash(body: bytes) -> bytes:
    """The name of a component's content."""
    return hashlib.blake2b(body, digest_size=16).digest()


def _component(
    value: Any, position: int, problems: list[FieldProblem], new_id: Callable[[], UUID]
) -> dict[str, Any]:
    path = f"components.{position}"
    if not isinstance(value, dict):
        problems.append(FieldProblem(path=path, message="must be a mapping"))
        return {}
    component = {key: field for key, field in value.items() if key not in _REGISTRY_FIELDS}
    try:
        component["id"] = str(UUID(str(component["id"]))) if component.get("id") else str(new_id())
    except ValueError:
        problems.append(FieldProblem(path=f"{path}.id", message="must be a UUID"))
    inner = component.get("component")
    if not isinstance(inner, dict) or not _text(inner.get("kind")):
        problems.append(FieldProblem(path=f"{path}.component.kind", message="must name a kind"))
    else:
        component["component"] = {**inner, "schema": ""}  # the registry keeps the schema
    for mapping in ("configuration", "metadata"):
        if not isinstance(component.get(mapping) or {}, dict):
            problems.append(FieldProblem(path=f"{path}.{mapping}", message="must be a mapping"))
    component.setdefault("schemaVersion", COMPONENT_SCHEMA_VERSION)
    return component


def _check_unique(components: Sequence[dict[str, Any]], problems: list[FieldProblem]) -> None:
    seen: set[str] = set()
    for position, one in enumerate(components):
        component_id = str(one.get("id"))
        if component_id in seen:
            problems.append(
                FieldProblem(path=f"components.{position}.id", message=f"{component_id} occurs twice")
            )
        seen.add(component_id)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
