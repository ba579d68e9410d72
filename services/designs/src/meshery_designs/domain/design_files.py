"""Design files: what one looks like, how a version is made of components, how a save changes it.

A version is a shell (all but the components) and the ordered hashes of its components; a component that two
versions share is stored once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from meshery_contracts.errors import FieldProblem, Invalid, TooLarge

SCHEMA_VERSION = "designs.meshery.io/v1beta3"
COMPONENT_SCHEMA_VERSION = "components.meshery.io/v1beta3"
UNTITLED = "Untitled Design"
CLONE_SUFFIX = " (Copy)"
MAX_COMPONENTS = 5000
MAX_NAME_CHARACTERS = 255
#: The largest design, in bytes of its text inside a reply, which holds it twice.
MAX_REPLY_BYTES = 12_000_000

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

    def numbered(self, version: int) -> StoredFile:
        """The same file as another version."""
        shell = {**orjson.loads(self.shell), "version": _number(version)}
        return replace(self, shell=orjson.dumps(shell))


def is_design_file(document: Any) -> bool:
    """Whether a document is a design file rather than a manifest."""
    if not isinstance(document, dict):
        return False
    schema = document.get("schemaVersion")
    if isinstance(schema, str) and schema.startswith("designs."):
        return True
    return "components" in document and "kind" not in document and "apiVersion" not in document


def checked(
    document: Any, *, design_id: UUID, name: str, version: int, new_id: Callable[[], UUID]
) -> StoredFile:
    """A design file made fit to be stored: ids, names and version set. Raises Invalid with the places, TooLarge.

    `name` wins over the file's own; `version` counts saves and becomes the patch number.
    """
    if not isinstance(document, dict):
        raise Invalid(
            "A design file is a mapping with `components`.",
            code="design_shape",
            remedy="Send a design file, or import the document instead.",
        )
    problems: list[FieldProblem] = []
    title = name.strip() or _text(document.get("name")) or UNTITLED
    if len(title) > MAX_NAME_CHARACTERS or "\0" in title:
        message = f"must be a text of at most {MAX_NAME_CHARACTERS} characters"
        problems.append(FieldProblem(path="name", message=message))
    relationships = _list(document, "relationships", problems)
    components = _components(document, problems, new_id)
    if problems:
        raise Invalid(
            f"The design file is not valid at {problems[0].path}: {problems[0].message}.",
            code="design_invalid",
            fields=tuple(problems[:100]),
            remedy="Mend the named places and save again.",
        )
    ours = {
        "id": str(design_id),
        "name": title,
        "schemaVersion": SCHEMA_VERSION,
        "version": _number(version),
        "metadata": document.get("metadata") or {"resolvedAliases": {}},
        "preferences": document.get("preferences") or {"layers": {"relationships": {}}},
        "relationships": relationships,
    }
    others = {key: value for key, value in document.items() if key != "components" and key not in ours}
    bodies = [orjson.dumps(one) for one in components]
    file = StoredFile(
        name=title,
        shell=orjson.dumps({**ours, **others}),
        components=tuple((component_hash(body), body) for body in bodies),
    )
    _check_size(file)
    return file


def name_of_clone(original: str) -> str:
    """What a clone is called when nobody says: short enough whatever the original's name is."""
    return f"{original[: MAX_NAME_CHARACTERS - len(CLONE_SUFFIX)]}{CLONE_SUFFIX}"


def changed(
    document: Mapping[str, Any], changes: Sequence[dict[str, Any]], removed: Sequence[UUID]
) -> dict[str, Any]:
    """A design file after whole components were put in place of those with the same id, added, or removed.

    What is both changed and removed is removed.
    """
    gone = {str(one) for one in removed}
    new = [one for one in changes if _id(one) is None]
    by_id = {component_id: one for one in changes if (component_id := _id(one)) is not None}
    components = [by_id.pop(str(one["id"]), one) for one in document["components"]] + [*by_id.values(), *new]
    return {**document, "components": [one for one in components if _id(one) not in gone]}


