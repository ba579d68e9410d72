"""The kinds that a cluster serves, as one frozen value to look things up in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from meshery_kube.errors import KubeError
from meshery_kube.kinds import Kind

_TWINS: Mapping[tuple[str, str], str] = {
    # The same objects under a second group: (group, plural) → the group where we look at them.
    ("events.k8s.io", "events"): "",
    ("extensions", "daemonsets"): "apps",
    ("extensions", "deployments"): "apps",
    ("extensions", "replicasets"): "apps",
    ("extensions", "ingresses"): "networking.k8s.io",
    ("extensions", "networkpolicies"): "networking.k8s.io",
    ("extensions", "podsecuritypolicies"): "policy",
}


class KindNotServed(KubeError):
    """The cluster serves no such kind: its CRD is missing, or the version is gone."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f"the cluster serves no {kind} of {api_version}")
        self.api_version = api_version
        self.kind = kind


@dataclass(frozen=True)
class Catalogue:
    """All served kinds in all versions, preferred version of each group first.

    `incomplete` names the group versions whose server did not answer: kinds of theirs are missing
    here though they may exist. Two catalogues are equal when the kinds are.
    """

    kinds: tuple[Kind, ...]
    incomplete: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def _by_type(self) -> dict[tuple[str, str], Kind]:
        found: dict[tuple[str, str], Kind] = {}
        for kind in self.kinds:
            found.setdefault((kind.api_version, kind.kind), kind)
        return found

    @cached_property
    def _by_plural(self) -> dict[tuple[str, str], list[Kind]]:
        found: dict[tuple[str, str], list[Kind]] = {}
        for kind in self.kinds:
            found.setdefault((kind.group, kind.plural), []).append(kind)
        return found

    def find(self, api_version: str, kind: str) -> Kind:
        """The kind of a manifest. Raises KindNotServed."""
        try:
            return self._by_type[api_version, kind]
        except KeyError:
            raise KindNotServed(api_version, kind) from None

    def preferred(self, group: str, kind: str) -> Kind:
        """The kind in the version that the server prefers. Raises KindNotServed."""
        for found in self.kinds:
            if found.group == group and found.kind == kind:
                return found
        raise KindNotServed(group or "v1", kind)

    def versions(self, group: str, plural: str) -> tuple[Kind, ...]:
        """All versions of `plural`, preferred one first; empty when it is not served."""
        return tuple(self._by_plural.get((group, plural), ()))

    def preferred_with(self, *verbs: str) -> tuple[Kind, ...]:
        """One version of each kind, the first that serves all of `verbs`, no object twice."""
        chosen: dict[tuple[str, str], Kind] = {}
        for key, versions in self._by_plural.items():
            fitting = next((kind for kind in versions if kind.can(*verbs)), None)
            if fitting is not None:
                chosen[key] = fitting
        return tuple(
            kind
            for (group, plural), kind in chosen.items()
            if (_TWINS.get((group, plural), group), plural) not in chosen or (group, plural) not in _TWINS
        )

    def watchable(self) -> tuple[Kind, ...]:
        """What a live picture consists of: kinds with list and watch, each object once."""
        return self.preferred_with("list", "watch")


def catalogue_of(kinds: Iterable[Kind], incomplete: Iterable[str] = ()) -> Catalogue:
    """Keep the order within a group, which is the server's preference; sort the groups."""
    ordered = sorted(kinds, key=lambda kind: kind.group)
    return Catalogue(tuple(ordered), tuple(sorted(set(incomplete))))
