"""The evaluation of a design: passes until nothing follows any more, of everything or of what a change can touch.

A session holds the state of a design after an evaluation. Evaluating a change of it gives what evaluating the changed
design as a whole would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from meshery_contracts.errors import FieldProblem, Invalid, TooLarge
from meshery_contracts.evaluation import MAX_COMPONENTS, MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import (
    aliases,
    bindings,
    instances,
    pairings,
    parents,
    patches,
    plans,
    siblings,
)
from meshery_registry.domain.evaluation.actions import Action, Log
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.definitions import (
    ALIAS_CLASS,
    INVENTORY,
    Alias,
    Binding,
    Definition,
    Document,
    Pairing,
    Siblings,
    value_of,
)
from meshery_registry.domain.evaluation.instances import DELETED
from meshery_registry.domain.evaluation.state import State, checked

MAX_PASSES: Final = 5
_FIRST_VERSION: Final = "0.0.1"


@dataclass(frozen=True)
class Change:
    """What became of a design since its last evaluation: whole entities."""

    components: tuple[Document, ...] = ()
    removed_components: tuple[str, ...] = ()
    relationships: tuple[Document, ...] = ()
    removed_relationships: tuple[str, ...] = ()
    #: The design's `preferences`; none leaves them.
    preferences: Document | None = None


@dataclass(frozen=True)
class Outcome:
    """What an evaluation led to."""

    actions: list[Action]
    trace: dict[str, list[Any]]
    #: The design with nothing but what the evaluation changed.
    difference: dict[str, Any]


@dataclass
class _Work:
    """What a pass looks at. `everything` outdoes the rest."""

    everything: bool = False
    #: Components that are new or other than they were.
    components: set[str] = field(default_factory=set)
    #: Relationships that may have lost an end, or were marked as deleted.
    relationships: set[str] = field(default_factory=set)
    #: Components whose relationships may have to write to them.
    targets: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.everything or bool(self.components or self.relationships or self.targets)


class Session:
    """A design that was evaluated, ready for changes."""

    def __init__(self, catalogue: Catalogue, design: Document) -> None:
        self._state = State(catalogue, design)
        aliases.resolve(self._state)
        #: What the evaluation of the whole design led to.
        self.first = self._settled(_Work(everything=True))

    @property
    def size(self) -> int:
        """How many entities the design has."""
        return len(self._state.components) + len(self._state.relationships)

    def design(self) -> dict[str, Any]:
        """The whole design as it is now."""
        state = self._state
        return {
            **state.shell,
            "components": list(state.components.values()),
            "relationships": list(state.relationships.values()),
        }

    def change(self, change: Change) -> Outcome:
        """Evaluate what a change leads to. Raises Invalid or TooLarge, and has changed nothing then."""
        components, relationships = self._checked(change)
        state, work = self._state, _Work(everything=self._state.limited)
        for one in change.removed_components:
            if one in state.components and one not in components:
                work.relationships |= state.touching.get(one, set())
                state.remove_component(one)
        for one in change.removed_relationships:
            if one in state.relationships and one not in relationships:
                self._touch(work, one)
                state.remove_relationship(one)
        for one, component in components.items():
            before = state.group_of.get(one)
            state.put_component(one, component)
            if before not in (None, state.group_of[one]):
                # What it held as something else may need another parent.
                work.components |= self._targets_of(one)
            for changed in state.with_aliases(one):
                work.components.add(changed)
                work.relationships |= state.touching.get(changed, set())
        for one, relationship in relationships.items():
            if one in state.relationships:
                self._touch(work, one)
            state.put_relationship(one, relationship)
            self._touch(work, one)
        if change.preferences is not None:
            state.shell["preferences"] = change.preferences
            state.set_preferences(change.preferences)
            work.everything = True
        for one in aliases.resolve(state):
            work.components.add(one)
            work.relationships |= state.touching.get(one, set())
        return self._settled(work)

    def _checked(self, change: Change) -> tuple[dict[str, Document], dict[str, Document]]:
        problems: list[FieldProblem] = []
        components = dict(checked(change.components, "components", problems))
        relationships = dict(checked(change.relationships, "relationships", problems))
        if problems:
            raise Invalid(
                f"The change cannot be evaluated: {problems[0].path} {problems[0].message}.",
                code="change_invalid",
                fields=tuple(problems[:100]),
                remedy="Mend the named places and evaluate again.",
            )
        state = self._state
        new_components = sum(one not in state.components for one in components)
        new_relationships = sum(one not in state.relationships for one in relationships)
        if (
            len(state.components) + new_components > MAX_COMPONENTS
            or len(state.relationships) + new_relationships > MAX_RELATIONSHIPS
        ):
            raise TooLarge(
                f"At most {MAX_COMPONENTS:,} components and {MAX_RELATIONSHIPS:,} relationships are evaluated.",
                code="design_too_large",
                remedy="Split the design into several.",
            )
        return components, relationships

    def _touch(self, work: _Work, relationship_id: str) -> None:
        """Look at a relationship that is changed or goes: at what it writes, and whether its pair is found anew."""
        state = self._state
        work.relationships.add(relationship_id)
        plan = plans.plan_of(state.relationships[relationship_id])
        if plan is not None:
            work.targets.add(plan.target)
            # It finds the pair anew, or lacks what it was inside of.
            work.components.add(plan.target)
            return
        related = state.related(relationship_id)
        # One of those who are left finds the others; who has fewer relationships finds them faster. A part finds none.
        ends = [one for one in related.ends if one in state.components]
        if related.class_key == ALIAS_CLASS:
            work.components.add(related.to_id)
        elif ends:
            work.components.add(min(ends, key=lambda one: (len(state.touching.get(one, ())), one)))

    def _settled(self, work: _Work) -> Outcome:
        """Passes until nothing follows."""
        log = Log()
        for _ in range(MAX_PASSES):
            if work.everything:
                self._state.limited = False
            work = self._pass(log, work)
            if not work:
                break
        else:
            log.remark(f"The design did not come to rest in {MAX_PASSES} passes: evaluate it again.")
        return self._outcome(log)

    def _pass(self, log: Log, work: _Work) -> _Work:
        """One pass over the policies; what the next one must look at."""
        state, follows = self._state, _Work()
        others = self._others(work)
        for one in others:
            if isinstance(one, Alias):
                follows.components.update(aliases.identify(state, log, one))
        if follows.components:
            follows.components |= aliases.resolve(state)
        work.components |= follows.components
        new_parents = self._add_parents(log, work)
        follows.components |= new_parents
        work.components |= new_parents
        touched = None if work.everything else self._touched(work)
        for one in others:
            if isinstance(one, Siblings):
                siblings.identify(state, log, one, touched)
        self._identify(log, work)
        for one in others:
            if isinstance(one, Binding):
                self._bind(log, one, touched)
        changed = self._remove(log, work, follows)
        changed |= patches.settle(state, log, self._candidates(log, work))
        follows.components |= changed
        for component_id in changed:
            follows.relationships |= state.touching.get(component_id, set())
        return follows

    def _touched(self, work: _Work) -> set[str]:
        """Components that are other than they were, gone, or of a relationship that is."""
        touched = set(work.components)
        for relationship_id in work.relationships:
            if relationship_id not in self._state.relationships:
                continue
            ends = self._state.related(relationship_id).ends
            if any(one not in self._state.components for one in ends):
                touched.update(ends)
        return touched

    def _bind(self, log: Log, definition: Binding, touched: set[str] | None) -> None:
        try:
            bindings.identify(self._state, log, definition, touched)
        except bindings.TooMany:
            bindings.identify(self._state, log, definition)

    def _definitions(self) -> Iterable[Definition]:
        off = self._state.off
        return (one for one in self._state.catalogue.definitions if one.class_key not in off)

    def _others(self, work: _Work) -> list[Definition]:
        """The definitions beside pairings that the work touches."""
        if work.everything:
            return [one for one in self._definitions() if not isinstance(one, Pairing)]
        state, found = self._state, dict[str, Definition]()
        groups = {state.group_of[one] for one in work.components if one in state.group_of}
        for relationship_id in work.relationships:
            # A member or a part that is gone: the group and the whole are looked at by those who are left.
            if relationship_id in state.relationships:
                ends = state.related(relationship_id).ends
                groups |= {state.group_of[one] for one in ends if one in state.group_of}
        for group in groups:
            found |= {
                one.key: one for one in state.catalogue.parts(group).others if one.class_key not in state.off
            }
        return [found[key] for key in sorted(found, key=state.catalogue.order.__getitem__)]

    def _add_parents(self, log: Log, work: _Work) -> set[str]:
        added: set[str] = set()
        if work.everything:
            for one in self._definitions():
                if isinstance(one, Pairing) and one.policy == INVENTORY:
                    added.update(parents.add_missing(self._state, log, one))
            return added
        state, children = self._state, dict[str, tuple[Pairing, set[str]]]()
        for component_id in work.components | self._orphans(work):
            if component_id not in state.components:
                continue
            parts = state.catalogue.parts(state.group_of[component_id])
            for one in (*parts.as_from, *parts.as_to):
                if one.policy == INVENTORY and one.class_key not in state.off:
                    children.setdefault(one.key, (one, set()))[1].add(component_id)
        for key in sorted(children, key=state.catalogue.order.__getitem__):
            definition, ids = children[key]
            added.update(parents.add_missing(state, log, definition, sorted(ids)))
        return added

    def _orphans(self, work: _Work) -> set[str]:
        """Components whose parent is gone."""
        state, found = self._state, set[str]()
        for relationship_id in work.relationships:
            if relationship_id not in state.relationships:
                continue
            if all(one in state.components for one in state.related(relationship_id).ends):
                continue
            plan = plans.plan_of(state.relationships[relationship_id])
            if plan is not None and plan.source not in state.components:
                found.add(plan.target)
        return found

    def _identify(self, log: Log, work: _Work) -> None:
        state = self._state
        if not work.everything:
            try:
                for component_id in sorted(one for one in work.components if one in state.components):
                    parts = state.catalogue.parts(state.group_of[component_id])
                    for is_from, definitions in ((True, parts.as_from), (False, parts.as_to)):
                        for one in definitions:
                            if one.class_key not in state.off:
                                pairings.identify_one(state, log, one, component_id, is_from=is_from)
                return
            except pairings.TooMany:
                pass  # near a limit: which pairs are within it shows only when all are looked at
        for definition in self._definitions():
            if isinstance(definition, Pairing):
                pairings.identify(state, log, definition)

    def _remove(self, log: Log, work: _Work, follows: _Work) -> set[str]:
        """Remove relationships that were deleted or lost an end; the components that this changed."""
        state, changed = self._state, set[str]()
        if work.everything:
            suspects = [one for one in state.relationships if one not in log.relationships_added]
        else:
            suspects = [one for one in work.relationships if one in state.relationships]
        waiting = sorted(suspects, reverse=True)
        while waiting:
            one = waiting.pop()
            if one not in state.relationships:
                continue
            document, related = state.relationships[one], state.related(one)
            if related.class_key in state.off:
                continue
            whole = all(end in state.components for end in related.ends)
            is_alias = related.class_key == ALIAS_CLASS
            if instances.status_of(document) == DELETED:
                if whole and not is_alias:
                    changed |= patches.undo(state, log, one)
            elif aliases.is_valid(state, one) if is_alias else whole:
                continue
            self._touch(follows, one)
            work.targets |= follows.targets
            state.remove_relationship(one)
            log.relationship_removed(one, document)
            log.count(patches.policy_of(document), "removed")
            if is_alias:
                # What is related to an alias goes with it.
                waiting += sorted(state.touching.get(related.from_id, ()), reverse=True)
                self._remove_alias(log, follows, related.from_id)
        follows.components = {one for one in follows.components if one in state.components}
        follows.relationships = {one for one in follows.relationships if one in state.relationships}
        follows.targets.clear()
        return changed

    def _remove_alias(self, log: Log, follows: _Work, alias_id: str) -> None:
        state = self._state
        if alias_id in state.components:
            log.component_removed(alias_id, state.components[alias_id])
            state.remove_component(alias_id)
        follows.components |= aliases.resolve(state)

    def _candidates(self, log: Log, work: _Work) -> set[str]:
        """Relationships that may not hold: new ones do."""
        state = self._state
        if work.everything:
            return set(state.relationships) - log.relationships_added
        targets = set(work.targets)
        for component_id in work.components:
            targets |= {component_id, *self._targets_of(component_id)}
        found: set[str] = set()
        for one in targets:
            found |= state.touching.get(one, set())
        return found

    def _targets_of(self, component_id: str) -> set[str]:
        """The components that follow a component."""
        state = self._state
        found = (plans.plan_of(state.relationships[one]) for one in state.touching.get(component_id, ()))
        return {plan.target for plan in found if plan is not None and plan.source == component_id}

    def _outcome(self, log: Log) -> Outcome:
        state = self._state
        actions = log.actions(state.components, state.relationships)
        shell = state.shell
        if actions:
            shell["version"] = next_version(shell.get("version"))
        table = aliases.table(state)
        metadata = value_of(shell, "metadata") or {}
        if table or value_of(metadata, "resolvedAliases"):
            shell["metadata"] = {**metadata, "resolvedAliases": table}
        return Outcome(
            actions,
            log.trace(state.components, state.relationships),
            {
                **shell,
                "components": [state.components[one] for one in log.changed_components],
                "relationships": [state.relationships[one] for one in log.changed_relationships],
            },
        )


def next_version(version: Any) -> str:
    """The version one patch further; the first one after something that is none."""
    text = version if isinstance(version, str) else ""
    major, _, rest = text.rpartition(".")
    return f"{major}.{int(rest) + 1}" if major and rest.isdecimal() and len(rest) < 18 else _FIRST_VERSION
