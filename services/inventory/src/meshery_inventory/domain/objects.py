"""A Kubernetes object as it is stored, and how it is told from others."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import msgspec

_Fields = dict[str, msgspec.Raw]
_fields = msgspec.json.Decoder(_Fields)
_encode = msgspec.json.encode
_OWN_COLUMNS = ("apiVersion", "kind", "metadata", "spec", "status")


class Unreadable(Exception):
    """What came is not an object."""


class StoredObject(NamedTuple):
    """One object, split as the tables are."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    created_at: datetime | None
    #: JSON.
    labels: bytes
    owner_uids: list[str]
    #: JSON texts.
    metadata: str
    spec: str | None
    status: str | None
    rest: str | None


class _Owner(msgspec.Struct):
    uid: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str | None = None
    uid: str = ""
    creation_timestamp: str | None = None
    # Not `Raw | None`: msgspec reads nothing but null for that.
    labels: msgspec.Raw = msgspec.Raw(b"")
    owner_references: list[_Owner] | None = None


_metadata = msgspec.json.Decoder(_Metadata)


def stored_object(raw: bytes | msgspec.Raw, uid: str, resource_version: str) -> StoredObject:
    """Split an object's JSON. Raises Unreadable."""
    try:
        fields = _fields.decode(raw)
        metadata = fields["metadata"]
        known = _metadata.decode(metadata)
        rest = {name: value for name, value in fields.items() if name not in _OWN_COLUMNS}
        return StoredObject(
            api_version=msgspec.json.decode(fields["apiVersion"], type=str),
            kind=msgspec.json.decode(fields["kind"], type=str),
            namespace=known.namespace or "",
            name=known.name,
            uid=uid,
            resource_version=resource_version,
            created_at=timestamp(known.creation_timestamp),
            labels=_labels(known.labels),
            owner_uids=[one.uid for one in known.owner_references or () if one.uid],
            metadata=_text(metadata) or "{}",
            spec=_text(fields.get("spec")),
            status=_text(fields.get("status")),
            rest=_storable(_encode(rest).decode()) if rest else None,
        )
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
        raise Unreadable("this is not the JSON of a Kubernetes object") from error


def timestamp(text: str | None) -> datetime | None:
    """RFC 3339 as a time; None for what is none."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def meshery_id(cluster_id: str, kind: str, api_version: str, namespace: str, name: str) -> str:
    """The id that Meshery's clients know: made of names, so that an object that was made again keeps it."""
    return base64.b64encode(_identity(cluster_id, kind, api_version, namespace, name)).decode()


def resource_id(
    connection_id: UUID, cluster_id: str, kind: str, api_version: str, namespace: str, name: str
) -> UUID:
    """The key of the row: two connections to one cluster have a row each."""
    return _hashed(connection_id, _identity(cluster_id, kind, api_version, namespace, name))


def resource_id_of(connection_id: UUID, meshery_id: str) -> UUID | None:
    """The key for one of Meshery's ids; None when it is no such id."""
    try:
        identity = base64.b64decode(meshery_id.replace("-", "+").replace("_", "/") + "==", validate=False)
    except ValueError:
        return None
    return _hashed(connection_id, identity)


def signed(digest: str) -> int:
    """16 hexadecimal digits as PostgreSQL's bigint. Raises ValueError."""
    return int.from_bytes(bytes.fromhex(digest), signed=True)


def hexadecimal(digest: int | None) -> str:
    """PostgreSQL's bigint as 16 hexadecimal digits."""
    return (digest or 0).to_bytes(8, signed=True).hex()


def _identity(cluster_id: str, kind: str, api_version: str, namespace: str, name: str) -> bytes:
    return f"{cluster_id}.{kind}.{api_version}.{namespace}.{name}".encode()


def _hashed(connection_id: UUID, identity: bytes) -> UUID:
    return UUID(bytes=blake2b(identity, digest_size=16, key=connection_id.bytes).digest())


def _labels(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return _storable(text.decode()).encode() if text and text != b"null" else b"{}"


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    text = bytes(raw).decode()
    return None if text == "null" else _storable(text)


def _storable(text: str) -> str:
    # PostgreSQL's jsonb knows no NUL, and JSON may spell one; in text it is harmless but the next reader's trouble.
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text
