"""Values that follow: where an approved relationship does not hold, the mutator's value is written; where one is
deleted, it is taken back.

A place at which another relationship holds is not overwritten, so that two relationships never fight over it. What
was written is passed on at once to those who read it. Each relationship writes a few times at most: values that go
round in a circle come to rest or are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from meshery_registry.domain.evaluation import defaults, instances
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import (
    ALIAS,
    BINDING,
    EDGE,
    INVENTORY,
    SIBLING,
    WALLET,
    Document,
    value_of,
)
from meshery_registry.domain.evaluation.instances import DELETED, IGNORED
from meshery_registry.domain.evaluation.paths import BadPath, Path, value_at, without
from meshery_registry.domain.evaluation.plans import Link, Plan, plan_of
from meshery_registry.domain.evaluation.state import State
from meshery_registry.domain.evaluation.strategies import AS_TEXT, CONTAINED, Mode, key_of, mended, text_of

#: How often one relationship writes in one pass: a value that goes round in a circle stops there.
_MAX_WRITES: Final = 3
#: How often those are tried again that waited for another one.
_MAX_ROUNDS: Final = 20
_CONFIGURATION: Final = "configuration"


def settle(state: State, log: Log, candidates: Iterable[str]) -> set[str]:
    """Write what the candidates and whoever reads from them need; the components that changed."""
    mender = _Mender(state, log)
    mender.settle(candidates)
    return mender.changed


def undo(state: State, log: Log, relationship_id: str) -> set[str]:
    """Take back what a deleted relationship has written; the components that changed."""
    mender = _Mender(state, log)
    mender.undo(relationship_id)
    return mender.changed


class _Mender:
    """One round of writing."""

    def __init__(self, state: State, log: Log) -> None:
        self._state = state
        self._log = log
        self._plans: dict[str, Plan | None] = {}
        self._writes: Counter[str] = Counter()
        #: Where relationships hold, by component, until something is written.
        self._claims: dict[str, tuple[set[Path], set[Path]]] = {}
        self.changed: set[str] = set()

    def settle(self, candidates: Iterable[str]) -> None:
        waiting = self._sources_first([one for one in sorted(candidates) if self._failing(one)])
        for _ in range(_MAX_ROUNDS):
            before = self._writes.total()
            for one in waiting:
                self._flow(one)
            waiting = [one for one in waiting if self._failing(one)]
            if not waiting or self._writes.total() == before:
                break
        for one in waiting:
            plan = self._plan(one)
            if plan is not None:
                self._log.remark(
                    f"The relationship {one} does not hold between {plan.source} and {plan.target}: another one holds "
                    "at the same place, or nothing can be written there."
                )

    def undo(self, relationship_id: str) -> None:
        plan = self._plan(relationship_id)
        if plan is None:
            return
        for link in plan.pairs:
            if link.target[0] != _CONFIGURATION:
                continue  # a name is not taken back: a component without one is worth nothing
            source, _ = self._values(plan, link)
            for path, wanted in _leaves(plan, link, source):
                there = value_at(self._state.view(plan.target), path)
                same = there is not None and key_of(there) == key_of(wanted)
                if not same and AS_TEXT in link.strategies:
                    same = there is not None and text_of(there) == text_of(wanted)
                if same and not self._claimed(plan.target, path):
                    self._remove(plan.target, path)

    def _remove(self, component_id: str, path: Path) -> None:
        component_id, path = self._state.place(component_id, path)
        component = self._state.components[component_id]
        default = defaults.default_at(component, path)
        if default is not None:
            self._written(component_id, path, default)
            return
        fewer = without(component, path)
        gone = next(path[:end] for end in range(1, len(path) + 1) if value_at(fewer, path[:end]) is None)
        self._state.put_component(component_id, fewer)
        self._log.component_written(component_id, gone, None, "replace")
        self._note(component_id)

    def _plan(self, relationship_id: str) -> Plan | None:
        """What a relationship keeps equal now; none when an end is gone or it patches nothing."""
        if relationship_id not in self._plans:
            document = self._state.relationships[relationship_id]
            quiet = self._state.related(relationship_id).class_key in self._state.off
            self._plans[relationship_id] = None if quiet else plan_of(document)
        plan = self._plans[relationship_id]
        components = self._state.components
        if plan is None or plan.source not in components or plan.target not in components:
            return None
        return plan.anchored(self._state.view(plan.source), self._state.view(plan.target))

    def _live(self, relationship_id: str) -> Plan | None:
        status = instances.status_of(self._state.relationships[relationship_id])
        return None if status in (DELETED, IGNORED) else self._plan(relationship_id)

    def _values(self, plan: Plan, link: Link) -> tuple[Any, Any]:
        return (
            value_at(self._state.view(plan.source), link.source),
            value_at(self._state.view(plan.target), link.target),
        )

    def _failing(self, relationship_id: str) -> list[Link]:
        """What a relationship would have to write."""
        plan = self._live(relationship_id)
        if plan is None or plan.source == plan.target:
            return []
        failing = []
        for link in plan.pairs:
            source, target = self._values(plan, link)
            if (
                source is not None
                and not plan.agrees(link, source, target)
                and self._mended(plan, link) is not None
            ):
                failing.append(link)
        return failing

    def _mended(self, plan: Plan, link: Link) -> tuple[Any, Mode] | None:
        source, target = self._values(plan, link)
        return mended(link.strategies, source, target, mutator_is_from=plan.source_is_from)

    def _flow(self, relationship_id: str) -> None:
        """Write, then let those write who read from there, and so on."""
        stack = [relationship_id]
        while stack:
            one = stack.pop()
            if self._writes[one] >= _MAX_WRITES or not self._write(one):
                continue
            self._writes[one] += 1
            plan = self._plans[one]
            assert plan is not None  # noqa: S101 - it has just been written by
            for component_id in self._state.with_aliases(
                self._state.place(plan.target, (_CONFIGURATION,))[0]
            ):
                readers = sorted(self._state.touching.get(component_id, ()), reverse=True)
                stack += [reader for reader in readers if self._reads(reader, component_id)]

    def _reads(self, relationship_id: str, component_id: str) -> bool:
        plan = self._live(relationship_id)
        return plan is not None and plan.source == component_id and bool(self._failing(relationship_id))

    def _write(self, relationship_id: str) -> bool:
        wrote = False
        for link in self._failing(relationship_id):
            plan = self._live(relationship_id)
            if plan is None:
                return wrote
            fix = self._mended(plan, link)
            if fix is None or self._taken(plan, link, fix):
                continue
            try:
                self._written(plan.target, link.target, *fix)
            except BadPath as error:
                self._log.remark(
                    f"The relationship {relationship_id} cannot write to {plan.target}: {error}."
                )
                continue
            self._log.count(policy_of(self._state.relationships[relationship_id]), "updated")
            wrote = True
        return wrote

    def _taken(self, plan: Plan, link: Link, fix: tuple[Any, Mode]) -> bool:
        """Whether another relationship holds at a place that would change."""
        value, mode = fix
        paths = [link.target]
        if mode == "merge":
            there = self._values(plan, link)[1]
            there = there if isinstance(there, Mapping) else {}
            paths = [(*link.target, key) for key in value if key_of(value[key]) != key_of(there.get(key))]
        return any(self._claimed(plan.target, path) for path in paths)

    def _claimed(self, component_id: str, path: Path) -> bool:
        """Whether a live relationship holds at a path of a component, or at a part of it."""
        claims = self._claims.get(component_id)
        if claims is None:
            claims = self._claims[component_id] = self._claims_on(component_id)
        leaves, parts = claims
        return path in parts or any(path[:end] in leaves for end in range(1, len(path)))

    def _claims_on(self, component_id: str) -> tuple[set[Path], set[Path]]:
        """The places of a component at which relationships hold, and all that they are inside of."""
        leaves: set[Path] = set()
        for one in self._state.touching.get(component_id, ()):
            plan = self._live(one)
            if plan is None or plan.target != component_id:
                continue
            for link in plan.pairs:
                source, target = self._values(plan, link)
                if source is not None and plan.agrees(link, source, target):
                    leaves.update(path for path, _ in _leaves(plan, link, source))
        return leaves, {leaf[:end] for leaf in leaves for end in range(1, len(leaf) + 1)}

    def _written(self, component_id: str, path: Path, value: Any, mode: Mode = "replace") -> None:
        component_id, path = self._state.write(component_id, path, value, mode)
        self._log.component_written(component_id, path, value, mode)
        self._note(component_id)

    def _note(self, component_id: str) -> None:
        self._claims.clear()
        self.changed.update(self._state.with_aliases(component_id))

    def _sources_first(self, failing: list[str]) -> list[str]:
        """The failing relationships so that who writes a component comes before who reads it, circles aside."""
        writers: dict[str, list[str]] = {}
        for one in failing:
            plan = self._plans[one]
            if plan is not None:
                writers.setdefault(plan.target, []).append(one)
        ordered: dict[str, None] = {}
        begun: set[str] = set()
        for first in failing:
            stack = [first]
            while stack:
                one = stack[-1]
                plan = self._plans[one]
                waits = [] if one in begun or plan is None else writers.get(plan.source, [])
                begun.add(one)
                waits = [other for other in waits if other not in begun]
                if waits:
                    stack += waits
                else:
                    ordered[stack.pop()] = None
        return list(ordered)


def _leaves(plan: Plan, link: Link, source: Any) -> list[tuple[Path, Any]]:
    """The places of the target that a link decides, each with its value: single entries of a merged mapping."""
    if CONTAINED in link.strategies and plan.source_is_from:
        return (
            [((*link.target, key), value) for key, value in source.items()]
            if isinstance(source, dict)
            else []
        )
    return [(link.target, source)]


def policy_of(relationship: Document) -> str:
    """The policy that a relationship of a design belongs to."""
    kind, type_, sub_type = (
        str(value_of(relationship, *names) or "").lower()
        for names in (("kind",), ("type",), ("subType", "sub_type"))
    )
    if "sibling" in (kind, type_):
        return SIBLING
    if kind == "hierarchical":
        return {"inventory": INVENTORY, "wallet": WALLET, "alias": ALIAS}.get(sub_type, EDGE)
    return BINDING if type_ == "binding" else EDGE
