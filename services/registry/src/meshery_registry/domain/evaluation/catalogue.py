"""All definitions of an organisation, compiled, and which of them a kind of component takes part in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshery_registry.domain.evaluation.compiling import compiled
from meshery_registry.domain.evaluation.definitions import Binding, Definition, Document, Pairing
from meshery_registry.domain.evaluation.sides import Group, Selector

#: Finds the definition of a component by kind and name of the model (empty for any).
Lookup = Callable[[str, str], Mapping[str, Any] | None]
_MAX_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the components of one group take part in."""

    as_from: tuple[Pairing, ...]
    as_to: tuple[Pairing, ...]
    others: tuple[Definition, ...]


class Catalogue:
    """Compiled once, shared by every evaluation; what it remembers depends on nothing but its definitions."""

    def __init__(self, documents: Iterable[Document], lookup: Lookup | None = None) -> None:
        result = compiled(documents)
        self.definitions = result.definitions
        #: One text for each definition that is not evaluated.
        self.refused = result.refused
        self.lookup: Lookup = lookup or (lambda _kind, _model: None)
        #: The place of each definition, by its key.
        self.order = {one.key: place for place, one in enumerate(self.definitions)}
        self._parts: dict[Group, Parts] = {}
        self._means: dict[tuple[Selector, Group], bool] = {}

    def means(self, selector: Selector, group: Group) -> bool:
        """Whether a selector means the components of a group."""
        known = self._means.get((selector, group))
        if known is None:
            if len(self._means) > _MAX_REMEMBERED:
                self._means.clear()
            known = self._means[selector, group] = selector.means(group)
        return known

    def parts(self, group: Group) -> Parts:
        """What the components of a group take part in."""
        known = self._parts.get(group)
        if known is None:
            if len(self._parts) > _MAX_REMEMBERED:
                self._parts.clear()
            known = self._parts[group] = self._found(group)
        return known

    def _found(self, group: Group) -> Parts:
        as_from, as_to, others = [], [], []
        for one in self.definitions:
            is_from, is_to = self.means(one.from_selector, group), self.means(one.to_selector, group)
            if isinstance(one, Pairing):
                if is_from:
                    as_from.append(one)
                if is_to:
                    as_to.append(one)
            elif is_from or is_to or (isinstance(one, Binding) and self.means(one.through, group)):
                others.append(one)
        return Parts(tuple(as_from), tuple(as_to), tuple(others))
