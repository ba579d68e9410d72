"""A design while it is evaluated: its parts by id, by what they touch, and the indexes over them.

Documents are never changed in place: a change puts a new document in the old one's place. An alias reads and writes
the configuration of the component that it is a part of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshery_contracts.errors import FieldProblem, Invalid, TooLarge
from meshery_contracts.evaluation import MAX_COMPONENTS, MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import instances
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.definitions import ALIAS_CLASS, Document, value_of
from meshery_registry.domain.evaluation.indexes import Columns, Index
from meshery_registry.domain.evaluation.instances import Related
from meshery_registry.domain.evaluation.paths import Path, value_at, with_value
from meshery_registry.domain.evaluation.sides import Group, Selector, Side
from meshery_registry.domain.evaluation.strategies import Mode

_CONFIGURATION: Final = "configuration"
_MAX_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Part:
    """Where the configuration of an alias is: in which component, and where in it (beginning with configuration)."""

    root: str
    path: Path


class State:
    """The parts of a design and what is known of them."""

    def __init__(self, catalogue: Catalogue, design: Document) -> None:
        self.catalogue = catalogue
        self.components: dict[str, Document] = {}
        self.relationships: dict[str, Document] = {}
        self.groups: dict[Group, dict[str, None]] = {}
        self.group_of: dict[str, Group] = {}
        #: Relationships by each component that they name.
        self.touching: dict[str, set[str]] = {}
        self.alias_relationships: set[str] = set()
        self.parts: dict[str, Part] = {}
        self._aliases_of: dict[str, set[str]] = {}
        self._related: dict[str, Related] = {}
        self._between: dict[tuple[str, str, str], list[str]] = {}
        self._indexes: dict[tuple[Selector, Side], Index] = {}
        self._indexes_over: dict[Group, list[Index]] = {}
        #: What was read of the components of a group, for as long as none of them changes.
        self._columns: dict[Group, Columns] = {}
        self.off: frozenset[str] = frozenset()
        #: Whether a limit cut something off, so that a change must look at everything.
        self.limited = False
        #: The most pairs that each definition may have by now, by its key.
        self.counts: dict[str, int] = {}
        components, relationships = read(design)
        self.shell = {key: one for key, one in design.items() if key not in ("components", "relationships")}
        self.set_preferences(value_of(design, "preferences"))
        for component_id, component in components.items():
            self.components[component_id] = component
            self._enter(component_id, component)
        for relationship_id, relationship in relationships.items():
            self.put_relationship(relationship_id, relationship)

    def set_preferences(self, preferences: Any) -> None:
        """Switch classes of relationships off, as a design's `preferences` say."""
        layers = value_of(value_of(preferences, "layers"), "relationships")
        layers = layers if isinstance(layers, Mapping) else {}
        self.off = frozenset(str(key).lower() for key, wanted in layers.items() if wanted is False)

    def index(self, selector: Selector, side: Side) -> Index:
        """The rows of the components that a selector means."""
        known = self._indexes.get((selector, side))
        if known is None:
            known = self._indexes[selector, side] = Index(selector, side)
            self._indexes_over.clear()
            for group, members in self.groups.items():
                if self.catalogue.means(selector, group):
                    known.fill(self._columns_of(group, members))
        return known

    def _columns_of(self, group: Group, members: Iterable[str]) -> Columns:
        known = self._columns.get(group)
        if known is None:
            known = self._columns[group] = Columns([(one, self.view(one)) for one in members])
        return known

    def view(self, component_id: str) -> Document:
        """A component as it is compared: an alias with the configuration of its part."""
        component = self.components[component_id]
        part = self.parts.get(component_id)
        if part is None:
            return component
        return {**component, _CONFIGURATION: value_at(self.components.get(part.root), part.path)}

    def put_component(self, component_id: str, component: Document) -> None:
        """Add a component, or put it in the place of what it was."""
        self.components[component_id] = component
        before = self.group_of.get(component_id)
        if before != group_of(component):
            self._leave(component_id)
            self._enter(component_id, component)
        self._reindex(component_id, before)

    def remove_component(self, component_id: str) -> None:
        """Take a component out."""
        before = self.group_of[component_id]
        self._leave(component_id)
        del self.components[component_id]
        self._reindex(component_id, before)

    def write(self, component_id: str, path: Path, value: Any, mode: Mode) -> tuple[str, Path]:
        """Put a value into a component; where that was: an alias is written in its root. Raises BadPath."""
        component_id, path = self.place(component_id, path)
        component = self.components[component_id]
        if mode == "merge":
            current = value_at(component, path)
            value = {**current, **value} if isinstance(current, Mapping) else value
        self.put_component(component_id, with_value(component, path, value))
        return component_id, path

    def place(self, component_id: str, path: Path) -> tuple[str, Path]:
        """Where a path of a component really is."""
        part = self.parts.get(component_id)
        if part is None or path[0] != _CONFIGURATION or part.root not in self.components:
            return component_id, path
        return part.root, part.path + path[1:]

    def with_aliases(self, component_id: str) -> list[str]:
        """A component and its aliases: those that read from the same configuration."""
        return [component_id, *sorted(self._aliases_of.get(component_id, ()))]

    def put_part(self, alias_id: str, part: Part | None) -> None:
        """Say what an alias is a part of; none when it is none any more."""
        old = self.parts.pop(alias_id, None)
        if old is not None:
            self._aliases_of[old.root].discard(alias_id)
        if part is not None:
            self.parts[alias_id] = part
            self._aliases_of.setdefault(part.root, set()).add(alias_id)
        if alias_id in self.components:
            self._reindex(alias_id, self.group_of[alias_id])

    def put_relationship(self, relationship_id: str, relationship: Document) -> None:
        """Add a relationship, or put it in the place of what it was."""
        if relationship_id in self.relationships:
            self._unlink(relationship_id)
        related = instances.related(relationship)
        self.add_relationship(relationship_id, relationship, related)

    def add_relationship(self, relationship_id: str, relationship: Document, related: Related) -> None:
        """Add a new relationship of which it is known whom it relates."""
        self.relationships[relationship_id] = relationship
        self._related[relationship_id] = related
        if related[0] == ALIAS_CLASS:
            self.alias_relationships.add(relationship_id)
        touching = self.touching
        for component_id in related[3]:
            known = touching.get(component_id)
            if known is None:
                touching[component_id] = {relationship_id}
            else:
                known.add(relationship_id)
        between = related[:3]
        pair = self._between.get(between)
        if pair is None:
            self._between[between] = [relationship_id]
        else:
            pair.append(relationship_id)

    def remove_relationship(self, relationship_id: str) -> None:
        """Take a relationship out."""
        self._unlink(relationship_id)
        del self.relationships[relationship_id]

    def related(self, relationship_id: str) -> Related:
        """Whom a relationship relates."""
        return self._related[relationship_id]

    def between(self, class_key: str, from_id: str, to_id: str) -> list[str]:
        """The relationships of a class between two components."""
        return self._between.get((class_key, from_id, to_id), [])

    def _unlink(self, relationship_id: str) -> None:
        related = self._related.pop(relationship_id)
        self.alias_relationships.discard(relationship_id)
        for component_id in related.ends:
            self.touching[component_id].discard(relationship_id)
        self._between[related[:3]].remove(relationship_id)

    def _enter(self, component_id: str, component: Document) -> None:
        group = group_of(component)
        self.group_of[component_id] = group
        self.groups.setdefault(group, {})[component_id] = None

    def _leave(self, component_id: str) -> None:
        group = self.group_of.pop(component_id, None)
        if group is not None:
            del self.groups[group][component_id]

    def _reindex(self, component_id: str, before: Group | None) -> None:
        """Bring every index up to date with a component, which was of another group perhaps, and with its aliases."""
        if before is not None and before != self.group_of.get(component_id):
            self._columns.pop(before, None)
            for index in self._over(before):
                index.put(component_id, None)
        for one in (component_id, *self._aliases_of.get(component_id, ())):
            group = self.group_of.get(one)
            if group is not None:
                self._columns.pop(group, None)
                view = self.view(one)
                for index in self._over(group):
                    index.put(one, view)

    def _over(self, group: Group) -> list[Index]:
        """The indexes that hold the components of a group."""
        known = self._indexes_over.get(group)
        if known is None:
            means = self.catalogue.means
            known = [one for one in self._indexes.values() if means(one.selector, group)]
            self._indexes_over[group] = known
        return known


