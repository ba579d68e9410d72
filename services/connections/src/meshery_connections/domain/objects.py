"""Objects of a request, read as far as needed to find them in a cluster."""

from __future__ import annotations

from typing import Any

from meshery_contracts.clusters import ObjectReference
from meshery_contracts.errors import Invalid

DEFAULT_NAMESPACE = "default"


def reference_of(manifest: dict[str, Any]) -> ObjectReference:
    """Which object a manifest is. Raises Invalid when it does not say."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    values = {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata.name": metadata.get("name"),
    }
    missing = [name for name, value in values.items() if not isinstance(value, str) or not value]
    if missing:
        raise Invalid(
            f"An object has no {' and no '.join(missing)}.",
            code="object_incomplete",
            remedy="Give every object apiVersion, kind and metadata.name; generateName cannot be applied.",
        )
    namespace = metadata.get("namespace")
    return ObjectReference(
        api_version=str(values["apiVersion"]),
        kind=str(values["kind"]),
        namespace=namespace if isinstance(namespace, str) else "",
        name=str(values["metadata.name"]),
    )


def placed(reference: ObjectReference, *, namespaced: bool) -> ObjectReference:
    """The reference with the namespace that its kind demands."""
    namespace = (reference.namespace or DEFAULT_NAMESPACE) if namespaced else ""
    return reference.model_copy(update={"namespace": namespace})


def placed_manifest(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The manifest in that namespace (none: cluster-scoped), without what only a server writes.

    `managedFields` of an exported object would be refused by server-side apply.
    """
    metadata = {
        key: value for key, value in manifest["metadata"].items() if key not in ("managedFields", "namespace")
    }
    if namespace:
        metadata["namespace"] = namespace
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """An object of a cluster without managedFields: large, and nobody reads them here."""
    metadata = found.get("metadata")
    if isinstance(metadata, dict) and "managedFields" in metadata:
        return {
            **found,
            "metadata": {key: value for key, value in metadata.items() if key != "managedFields"},
        }
    return found


def uid_of(found: dict[str, Any]) -> str:
    """The uid of an object; empty when it has none."""
    metadata = found.get("metadata")
    return str(metadata.get("uid") or "") if isinstance(metadata, dict) else ""
