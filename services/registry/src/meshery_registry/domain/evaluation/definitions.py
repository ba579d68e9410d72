"""Relationship definitions, ready to be evaluated: one class for each way in which things belong together.

Definitions know nothing of designs; `compiling` makes them of documents.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from meshery_registry.domain.evaluation import strategies
from meshery_registry.domain.evaluation.paths import EVERY, Path
from meshery_registry.domain.evaluation.sides import Group, Selector, Side, Use
from meshery_registry.domain.evaluation.strategies import Strategies

Document = Mapping[str, Any]

SELF: Final = "self"
_MAX_DENIALS: Final = 10_000
ALIAS_CLASS: Final = "hierarchical-parent-alias"
#: Where a definition may write.
WRITABLE: Final = ("configuration", "displayName", "metadata", "styles")

SIBLING, ALIAS, EDGE, BINDING, INVENTORY, WALLET = POLICIES = (
    "sibling",
    "alias",
    "edge-non-binding",
    "edge-binding",
    "parent-inventory",
    "parent-wallet",
)


@dataclass(frozen=True, eq=False)
class Definition:
    """What all classes share. Definitions are told apart by `key`: their content without ids, texts and looks."""

    key: str
    policy: str
    kind: str
    type: str
    sub_type: str
    from_selector: Selector
    to_selector: Selector
    #: What an instance begins with, and the parts of its two selectors that the definition gives.
    shared: Document
    from_shared: Document
    to_shared: Document
    denied: tuple[tuple[Selector, Selector], ...]
    #: What `denies` has found before.
    denials: dict[tuple[Group, Group], bool] = field(default_factory=dict, kw_only=True)

    @cached_property
    def class_key(self) -> str:
        """Kind, type and sub-type, as `preferences.layers.relationships` names them."""
        return class_key(self.kind, self.type, self.sub_type)

    def denies(self, from_group: Group, to_group: Group) -> bool:
        """Whether these two may not be related."""
        known = self.denials.get((from_group, to_group))
        if known is None:
            known = any(a.means(from_group) and b.means(to_group) for a, b in self.denied)
            if len(self.denials) < _MAX_DENIALS:
                self.denials[from_group, to_group] = known
        return known


@dataclass(frozen=True, eq=False)
class Pairing(Definition):
    """Two parties whose values agree; the value of the mutator is written to the other when it does not."""

    from_side: Side
    to_side: Side
    strategies: tuple[Strategies, ...]
    mutator_is_from: bool
    #: The selectors of instances by the elements that they mean, as `instances` makes them.
    parts: dict[Hashable, tuple[Document, Document]] = field(default_factory=dict)

    @cached_property
    def wild(self) -> bool:
        """Whether arrays are walked through, so that an instance must say which elements it means."""
        return bool(self.from_side.walk.slots or self.to_side.walk.slots)

    @cached_property
    def patterned(self) -> bool:
        """Whether a selector means several kinds by a pattern, so that an instance must name one."""
        return self.from_selector.is_pattern or self.to_selector.is_pattern

    @cached_property
    def mixed(self) -> bool:
        """Whether tables do not tell all: they ask for one strategy of each value, and for some not at all."""
        return any(
            len(set(one) - {strategies.NOT_NULL}) > 1 or not strategies.ASKED.isdisjoint(one)
            for one in self.strategies
        )

    @cached_property
    def maps(self) -> bool:
        """Whether mappings are compared, of which one holds the other."""
        return Use.SMALL in self.from_side.uses

    @cached_property
    def general(self) -> frozenset[tuple[Path, Path]]:
        """Which values are compared: tells definitions of one class between the same two components apart."""
        return general(zip(self.from_side.paths, self.to_side.paths, strict=True))


@dataclass(frozen=True, eq=False)
class Binding(Definition):
    """Two parties and a third, which names both."""

    through: Selector
    from_side: Side
    through_from_side: Side
    through_to_side: Side
    to_side: Side


@dataclass(frozen=True, eq=False)
class Siblings(Definition):
    """Components that share an entry of a mapping."""

    refs: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Alias(Definition):
    """A part of a component that is shown as a component: `from` is the part, `to` the whole."""

    path: Path


def class_key(kind: str, type_: str, sub_type: str) -> str:
    """The name of a relationship class."""
    return f"{kind}-{type_}-{sub_type}".lower()


def general(pairs: Iterable[tuple[Path, Path]]) -> frozenset[tuple[Path, Path]]:
    """Pairs of paths with `_` in place of every index."""
    return frozenset((_general(a), _general(b)) for a, b in pairs)


def _general(path: Path) -> Path:
    return tuple(EVERY if segment.isdigit() else segment for segment in path)


def value_of(document: Any, camel: str, snake: str = "") -> Any:
    """A field in either spelling; none of what is no mapping."""
    if type(document) is not dict and not isinstance(document, Mapping):
        return None
    value = document.get(camel)
    return document.get(snake) if value is None and snake else value
