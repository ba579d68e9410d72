"""Kubernetes documents to components and back.

Nothing is dropped: a document whose kind the registry does not know becomes a component with status `open`, and
a note says so. What a cluster has written into an object is left out: it means nothing in another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from meshery_contracts.clusters import ObjectReference
from meshery_contracts.designs import ImportNote
from meshery_contracts.errors import FieldProblem, Invalid
from meshery_contracts.registry import ResolvedKind
from meshery_designs.domain.design_files import COMPONENT_SCHEMA_VERSION, MAX_COMPONENTS

CRD = "CustomResourceDefinition.apiextensions.k8s.io"
DESIGN_LABEL = "design.meshery.io/id"
VERSION_ANNOTATION = "design.meshery.io/version"
COMPONENT_ANNOTATION = "component.meshery.io/id"

#: What a cluster writes into an object and a design must not carry.
CLUSTER_METADATA = frozenset(
    {
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"),
        *("managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"),
    }
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOT_CONFIGURATION = ("apiVersion", "kind", "status")


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes document, and which one of the file it is, from 1."""

    position: int
    content: dict[str, Any]

    @property
    def kind(self) -> tuple[str, str]:
        """apiVersion and kind."""
        return self.content["apiVersion"], self.content["kind"]

    @property
    def name(self) -> str:
        """metadata.name, or metadata.generateName."""
        metadata = self.content["metadata"]
        return str(metadata.get("name") or metadata["generateName"])

    @property
    def fixed_name(self) -> bool:
        """Whether it bears a name of its own rather than the beginning of one."""
        return bool(self.content["metadata"].get("name"))


def manifests_of(documents: Sequence[Any]) -> list[Manifest]:
    """The Kubernetes documents of a file; lists are opened. Raises Invalid naming each that is none."""
    problems: list[FieldProblem] = []
    found: list[Manifest] = []
    for position, document in enumerate(documents, start=1):
        for content in _opened(document):
            complaint = _complaint(content)
            if complaint:
                problems.append(FieldProblem(path=f"document {position}", message=complaint))
            else:
                found.append(Manifest(position, content))
    if len(found) > MAX_COMPONENTS:
        problems.append(FieldProblem(path="file", message=f"it holds more than {MAX_COMPONENTS} objects"))
    if problems:
        raise Invalid(
            f"{problems[0].path.capitalize()} cannot be imported: {problems[0].message}.",
            code="manifest_invalid",
            fields=tuple(problems[:100]),
            cause="A Kubernetes document names apiVersion, kind and metadata.name.",
            remedy="Mend or leave out the named documents.",
        )
    return found


def components_of(
    manifests: Sequence[Manifest],
    kinds: Mapping[tuple[str, str], ResolvedKind],
    new_id: Callable[[], UUID],
) -> tuple[list[dict[str, Any]], list[ImportNote]]:
    """A component for each manifest, and what a person should know about some of them."""
    components: list[dict[str, Any]] = []
    notes: list[ImportNote] = []
    first_of: dict[ObjectReference, int] = {}
    for manifest in manifests:
        known = kinds.get(manifest.kind)
        if known is None or known.component_id is None:
            known = None
            notes.append(_note(manifest, _unknown(manifest)))
        component = _component(manifest, known, new_id())
        components.append(component)
        if not manifest.fixed_name:
            notes.append(_note(manifest, "With generateName it could not be applied twice: it gets a name."))
            continue
        reference = reference_of(manifest.content, namespaced=known is None or known.namespaced)
        if reference in first_of:
            notes.append(
                _note(
                    manifest, f"Document {first_of[reference]} declares the same object: remove one of them."
                )
            )
        first_of.setdefault(reference, manifest.position)
    return components, notes


def _note(manifest: Manifest, message: str) -> ImportNote:
    return ImportNote(
        document=manifest.position, reference=f"{manifest.kind[1]}/{manifest.name}", message=message
    )


def _unknown(manifest: Manifest) -> str:
    version, kind = manifest.kind
    return (
        f"The registry does not know {kind} of {version} yet: kept as it is, not validated. "
        "Connect a cluster that serves it, or import its model."
    )


