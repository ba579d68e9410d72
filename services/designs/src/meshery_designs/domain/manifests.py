"""Kubernetes documents to components and back.

Nothing is dropped: a document whose kind the registry does not know becomes a component with status `open`, and
a note says so.
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
from meshery_designs.domain.design_files import COMPONENT_SCHEMA_VERSION

DESIGN_LABEL = "design.meshery.io/id"
VERSION_ANNOTATION = "design.meshery.io/version"
COMPONENT_ANNOTATION = "component.meshery.io/id"

#: What a cluster writes into an object and a design must not carry.
_CLUSTER_METADATA = (
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


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
        metadata = self.content.get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")


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
    if problems:
        raise Invalid(
            f"{problems[0].path.capitalize()} is no Kubernetes object: {problems[0].message}.",
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
    for manifest in manifests:
        known = kinds.get(manifest.kind)
        if known is None or known.component_id is None:
            known = None
            version, kind = manifest.kind
            notes.append(
                ImportNote(
                    document=manifest.position,
                    reference=f"{kind}/{manifest.name}",
                    message=f"The registry does not know {kind} of {version} yet: kept as it is, not validated. "
                    "Connect a cluster that serves it, or import its model.",
                )
            )
        components.append(_component(manifest, known, new_id()))
    return components, notes


def _component(manifest: Manifest, known: ResolvedKind | None, component_id: UUID) -> dict[str, Any]:
    version, kind = manifest.kind
    configuration = {
        key: value for key, value in manifest.content.items() if key not in ("apiVersion", "kind", "status")
    }
    configuration["metadata"] = _own_metadata(configuration.get("metadata") or {})
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
    configuration = dict(component.get("configuration") or {})
    metadata = dict(configuration.get("metadata") or {})
    metadata.setdefault("name", component.get("displayName") or "")
    if design_id is not None:
        metadata["labels"] = {**(metadata.get("labels") or {}), DESIGN_LABEL: str(design_id)}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            VERSION_ANNOTATION: str(version),
            COMPONENT_ANNOTATION: str(component["id"]),
        }
    configuration["metadata"] = metadata
    return {"apiVersion": inner.get("version") or "v1", "kind": inner["kind"], **configuration}


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
    own = {key: value for key, value in metadata.items() if key not in _CLUSTER_METADATA}
    annotations = own.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        own["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
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
