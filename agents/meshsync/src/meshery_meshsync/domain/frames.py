"""The bytes of frames: what `meshery_contracts.discovery.Frame` describes, written for speed."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

_encode = msgspec.json.encode


class KindName(msgspec.Struct, frozen=True, rename="camel"):
    """A kind as a cluster serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


class EpochEnd(msgspec.Struct, frozen=True, rename="camel"):
    """What the receiver holds when the epoch has arrived."""

    count: int
    digest: str


class _Entry(msgspec.Struct, rename="camel", omit_defaults=True):
    action: Literal["set", "touch", "drop"]
    uid: str
    resource_version: str = ""
    digest: str = ""
    object: msgspec.Raw | None = None


class _Frame(msgspec.Struct, rename="camel", omit_defaults=True):
    organization_id: UUID
    cluster_id: str
    session: int
    position: int
    kind: KindName
    epoch: int = 0
    begin: bool = False
    end: EpochEnd | None = None
    objects: list[msgspec.Raw] = []


def set_entry(uid: str, resource_version: str, digest: bytes, body: bytes) -> bytes:
    """Store this object."""
    return _encode(_Entry("set", uid, resource_version, digest.hex(), msgspec.Raw(body)))


def touch_entry(uid: str, resource_version: str, digest: bytes) -> bytes:
    """Only the resourceVersion of the object changed."""
    return _encode(_Entry("touch", uid, resource_version, digest.hex()))


def drop_entry(uid: str) -> bytes:
    """The object is gone."""
    return _encode(_Entry("drop", uid))


def frame(
    *,
    organization_id: UUID,
    cluster_id: str,
    session: int,
    position: int,
    kind: KindName,
    epoch: int,
    begin: bool,
    end: EpochEnd | None,
    entries: list[bytes],
) -> bytes:
    """One message of the stream."""
    return _encode(
        _Frame(
            organization_id,
            cluster_id,
            session,
            position,
            kind,
            epoch,
            begin,
            end,
            [msgspec.Raw(one) for one in entries],
        )
    )


def hex_digest(digest: int) -> str:
    """A kind's digest as it is written."""
    return f"{digest:016x}"
