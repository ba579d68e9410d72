"""CustomResourceDefinitions to components: one per served version, a model per API group.

A schema is written out by the rules for clusters, so that a kind has the same schema whether its CRD was read from a
file or from a cluster that serves it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshery_registry.domain import names
from meshery_registry.domain.entities import ComponentEntity, ModelEntity, Package, Readings, Refusal
from meshery_registry.domain.openapi import description_of, written_out
from meshery_registry.domain.packages.fields import Document, mapping, mappings, switch, text
from meshery_registry.domain.packages.limits import Origin
from meshery_registry.domain.schemas import Inliner, SchemaRefused

_API_GROUP = "apiextensions.k8s.io/"
_KIND = "CustomResourceDefinition"
#: Where a bundle says which release it is, the surest first.
_VERSION_LABELS = ("app.kubernetes.io/version", "helm.sh/chart")
#: What stands under these is no schema. A property of such a name is kept as it is, too: that does no harm.
_VALUES = frozenset({"default", "enum", "example"})
_BUNDLE_VERSION = "/bundle-version"
_REMEDY = "Mend the CRD: `kubectl apply --dry-run=server` tells what a cluster thinks of it."


@dataclass(frozen=True, slots=True)
class LearnedCRD:
    """What one CRD defines."""

    group: str
    release: str
    components: tuple[ComponentEntity, ...]
    refused: tuple[Refusal, ...] = ()


def is_crd(document: Any) -> bool:
    """Whether a document is a CustomResourceDefinition, of either version."""
    return (
        isinstance(document, dict)
        and document.get("kind") == _KIND
        and str(document.get("apiVersion", "")).startswith(_API_GROUP)
    )


def crd_packages(found: Sequence[tuple[str, Document]], origin: Origin) -> Readings:
    """A model for each API group of some CRDs, given with where they stood."""
    groups: dict[str, list[LearnedCRD]] = defaultdict(list)
    for where, document in found:
        learned = learned_crd(document, where)
        groups[learned.group].append(learned)
    packages: list[Package] = []
    refused: list[Refusal] = []
    for group, learned_crds in sorted(groups.items()):
        components, complaints = collected(learned_crds)
        if components:
            model = _model(group, learned_crds, components, origin)
            packages.append(Package(model, components, refused=complaints))
        else:
            refused += complaints
    return Readings(tuple(packages), tuple(refused))


def collected(learned: Iterable[LearnedCRD]) -> tuple[tuple[ComponentEntity, ...], tuple[Refusal, ...]]:
    """The components of some CRDs, each once, and what was refused."""
    components: dict[tuple[str, str], ComponentEntity] = {}
    refused: list[Refusal] = []
    for one in learned:
        refused += one.refused
        for component in one.components:
            known = components.setdefault((component.api_version, component.kind), component)
            if known != component:
                reason = f"Another CRD defines {component.api_version} of it differently."
                refused.append(
                    Refusal("component", component.kind, reason, remedy="Leave one of the CRDs out.")
                )
    return tuple(components[key] for key in sorted(components)), tuple(refused)


def learned_crd(document: Document, where: str) -> LearnedCRD:
    """The components of one CRD: as many as it has served versions."""
    spec = mapping(document, "spec")
    kind = text(mapping(spec, "names"), "kind")
    group = text(spec, "group")
    versions = _versions(spec)
    release = _release(mapping(document, "metadata"))
    wrong = ""
    if not kind or not group:
        wrong = f"`spec.{'names.kind' if group else 'group'}` is missing."
    elif text(spec, "scope") not in ("Namespaced", "Cluster"):
        wrong = "`spec.scope` is neither Namespaced nor Cluster."
    elif not versions:
        wrong = "It serves no version."
    if wrong:
        name = kind or text(mapping(document, "metadata"), "name") or _KIND
        return LearnedCRD(group, release, (), (Refusal("component", name, wrong, where, _REMEDY),))
    default = _default(versions)
    components: list[ComponentEntity] = []
    refused: list[Refusal] = []
    for version in versions:
        try:
            components.append(_component(spec, group, kind, version, is_default=version is default))
        except SchemaRefused as error:
            reason = f"The schema of {text(version, 'name')} was not taken: {error}."
            refused.append(Refusal("component", kind, reason, where, "Make the schema smaller."))
    return LearnedCRD(group, release, tuple(components), tuple(refused))


def _versions(spec: Document) -> list[dict[str, Any]]:
    """The served versions with their schemas, as of `apiextensions.k8s.io/v1`."""
    shared = mapping(spec, "validation")
    versions = list(mappings(spec, "versions"))
    if not versions and text(spec, "version"):
        versions = [{"name": text(spec, "version"), "served": True, "storage": True}]
    served = [one for one in versions if text(one, "name") and switch(one, "served", default=True)]
    return [{**one, "schema": mapping(one, "schema") or shared} for one in served]


def _default(versions: Sequence[Document]) -> Document:
    """The version that objects are stored in, or the newest one if that is not served."""
    stored = [one for one in versions if switch(one, "storage", default=False)]
    return max(stored or versions, key=lambda one: _order(text(one, "name")))


def _order(version: str) -> list[int]:
    return names.version_order(names.model_version(f"group/{version}", "", custom=True))


def _component(
    spec: Document, group: str, kind: str, version: Document, *, is_default: bool
) -> ComponentEntity:
    schema = _without_nulls(mapping(mapping(version, "schema"), "openAPIV3Schema"))
    written, usable = written_out(schema, Inliner({}))
    called = mapping(spec, "names")
    metadata: dict[str, Any] = {
        "names": {
            key: called[key]
            for key in ("plural", "singular", "shortNames", "categories", "listKind")
            if called.get(key)
        },
        "isDefaultVersion": is_default,
    }
    if not usable:
        metadata["hasInvalidSchema"] = True
    if switch(version, "deprecated", default=False):
        metadata["deprecated"] = True
        metadata["deprecationWarning"] = text(version, "deprecationWarning")
    return ComponentEntity(
        kind=kind,
        api_version=f"{group}/{text(version, 'name')}",
        display_name=names.display_name(kind),
        description=description_of(schema),
        schema=written.decode(),
        namespaced=text(spec, "scope") == "Namespaced",
        custom=True,
        metadata=metadata,
    )


def _without_nulls(schema: Any) -> Any:
    """A schema as a server reads it: a key whose value is null is not there. What values hold stays."""
    if isinstance(schema, list):
        return [_without_nulls(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: one if key in _VALUES else _without_nulls(one) for key, one in schema.items() if one is not None
    }


def _release(metadata: Mapping[str, Any]) -> str:
    """The version of the software that a CRD came with, as far as it says."""
    annotations, labels = mapping(metadata, "annotations"), mapping(metadata, "labels")
    for key in annotations:
        if key.endswith(_BUNDLE_VERSION) and text(annotations, key):
            return text(annotations, key)
    for key in _VERSION_LABELS:
        found = text(labels, key) or text(annotations, key)
        if key == "helm.sh/chart":
            # The chart's name may hold hyphens; its version begins with a digit.
            found = next(_tails(found), "")
        if found:
            return found
    return ""


def _tails(chart: str) -> Iterator[str]:
    parts = chart.split("-")
    for position in range(1, len(parts)):
        if parts[position].removeprefix("v")[:1].isdigit():
            yield "-".join(parts[position:])


def _model(
    group: str, learned: Sequence[LearnedCRD], components: Sequence[ComponentEntity], origin: Origin
) -> ModelEntity:
    releases = Counter(one.release for one in learned if one.release)
    newest = max((one.api_version for one in components), key=lambda one: _order(one.rpartition("/")[2]))
    version = origin.version or max(
        releases,
        key=lambda release: (releases[release], names.version_order(release), release),
        default=names.model_version(newest, "", custom=True),
    )
    name = names.model_name(f"{group}/v1", custom=True)
    return ModelEntity(
        name=name,
        version=version,
        display_name=names.model_display_name(name),
        description=f"The kinds of the API group {group}.",
        registrant_kind=origin.registrant_kind or "meshery",
        registrant_name=origin.registrant_name,
        metadata={"source_uri": origin.source_uri} if origin.source_uri else {},
    )
