"""What an evaluation did, as its net effect: the list of actions that clients apply, and the trace.

What was added and removed again in one evaluation did not happen; what was removed and added again was replaced.
The order depends on ids and paths only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshery_registry.domain.evaluation.definitions import Document
from meshery_registry.domain.evaluation.instances import IDENTIFIED
from meshery_registry.domain.evaluation.paths import Path
from meshery_registry.domain.evaluation.strategies import Mode

Action = dict[str, Any]


@dataclass
class Log:
    """Collects what happens."""

    components_added: set[str] = field(default_factory=set)
    components_removed: dict[str, Document] = field(default_factory=dict)
    #: Value and mode by component and path.
    written: dict[tuple[str, Path], tuple[Any, Mode]] = field(default_factory=dict)
    relationships_added: set[str] = field(default_factory=set)
    relationships_removed: dict[str, Document] = field(default_factory=dict)
    #: Value by relationship and path.
    relationship_updates: dict[tuple[str, str], Any] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    policies: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, policy: str, what: str, number: int = 1) -> None:
        """Count what a policy did: `added`, `updated` or `removed`."""
        self.policies.setdefault(policy, Counter())[what] += number

    def remark(self, text: str) -> None:
        """Something that people should know of."""
        if len(self.warnings) < 1000:
            self.warnings[text] = None

    def component_added(self, component_id: str) -> None:
        """A component is new; one that was removed before is removed and added."""
        self.components_added.add(component_id)

    def component_removed(self, component_id: str, component: Document) -> None:
        """A component is gone."""
        for place in [one for one in self.written if one[0] == component_id]:
            del self.written[place]
        if component_id in self.components_added:
            self.components_added.discard(component_id)
        else:
            self.components_removed[component_id] = component

    def component_written(self, component_id: str, path: Path, value: Any, mode: Mode) -> None:
        """A value of a component was set; none when it was removed."""
        before = self.written.get((component_id, path))
        if mode == "merge" and before is not None and isinstance(before[0], Mapping):
            value, mode = {**before[0], **value}, before[1]
        self.written[component_id, path] = value, mode

    def relationship_added(self, relationship_id: str) -> None:
        """A relationship is new; one that was removed before is removed and added."""
        self.relationships_added.add(relationship_id)

    def relationship_removed(self, relationship_id: str, relationship: Document) -> None:
        """A relationship is gone."""
        for place in [one for one in self.relationship_updates if one[0] == relationship_id]:
            del self.relationship_updates[place]
        if relationship_id in self.relationships_added:
            self.relationships_added.discard(relationship_id)
        else:
            self.relationships_removed[relationship_id] = relationship

    def relationship_updated(self, relationship_id: str, path: str, value: Any) -> None:
        """A field of a relationship was set."""
        if relationship_id not in self.relationships_added:
            self.relationship_updates[relationship_id, path] = value

    @property
    def changed_components(self) -> list[str]:
        """Components that are new or other than they were, in the order of their ids."""
        return sorted(self.components_added | {one for one, _ in self.written})

    @property
    def changed_relationships(self) -> list[str]:
        """Relationships that are new or other than they were, in the order of their ids."""
        return sorted(self.relationships_added | {one for one, _ in self.relationship_updates})

    def actions(
        self, components: Mapping[str, Document], relationships: Mapping[str, Document]
    ) -> list[Action]:
        """What a client does to get the same design."""
        added = [relationships[one] for one in sorted(self.relationships_added)]
        new = self.components_added
        return [
            *(
                {"op": "delete_component", "value": {"id": one, "component": self.components_removed[one]}}
                for one in sorted(self.components_removed)
            ),
            *({"op": "add_component", "value": {"item": components[one]}} for one in sorted(new)),
            *(_write(*one, *self.written[one]) for one in sorted(self.written) if one[0] not in new),
            *(
                {
                    "op": "delete_relationship",
                    "value": {"id": one, "relationship": self.relationships_removed[one]},
                }
                for one in sorted(self.relationships_removed)
            ),
            *[{"op": "add_relationship", "value": {"item": {**one, "status": IDENTIFIED}}} for one in added],
            *[
                {
                    "op": "update_relationship",
                    "value": {"id": one["id"], "path": "/status", "value": one["status"]},
                }
                for one in added
            ],
            *(
                {"op": "update_relationship", "value": {"id": one, "path": path, "value": value}}
                for (one, path), value in sorted(self.relationship_updates.items(), key=lambda item: item[0])
            ),
        ]

    def trace(
        self, components: Mapping[str, Document], relationships: Mapping[str, Document]
    ) -> dict[str, list[Any]]:
        """What became of which entity."""
        updated = {one for one, _ in self.written} - self.components_added
        relationships_updated = {one for one, _ in self.relationship_updates}
        return {
            "componentsAdded": [components[one] for one in sorted(self.components_added)],
            "componentsRemoved": [self.components_removed[one] for one in sorted(self.components_removed)],
            "componentsUpdated": [components[one] for one in sorted(updated)],
            "relationshipsAdded": [relationships[one] for one in sorted(self.relationships_added)],
            "relationshipsRemoved": [
                self.relationships_removed[one] for one in sorted(self.relationships_removed)
            ],
            "relationshipsUpdated": [relationships[one] for one in sorted(relationships_updated)],
            "policyActions": [
                {
                    "policy": policy,
                    "added": counts["added"],
                    "updated": counts["updated"],
                    "removed": counts["removed"],
                }
                for policy, counts in sorted(self.policies.items())
            ],
            "warnings": sorted(self.warnings),
        }


def _write(component_id: str, path: Path, value: Any, mode: Mode) -> Action:
    op = "update_component_configuration" if path[0] == "configuration" else "update_component"
    return {"op": op, "value": {"id": component_id, "path": list(path), "value": value, "mode": mode}}
