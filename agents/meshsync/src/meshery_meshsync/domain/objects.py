"""An object of the cluster as it is sent: stripped, its secrets replaced, with a digest.

Nothing below the first two levels is parsed. The form is fixed (order of the top-level keys, no resourceVersion
inside), because a list and a watch of the same object differ in it and their digests must not.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import msgspec

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LAST_APPLIED = LAST_APPLIED.encode()
_SECRET_FIELDS = ("data", "stringData", "binaryData")
#: An annotation of a Secret that is longer than this may be a copy of its data (kapp and others keep one).
_LONGEST_SECRET_ANNOTATION = 256

_Fields = dict[str, msgspec.Raw]
_fields = msgspec.json.Decoder(_Fields)
_texts = msgspec.json.Decoder(dict[str, str | None])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.encode


class Unreadable(Exception):
    """The object is not the JSON of an API server; it cannot be redacted, so it is not sent."""


class Observed(NamedTuple):
    """One object, ready to be sent."""

    #: uid, packed (see `pack_uid`).
    key: bytes
    resource_version: str
    #: 8 bytes over everything that is sent but the resourceVersion.
    content: bytes
    #: The object's JSON.
    body: bytes


#: Gives the stand-in of a secret value: (namespace, name, key of the value, the value).
Conceal = Callable[[str, str, str, bytes], str]


def concealment(key: bytes) -> Conceal:
    """Stand-ins that change when the value does and tell nothing else to whoever lacks the key.

    The place is part of the digest, so that equal passwords at two places do not look equal. Without a key
    every value looks the same.
    """
    if not key:
        return lambda _namespace, _name, _key, _value: "redacted"
    short = key if len(key) <= 64 else blake2b(key).digest()

    def conceal(namespace: str, name: str, field: str, value: bytes) -> str:
        place = f"{namespace}\0{name}\0{field}\0".encode()
        digest = blake2b(place + value, digest_size=16, key=short, person=b"meshery-secret")
        return f"digest:{digest.hexdigest()}"

    return conceal


def observe(raw: bytes, conceal: Conceal) -> Observed:
    """Strip, conceal and digest one object. Raises Unreadable."""
    try:
        fields = _fields.decode(raw)
        metadata = _fields.decode(fields.pop("metadata"))
        uid = _optional(metadata.get("uid"))
        version = _optional(metadata.pop("resourceVersion", None))
        metadata.pop("managedFields", None)
        annotations = metadata.get("annotations")
        if annotations is not None and _LAST_APPLIED in bytes(annotations):
            _without_last_applied(metadata, annotations)
        api_version, kind = fields.pop("apiVersion"), fields.pop("kind")
        if bytes(kind) == b'"Secret"' and bytes(api_version) == b'"v1"':
            _conceal_all(fields, metadata, conceal)
        if not uid:
            # Some aggregated servers give none; the name is all there is.
            uid = f"{_optional(metadata.get('namespace'))}/{_text.decode(metadata['name'])}"
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unreadable("the object has not the shape of a Kubernetes object") from error
    body = _encode(
        {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": metadata,
            **{name: fields[name] for name in sorted(fields)},
        }
    )
    return Observed(pack_uid(uid), version, blake2b(body, digest_size=8).digest(), body)


def uid_of(raw: bytes) -> bytes:
    """The packed uid alone: all that is needed of a deleted object. Raises Unreadable."""
    try:
        metadata = _fields.decode(_fields.decode(raw)["metadata"])
        uid = _optional(metadata.get("uid"))
        if not uid:
            uid = f"{_optional(metadata.get('namespace'))}/{_text.decode(metadata['name'])}"
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unreadable("the object has not the shape of a Kubernetes object") from error
    return pack_uid(uid)


def stamped(content: bytes, resource_version: str) -> bytes:
    """An object's digest as both sides compare it: 8 bytes over its content and its resourceVersion."""
    return blake2b(content + resource_version.encode(), digest_size=8).digest()


def pack_uid(uid: str) -> bytes:
    """A uid as it is kept for each object: 16 bytes for a UUID, anything else as text after a zero byte."""
    if len(uid) == 36:
        try:
            packed = bytes.fromhex(uid.replace("-", ""))
        except ValueError:
            pass
        else:
            if packed[:1] != b"\0" and str(UUID(bytes=packed)) == uid:
                return packed
    return b"\0" + uid.encode()


def unpack_uid(key: bytes) -> str:
    """The uid that `pack_uid` was given."""
    return key[1:].decode() if key[:1] == b"\0" else str(UUID(bytes=key))


def _optional(raw: msgspec.Raw | None) -> str:
    return "" if raw is None or bytes(raw) == b"null" else _text.decode(raw)


def _without_last_applied(metadata: _Fields, raw: msgspec.Raw) -> None:
    kept = {name: value for name, value in _texts.decode(raw).items() if name != LAST_APPLIED}
    if kept:
        metadata["annotations"] = msgspec.Raw(_encode(kept))
    else:
        del metadata["annotations"]


def _conceal_all(fields: _Fields, metadata: _Fields, conceal: Conceal) -> None:
    namespace, name = _optional(metadata.get("namespace")), _optional(metadata.get("name"))
    for field in _SECRET_FIELDS:
        raw = fields.get(field)
        if raw is None or bytes(raw) == b"null":
            continue
        values = _texts.decode(raw)
        fields[field] = msgspec.Raw(
            _encode(
                {one: conceal(namespace, name, one, _plain(field, value)) for one, value in values.items()}
            )
        )
    annotations = metadata.get("annotations")
    if annotations is None:
        return
    kept = _texts.decode(annotations)
    for one, value in kept.items():
        if value and (len(value) > _LONGEST_SECRET_ANNOTATION or value.lstrip()[:1] in ("{", "[")):
            kept[one] = conceal(namespace, name, f"annotation {one}", value.encode())
    metadata["annotations"] = msgspec.Raw(_encode(kept))


def _plain(field: str, value: str | None) -> bytes:
    """The value itself: a design that says `stringData` and a cluster that says `data` shall agree."""
    if value is None:
        return b""
    if field == "stringData":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value.encode()
