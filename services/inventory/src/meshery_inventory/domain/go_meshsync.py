"""Frames of the Go MeshSync, taken as they are (meshery/meshsync pkg/model; meshery/meshkit broker/messaging.go).

Its quirks, all undone here: labels and annotations are lists, their values cut out of JSON without unescaping;
spec, status and data are JSON text; DELETED carries the whole object; ids are empty; some fields are lost.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from meshery_inventory.domain.frames import Entry, KindName

_encode = msgspec.json.encode
#: A copy of the whole object, which our own agent leaves out as well.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
#: Event types that say that the object is there.
_PRESENT = ("ADDED", "MODIFIED", "")


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    deletion_grace_period_seconds: int | None = None
    generation: int | None = None
    self_link: str = ""
    labels: list[_KeyValue] | None = None
    annotations: list[_KeyValue] | None = None
    owner_references: str = ""
    finalizers: str = ""


class _Attribute(msgspec.Struct):
    attribute: str = ""


class _Resource(msgspec.Struct):
    api_version: str = msgspec.field(name="apiVersion", default="")
    kind: str = ""
    metadata: _Meta | None = None
    spec: _Attribute | None = None
    status: _Attribute | None = None
    cluster_id: str = ""
    immutable: str = ""
    data: str = ""
    binary_data: str = msgspec.field(name="binaryData", default="")
    string_data: str = msgspec.field(name="stringData", default="")
    type: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One object of a message."""

    cluster_id: str
    kind: KindName
    entry: Entry


def read_message(payload: bytes) -> list[Seen]:
    """The objects of a resource event, or of one part of a store dump; none for anything else."""
    try:
        envelope = {key.lower(): value for key, value in _envelope.decode(payload).items()}
        event = _text(envelope.get("eventtype"))
        raw = envelope.get("object")
        if raw is None:
            return []
        body = bytes(raw).lstrip()
        if body.startswith(b"["):
            resources = _resources.decode(body)
        elif body.startswith(b"{") and _text(envelope.get("objecttype")) == "meshsync-data":
            resources = [_resource.decode(body)]
        else:
            return []
    except msgspec.MsgspecError:
        return []
    return [seen for one in resources if (seen := _seen(one, event)) is not None]


_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_resource = msgspec.json.Decoder(_Resource)
_resources = msgspec.json.Decoder(list[_Resource])


def _text(raw: msgspec.Raw | None) -> str:
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) else ""


def _seen(resource: _Resource, event: str) -> Seen | None:
    metadata = resource.metadata
    if metadata is None or not (metadata.uid and metadata.name and resource.kind and resource.cluster_id):
        return None
    name = KindName(resource.api_version, resource.kind)
    if event == "DELETED":
        return Seen(resource.cluster_id, name, Entry("drop", metadata.uid))
    if event not in _PRESENT:
        return None
    body = _encode(_kubernetes_object(resource, metadata))
    digest = blake2b(body + metadata.resource_version.encode(), digest_size=8).hexdigest()
    entry = Entry("set", metadata.uid, metadata.resource_version, digest, msgspec.Raw(body))
    return Seen(resource.cluster_id, name, entry)


def _kubernetes_object(resource: _Resource, metadata: _Meta) -> dict[str, Any]:
    """The object as the API server has it, as far as it was sent."""
    fields: dict[str, Any] = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": _metadata(metadata),
    }
    texts = {
        "spec": resource.spec.attribute if resource.spec else "",
        "status": resource.status.attribute if resource.status else "",
        "immutable": resource.immutable,
        "data": resource.data,
        "binaryData": resource.binary_data,
        "stringData": resource.string_data,
    }
    for key, text in texts.items():
        if text and (value := _json(text)) is not None:
            fields[key] = value
    if resource.kind == "Secret" and resource.api_version == "v1":
        # It sends values in the clear unless it was told otherwise; they must not be stored.
        for key in ("data", "binaryData", "stringData"):
            if key in fields:
                known = msgspec.json.decode(fields[key])
                fields[key] = dict.fromkeys(known, "redacted") if isinstance(known, dict) else {}
        fields["metadata"].pop("annotations", None)
    if resource.type:
        fields["type"] = resource.type
    return fields


def _metadata(metadata: _Meta) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
        "generateName": metadata.generate_name,
        "creationTimestamp": metadata.creation_timestamp,
        "deletionTimestamp": metadata.deletion_timestamp,
        "deletionGracePeriodSeconds": metadata.deletion_grace_period_seconds,
        "generation": metadata.generation,
        "selfLink": metadata.self_link,
        "labels": _mapping(metadata.labels),
        "annotations": _mapping(metadata.annotations),
        "ownerReferences": _json(metadata.owner_references) if metadata.owner_references else None,
        "finalizers": _json(metadata.finalizers) if metadata.finalizers else None,
    }
    return {key: value for key, value in written.items() if value not in (None, "", {})}


def _mapping(values: list[_KeyValue] | None) -> dict[str, str]:
    return {one.key: _unescaped(one.value) for one in values or () if one.key != _LAST_APPLIED}


def _unescaped(value: str) -> str:
    """A value that holds a backslash is the inside of a JSON string, unless it does not read as one."""
    if "\\" not in value:
        return value
    try:
        return msgspec.json.decode(f'"{value}"', type=str)
    except msgspec.MsgspecError:
        return value


def _json(text: str) -> msgspec.Raw | None:
    """JSON text as JSON; None for text that is none."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    return None if value is None else msgspec.Raw(text)
