"""Definitions to packages: which belongs to which model.

A definition belongs to the model whose file lies in the nearest folder above it. Components without one bring their
model with them; relationships without one join them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    EntityType,
    ModelEntity,
    Package,
    PolicyEntity,
    Readings,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.packages.documents import Entity, embedded_model, name_of, read_entity
from meshery_registry.domain.packages.fields import mapping, mappings, text
from meshery_registry.domain.packages.writing import relationship_digest

_TYPES: Final[dict[type[Entity], EntityType]] = {
    ModelEntity: "model",
    ComponentEntity: "component",
    RelationshipEntity: "relationship",
    PolicyEntity: "policy",
    ConnectionEntity: "connection",
}


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition, and where it stood: `path` is its file, `where` also says which document of it."""

    path: str
    where: str
    document: Mapping[str, Any]
    entity: Entity | Refusal

    @classmethod
    def read(cls, path: str, where: str, document: Mapping[str, Any]) -> Definition:
        """Read a document that has a `schemaVersion` of ours."""
        return cls(path, where, document, read_entity(document, where))

    @property
    def folders(self) -> Iterator[str]:
        """The folders that it lies in, the nearest first; the root is the empty text."""
        folder = self.path
        while folder:
            folder = folder.rpartition("/")[0]
            yield folder


@dataclass(slots=True)
class _Draft:
    """A model, or why it could not be read, and what was found for it."""

    model: ModelEntity | Refusal
    where: str
    name: str
    entities: list[Definition] = field(default_factory=list)


def defined(definitions: Sequence[Definition]) -> Readings:
    """The packages that some definitions make."""
    drafts: dict[str, list[_Draft]] = {}
    refused: list[Refusal] = []
    parts: list[Definition] = []
    for one in definitions:
        entity = one.entity
        if isinstance(entity, ModelEntity) or (isinstance(entity, Refusal) and entity.entity_type == "model"):
            draft = _Draft(entity, one.where, name_of(one.document), list(_inside(one)))
            drafts.setdefault(next(one.folders), []).append(draft)
        else:
            parts.append(one)
    loose: list[Definition] = []
    for one in parts:
        above = next((drafts[folder] for folder in one.folders if folder in drafts), None)
        if above is not None:
            above[0].entities.append(one)
        elif isinstance(one.entity, Refusal):
            refused.append(one.entity)
        else:
            loose.append(one)
    packages: list[Package] = []
    for folder, found in drafts.items():
        if len(found) > 1:
            refused += [_one_of_many(draft, folder) for draft in found]
        else:
            _finish(found[0], packages, refused)
    for draft in _loose(loose, refused):
        _finish(draft, packages, refused)
    return Readings(tuple(packages), tuple(refused))


def _inside(model: Definition) -> Iterator[Definition]:
    """What stands in the lists of a model, as an API answers it."""
    for key in ("components", "relationships", "policies", "connections"):
        for number, document in enumerate(mappings(model.document, key), start=1):
            yield Definition.read(model.path, f"{model.where}, {key} {number}", document)


def _loose(definitions: Sequence[Definition], refused: list[Refusal]) -> Iterator[_Draft]:
    """Models of what has no model file."""
    drafts: dict[tuple[str, str, str], _Draft] = {}
    followers = []
    for one in definitions:
        if not isinstance(one.entity, ComponentEntity):
            followers.append(one)
            continue
        model = embedded_model(one.document, one.where)
        if isinstance(model, Refusal):
            refused.append(model)
            continue
        key = (model.registrant_kind, model.name, model.version)
        drafts.setdefault(key, _Draft(model, one.where, model.name)).entities.append(one)
    for one in followers:
        name = text(mapping(one.document, "model"), "name") or text(
            mapping(one.document, "modelReference"), "name"
        )
        draft = next((draft for draft in drafts.values() if name in ("", draft.name)), None)
        if draft is None or (not name and len(drafts) > 1):
            refused.append(_without_model(one))
        else:
            draft.entities.append(one)
    yield from drafts.values()


def _finish(draft: _Draft, packages: list[Package], refused: list[Refusal]) -> None:
    """Turn a draft into a package, or say why it makes none."""
    taken: list[tuple[tuple[str, ...], Entity]] = []
    package_refused: list[Refusal] = []
    seen: set[tuple[str, ...]] = set()
    for one in draft.entities:
        entity = one.entity
        if isinstance(entity, Refusal):
            package_refused.append(entity)
            continue
        key = _identity(entity)
        if key in seen:
            package_refused.append(_twice(entity, one))
            continue
        seen.add(key)
        taken.append((key, entity))
    if isinstance(draft.model, Refusal) or not taken:
        refused += [_without_parts(draft, len(taken)), *package_refused]
        return
    # In the order of what they are, not of the files that they stood in.
    parts = [entity for _, entity in sorted(taken, key=lambda one: one[0])]
    packages.append(
        Package(
            model=draft.model,
            components=tuple(one for one in parts if isinstance(one, ComponentEntity)),
            relationships=tuple(one for one in parts if isinstance(one, RelationshipEntity)),
            policies=tuple(one for one in parts if isinstance(one, PolicyEntity)),
            connections=tuple(one for one in parts if isinstance(one, ConnectionEntity)),
            refused=tuple(package_refused),
        )
    )


def _identity(entity: Entity) -> tuple[str, ...]:
    """What makes two definitions of one model the same one."""
    if isinstance(entity, ComponentEntity):
        return ("component", entity.kind, entity.api_version)
    if isinstance(entity, RelationshipEntity):
        words = (entity.kind, entity.type, entity.sub_type)
        return ("relationship", *words, relationship_digest(entity))
    if isinstance(entity, PolicyEntity | ModelEntity):
        return (_type_of(entity), entity.name)
    return ("connection", entity.kind)


def _twice(entity: Entity, found: Definition) -> Refusal:
    name = entity.name if isinstance(entity, PolicyEntity | ModelEntity) else name_of(found.document)
    return Refusal(
        _type_of(entity), name, "It stands twice in its model.", found.where, "Leave one of them out."
    )


def _without_model(found: Definition) -> Refusal:
    assert not isinstance(found.entity, Refusal)  # noqa: S101 - said to mypy: refusals were sorted out before
    return Refusal(
        _type_of(found.entity),
        name_of(found.document),
        "There is no model that it belongs to.",
        found.where,
        "Send it in a package: a folder with the model's own file, model.json.",
    )


def _type_of(entity: Entity) -> EntityType:
    return _TYPES[type(entity)]


def _one_of_many(draft: _Draft, folder: str) -> Refusal:
    return Refusal(
        "model",
        draft.name,
        f"The folder {folder or '/'!r} holds more than one model: nothing tells which one the rest belongs to.",
        draft.where,
        "Put each model with what belongs to it into a folder of its own.",
    )


def _without_parts(draft: _Draft, count: int) -> Refusal:
    """Why a model is not taken: itself, or that nothing is left of it."""
    if isinstance(draft.model, Refusal):
        also = f" With it {count} definitions were refused that belong to it." if count else ""
        return replace(draft.model, reason=draft.model.reason + also)
    return Refusal(
        "model",
        draft.name,
        "Nothing belongs to it that could be taken.",
        draft.where,
        "Send it with its components or relationships.",
    )