def group_of(component: Document) -> Group:
    """Kind and model of a component."""
    model = value_of(component, "modelReference", "model_reference") or value_of(component, "model")
    return str(value_of(value_of(component, "component"), "kind") or ""), str(value_of(model, "name") or "")


def read(design: Document) -> tuple[dict[str, Document], dict[str, Document]]:
    """Components and relationships of a design by id. Raises Invalid with the places, TooLarge."""
    problems: list[FieldProblem] = []
    components = dict(_entities(design, "components", MAX_COMPONENTS, problems))
    relationships = dict(_entities(design, "relationships", MAX_RELATIONSHIPS, problems))
    if problems:
        raise Invalid(
            f"The design cannot be evaluated: {problems[0].path} {problems[0].message}.",
            code="design_invalid",
            fields=tuple(problems[:100]),
            remedy="Mend the named places and evaluate again.",
        )
    return components, relationships


def _entities(
    design: Document, name: str, most: int, problems: list[FieldProblem]
) -> Iterator[tuple[str, Document]]:
    values = design.get(name)
    if values is None:
        return
    if not isinstance(values, list):
        problems.append(FieldProblem(path=f"design.{name}", message="must be a list"))
        return
    if len(values) > most:
        raise TooLarge(
            f"The design has {len(values):,} {name}, {most:,} are evaluated.",
            code="design_too_large",
            remedy="Split it into several designs.",
        )
    yield from checked(values, f"design.{name}", problems)


def checked(values: Iterable[Any], path: str, problems: list[FieldProblem]) -> Iterator[tuple[str, Document]]:
    """Entities by id; what cannot be read is added to the problems. A relationship without an id gets one."""
    seen = set()
    for position, value in enumerate(values):
        if not isinstance(value, Mapping):
            problems.append(FieldProblem(path=f"{path}.{position}", message="must be a mapping"))
            continue
        entity_id = value.get("id")
        if not entity_id and path.endswith("relationships"):
            entity_id = instances.stable_id(value)
            value = {**value, "id": entity_id}
        if not isinstance(entity_id, str) or not 0 < len(entity_id) <= _MAX_ID:
            message = f"must be a text of 1 to {_MAX_ID} characters"
            problems.append(FieldProblem(path=f"{path}.{position}.id", message=message))
        elif entity_id in seen:
            problems.append(FieldProblem(path=f"{path}.{position}.id", message=f"{entity_id} occurs twice"))
        else:
            seen.add(entity_id)
            yield entity_id, value