def assemble(shell: bytes, bodies: Sequence[bytes]) -> str:
    """The file's text from its stored parts, without decoding the components."""
    head = shell.rstrip()[:-1]
    comma = b"," if len(head) > 1 else b""
    return (head + comma + b'"components":[' + b",".join(bodies) + b"]}").decode()


def component_hash(body: bytes) -> bytes:
    """The name of a component's content."""
    return hashlib.blake2b(body, digest_size=16).digest()


def _number(version: int) -> str:
    return f"0.0.{version}"


def _check_size(file: StoredFile) -> None:
    size = len(orjson.dumps(file.text))
    if size > MAX_REPLY_BYTES:
        raise TooLarge(
            f"The design has {size:,} bytes, {MAX_REPLY_BYTES:,} are allowed.",
            code="design_too_large",
            remedy="Split it into several designs.",
        )


def _components(
    document: Mapping[str, Any], problems: list[FieldProblem], new_id: Callable[[], UUID]
) -> list[dict[str, Any]]:
    values = _list(document, "components", problems)
    if len(values) > MAX_COMPONENTS:
        problems.append(FieldProblem(path="components", message=f"has more than {MAX_COMPONENTS} entries"))
        return []
    components: dict[str, dict[str, Any]] = {}
    for position, value in enumerate(values):
        path = f"components.{position}"
        if not isinstance(value, dict):
            problems.append(FieldProblem(path=path, message="must be a mapping"))
            continue
        component = _component(value, path, problems, new_id)
        if component["id"] in components:
            problems.append(FieldProblem(path=f"{path}.id", message=f"{component['id']} occurs twice"))
        components[component["id"]] = component
    return list(components.values())


def _component(
    value: dict[str, Any], path: str, problems: list[FieldProblem], new_id: Callable[[], UUID]
) -> dict[str, Any]:
    component = {key: field for key, field in value.items() if key not in _REGISTRY_FIELDS}
    component["id"] = _id(value) or str(new_id())
    if value.get("id") and _id(value) is None:
        problems.append(FieldProblem(path=f"{path}.id", message="must be a UUID"))
    inner = _mapping(component, "component", path, problems)
    if not _text(inner.get("kind")):
        problems.append(FieldProblem(path=f"{path}.component.kind", message="must name a kind"))
    _check_text(inner, "version", f"{path}.component", problems)
    component["component"] = {**inner, "schema": ""}  # the registry keeps the schema
    for field in ("metadata", "modelReference"):
        _mapping(component, field, path, problems)
    configuration = _mapping(component, "configuration", path, problems)
    metadata = _mapping(configuration, "metadata", f"{path}.configuration", problems)
    for field in ("labels", "annotations"):
        _mapping(metadata, field, f"{path}.configuration.metadata", problems)
    for field in ("name", "generateName", "namespace"):
        _check_text(metadata, field, f"{path}.configuration.metadata", problems)
    component.setdefault("schemaVersion", COMPONENT_SCHEMA_VERSION)
    return component


def _list(document: Mapping[str, Any], field: str, problems: list[FieldProblem]) -> list[Any]:
    value = document.get(field)
    if isinstance(value, list):
        return value
    if value is not None:
        problems.append(FieldProblem(path=field, message="must be a list"))
    return []


def _mapping(value: Mapping[str, Any], field: str, path: str, problems: list[FieldProblem]) -> dict[str, Any]:
    found = value.get(field)
    if isinstance(found, dict):
        return found
    if found is not None:
        problems.append(FieldProblem(path=f"{path}.{field}", message="must be a mapping"))
    return {}


def _check_text(value: Mapping[str, Any], field: str, path: str, problems: list[FieldProblem]) -> None:
    if not isinstance(value.get(field), str | None):
        problems.append(FieldProblem(path=f"{path}.{field}", message="must be a text"))


def _id(component: Mapping[str, Any]) -> str | None:
    """The id of a component in its one spelling; None without one, or when it is no UUID."""
    try:
        return str(UUID(component["id"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