def _component(manifest: Manifest, known: ResolvedKind | None, component_id: UUID) -> dict[str, Any]:
    version, kind = manifest.kind
    configuration = {key: value for key, value in manifest.content.items() if key not in _NOT_CONFIGURATION}
    configuration["metadata"] = _own_metadata(manifest.content["metadata"])
    model = known.model.model_dump(mode="json") if known is not None and known.model else None
    return {
        "id": str(component_id),
        "schemaVersion": COMPONENT_SCHEMA_VERSION,
        "version": "v1.0.0",
        "displayName": manifest.name or kind,
        "description": "",
        "format": "JSON",
        "modelReference": model,
        "styles": {},
        "status": "enabled" if known is not None else "open",
        "metadata": {
            "genealogy": "",
            "isAnnotation": False,
            "isNamespaced": known.namespaced if known is not None else True,
            "published": False,
            "instanceDetails": {},
            "configurationUISchema": "",
        },
        "configuration": configuration,
        "component": {"version": version, "kind": kind, "schema": ""},
    }


def is_deployable(component: Mapping[str, Any]) -> bool:
    """Whether a component stands for an object in a cluster: annotations and ignored ones do not."""
    metadata = component.get("metadata") or {}
    return not metadata.get("isAnnotation") and component.get("status") != "ignored"


def object_of(component: Mapping[str, Any], *, design_id: UUID | None, version: int) -> dict[str, Any]:
    """The Kubernetes object that a component declares, marked as this design's."""
    inner = component["component"]
    configuration = component.get("configuration") or {}
    metadata = dict(configuration.get("metadata") or {})
    generated = metadata.pop("generateName", None)
    if not metadata.get("name"):
        # The same in every run, so that a run that is repeated makes no second object.
        begun = f"{generated}{str(component['id'])[:8]}" if generated else None
        metadata["name"] = begun or str(component.get("displayName") or "")
    if design_id is not None:
        metadata["labels"] = {**(metadata.get("labels") or {}), DESIGN_LABEL: str(design_id)}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            VERSION_ANNOTATION: str(version),
            COMPONENT_ANNOTATION: str(component["id"]),
        }
    own = {key: value for key, value in configuration.items() if key not in _NOT_CONFIGURATION}
    return {"apiVersion": inner.get("version") or "v1", "kind": inner["kind"], **own, "metadata": metadata}


def group_kind(api_version: str, kind: str) -> str:
    """A kind in kubectl's notation, `Deployment.apps`: two groups may have kinds of one name."""
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind


def reference_of(content: Mapping[str, Any], *, namespaced: bool = True) -> ObjectReference:
    """What an object is called. A namespaced one without a namespace goes to `default`."""
    metadata = content.get("metadata") or {}
    return ObjectReference(
        api_version=content["apiVersion"],
        kind=content["kind"],
        namespace=str(metadata.get("namespace") or "default") if namespaced else "",
        name=str(metadata.get("name") or ""),
    )


def _own_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in metadata.items() if key not in CLUSTER_METADATA}
    annotations = own.get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        own["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return own


def _opened(document: Any) -> Iterator[Any]:
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        if isinstance(items, list):
            kind = str(document["kind"]).removesuffix("List")
            for item in items:
                # Items of a typed list may leave out what the list says.
                inherited = {"apiVersion": document.get("apiVersion"), "kind": kind} if kind else {}
                yield {**inherited, **item} if isinstance(item, dict) else item
            return
    if isinstance(document, list):
        yield from document
        return
    yield document


def _complaint(content: Any) -> str:
    if not isinstance(content, dict):
        return "it is no mapping"
    for field in ("apiVersion", "kind"):
        if not isinstance(content.get(field), str) or not content[field]:
            return f"{field} is missing"
    metadata = content.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        return "metadata is no mapping"
    if not metadata or not (metadata.get("name") or metadata.get("generateName")):
        return f"metadata.name is missing ({content['kind']})"
    return ""
