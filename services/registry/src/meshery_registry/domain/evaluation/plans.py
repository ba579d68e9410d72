"""What a relationship of a design keeps equal, read from its own selectors.

References may still have `_` when a person drew the relationship: they are anchored to the elements that agree, or
to those that will be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshery_registry.domain.evaluation import instances, namespaces
from meshery_registry.domain.evaluation.definitions import ALIAS_CLASS, WRITABLE, Document, value_of
from meshery_registry.domain.evaluation.paths import EVERY, Path, Walk, value_at
from meshery_registry.domain.evaluation.strategies import EQUAL, Strategies, holds


@dataclass(frozen=True, slots=True)
class Link:
    """One value that is read and one that follows."""

    source: Path
    target: Path
    strategies: Strategies


@dataclass(frozen=True, slots=True)
class Plan:
    """What a relationship keeps equal."""

    source: str
    target: str
    pairs: tuple[Link, ...]
    source_is_from: bool

    def agrees(self, link: Link, source_value: Any, target_value: Any) -> bool:
        """Whether the strategies of a link hold between two values."""
        paths, values = (link.source, link.target), (source_value, target_value)
        if not self.source_is_from:
            paths, values = paths[::-1], values[::-1]
        return holds(link.strategies, *namespaces.compared(link.strategies, paths, values))

    def anchored(self, source: Document, target: Document) -> Plan | None:
        """The plan with the elements of arrays that it means; none when the source has none of them."""
        if not any(EVERY in link.source or EVERY in link.target for link in self.pairs):
            return self
        sources, targets = Walk([one.source for one in self.pairs]), Walk([one.target for one in self.pairs])
        offered = sources.ways(source)
        if not offered:
            return None
        for values, source_where in offered:
            for target_values, target_where in targets.ways(target):
                if all(map(self.agrees, self.pairs, values, target_values)):
                    paths = [targets.concrete(number, target_where) for number in range(len(self.pairs))]
                    return self._with(sources, source_where, paths)
        return self._with(sources, offered[-1][1], [_made(link.target, target) for link in self.pairs])

    def _with(self, sources: Walk, where: tuple[int, ...], targets: list[Path]) -> Plan:
        links = tuple(
            Link(sources.concrete(number, where), targets[number], link.strategies)
            for number, link in enumerate(self.pairs)
        )
        return Plan(self.source, self.target, links, self.source_is_from)


def _made(path: Path, target: Document) -> Path:
    """A path with the last element in place of each `_`, but a new one in place of the innermost."""
    made: Path = ()
    innermost = len(path) - 1 - path[::-1].index(EVERY) if EVERY in path else -1
    for place, segment in enumerate(path):
        if segment == EVERY:
            array = value_at(target, made)
            count = len(array) if isinstance(array, list) else 0
            segment = str(count if place == innermost else max(count - 1, 0))
        made += (segment,)
    return made


def plan_of(relationship: Document) -> Plan | None:
    """What a relationship keeps equal; none when it patches nothing."""
    froms = instances.selector_items(relationship, "from")
    tos = instances.selector_items(relationship, "to")
    if not froms or not tos or instances.class_of(relationship) == ALIAS_CLASS:
        return None  # an alias has nothing of its own that could follow
    from_item, to_item = froms[0], tos[0]
    sources = instances.refs(from_item, "mutatorRef", "mutator_ref")
    targets = instances.refs(to_item, "mutatedRef", "mutated_ref")
    source_is_from = bool(sources and targets)
    if not source_is_from:
        sources = instances.refs(to_item, "mutatorRef", "mutator_ref")
        targets = instances.refs(from_item, "mutatedRef", "mutated_ref")
    ends = value_of(from_item, "id"), value_of(to_item, "id")
    if not (sources and targets) or not all(isinstance(one, str) and one for one in ends):
        return None
    matrix = value_of(from_item, "matchStrategyMatrix", "match_strategy_matrix")
    pairs = tuple(
        Link(source, target, _held(matrix, number))
        for number, (source, target) in enumerate(zip(sources, targets, strict=False))
        if target[0] in WRITABLE
    )
    from_id, to_id = ends
    if not source_is_from:
        from_id, to_id = to_id, from_id
    return Plan(str(from_id), str(to_id), pairs, source_is_from) if pairs else None


def _held(matrix: Any, number: int) -> Strategies:
    row = matrix[number] if isinstance(matrix, list) and number < len(matrix) else None
    known = tuple(one for one in row if isinstance(one, str)) if isinstance(row, list) else ()
    return known or (EQUAL,)
