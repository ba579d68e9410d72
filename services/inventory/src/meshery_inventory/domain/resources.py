"""A stored object in the shape that Meshery's clients read (meshsync pkg/model/model.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from meshery_inventory.domain.objects import meshery_id

_DESIGN_LABEL = "design.meshery.io/id"
#: Top-level fields that have a key of their own in the shape; each is JSON text, but for `type`.
_TEXT_FIELDS = ("immutable", "data", "binaryData", "stringData")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the heavy parts are wanted."""

    spec: bool = True
    status: bool = True
    labels: bool = True
    annotations: bool = True

    @property
    def documents(self) -> bool:
        """Whether the object itself has to be read."""
        return self.spec or self.status or self.annotations


@dataclass(frozen=True, slots=True)
class Found:
    """A row; the texts are None where they were not asked for."""

    cluster_id: str
    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    created_at: datetime | None
    labels: Mapping[str, str | None]
    metadata: str | None = None
    spec: str | None = None
    status: str | None = None
    rest: str | None = None


def public(found: Found, wanted: Wanted) -> dict[str, Any]:
    """The resource, its long keys in both spellings."""
    id_ = meshery_id(found.cluster_id, found.kind, found.api_version, found.namespace, found.name)
    design = _uuid(found.labels.get(_DESIGN_LABEL))
    shape: dict[str, Any] = {
        "id": id_,
        "apiVersion": found.api_version,
        "kind": found.kind,
        "model": "",
        "metadata": _metadata(found, id_, wanted),
        "cluster_id": found.cluster_id,
        "clusterId": found.cluster_id,
        "pattern_resource": design,
        "patternResource": design,
        "component_metadata": None,
    }
    if wanted.spec and found.spec is not None:
        shape["spec"] = {"id": id_, "attribute": found.spec}
    if wanted.status and found.status is not None:
        shape["status"] = {"id": id_, "attribute": found.status}
    if wanted.spec and found.rest is not None:
        _add_rest(shape, found.rest)
    if wanted.spec and found.kind == "Service" and found.api_version == "v1":
        shape["component_metadata"] = connection_hint(found.spec)
    shape["componentMetadata"] = shape["component_metadata"]
    return shape


def connection_hint(spec: str | None) -> dict[str, Any]:
    """What may be connected to a Service: Meshery's hint, without dialling the addresses.

    The last port wins and the scheme is https for 443 alone, as in the Go helper (meshkit GetEndpoint).
    """
    try:
        known = msgspec.json.decode(spec or "{}", type=_ServiceSpec)
    except msgspec.MsgspecError:
        known = _ServiceSpec()
    urls: list[str] = []
    if known.ports and known.clusterIP not in ("", "None"):
        port = known.ports[-1].port
        urls.append(f"{'https' if port == 443 else 'http'}://{known.clusterIP}:{port}")
    return {"capabilities": {"connection": True, "urls": urls}}


class _Port(msgspec.Struct):
    port: int = 0


class _ServiceSpec(msgspec.Struct):
    clusterIP: str = ""
    ports: list[_Port] = []


def _metadata(found: Found, id_: str, wanted: Wanted) -> dict[str, Any]:
    known: dict[str, Any] = msgspec.json.decode(found.metadata) if found.metadata else {}
    shape: dict[str, Any] = {"id": id_, "name": found.name, "uid": found.uid}
    if found.namespace:
        shape["namespace"] = found.namespace
    shape["resourceVersion"] = found.resource_version
    if found.created_at is not None:
        shape["creationTimestamp"] = found.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in ("generateName", "selfLink", "deletionTimestamp", "generation", "deletionGracePeriodSeconds"):
        if known.get(name) is not None:
            shape[name] = known[name]
    for name in ("ownerReferences", "finalizers"):
        if known.get(name):
            shape[name] = msgspec.json.encode(known[name]).decode()
    if wanted.labels and found.labels:
        shape["labels"] = _key_values(id_, "label", found.labels)
    if wanted.annotations and known.get("annotations"):
        shape["annotations"] = _key_values(id_, "annotation", known["annotations"])
    shape["cluster_id"] = found.cluster_id
    return shape


def _key_values(id_: str, kind: str, values: Mapping[str, str | None]) -> list[dict[str, str]]:
    shaped = []
    for key, value in sorted(values.items()):
        one = {"id": id_, "unique_id": f"{kind}/{key}", "kind": kind, "key": key}
        if value:
            one["value"] = value
        shaped.append(one)
    return shaped


def _add_rest(shape: dict[str, Any], rest: str) -> None:
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(rest, type=dict[str, msgspec.Raw])
    for name in _TEXT_FIELDS:
        if name in fields:
            shape[name] = bytes(fields.pop(name)).decode()
    if "type" in fields:
        type_ = msgspec.json.decode(fields.pop("type"))
        shape["type"] = type_ if isinstance(type_, str) else msgspec.json.encode(type_).decode()
    if fields:
        # Ours: rules of a Role, endpoints of an EndpointSlice and so on, which Meshery loses.
        shape["rest"] = msgspec.json.encode(fields).decode()


def _uuid(text: str | None) -> str | None:
    try:
        return str(UUID(text)) if text else None
    except ValueError:
        return None
