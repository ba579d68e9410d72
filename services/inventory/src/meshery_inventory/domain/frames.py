"""Frames as they arrive: what `meshery_contracts.discovery.Frame` describes, decoded for speed.

An object is left undecoded until it is known that it has to be stored.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec


class KindName(msgspec.Struct, frozen=True, rename="camel"):
    """A kind as a cluster serves it."""

    api_version: str
    kind: str
    plural: str = ""
    namespaced: bool = True


class EpochEnd(msgspec.Struct, frozen=True, rename="camel"):
    """What should be stored when the epoch has arrived."""

    count: int
    digest: str


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """One object."""

    action: Literal["set", "touch", "drop"]
    uid: str
    resource_version: str = ""
    digest: str = ""
    object: msgspec.Raw = msgspec.Raw(b"")


class Frame(msgspec.Struct, frozen=True, rename="camel"):
    """One message of the stream."""

    organization_id: UUID
    cluster_id: str
    session: int
    position: int
    kind: KindName
    epoch: int = 0
    begin: bool = False
    end: EpochEnd | None = None
    objects: list[Entry] = []


class Arrival(msgspec.Struct, frozen=True):
    """A frame, and what its subject says."""

    connection_id: UUID
    token: str
    frame: Frame


class UnreadableFrame(Exception):
    """The message is not a frame."""


_decoder = msgspec.json.Decoder(Frame)


def arrival(subject: str, payload: bytes) -> Arrival:
    """A message of the stream. Raises UnreadableFrame."""
    parts = subject.split(".")
    try:
        return Arrival(UUID(parts[3]), parts[4], _decoder.decode(payload))
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise UnreadableFrame(f"{subject}: {error}") from error
