"""What a batch of frames does to the tables.

Two steps, because what is stored has to be looked up in between: `Batch` says which objects and kinds are meant,
`Plan` what is written, given what is there. The order is by position alone, so that frames may come twice, late
or in any order, from any number of consumers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from meshery_inventory.domain.frames import Arrival, Entry, KindName
from meshery_inventory.domain.objects import StoredObject, Unreadable, resource_id, signed, stored_object

KindKey = tuple[UUID, str]
ObjectKey = tuple[UUID, str]


class Cluster(NamedTuple):
    """A reporting cluster as it is stored."""

    connection_id: UUID
    organization_id: UUID
    cluster_id: str
    session: int
    removed: bool
    #: Frames of this session up to this position were lost together with former tables.
    lost: int = 0


class KindState(NamedTuple):
    """How far a kind has arrived."""

    position: int
    floor: int


class Stored(NamedTuple):
    """What is stored of one object."""

    digest: int
    position: int


class Latest(NamedTuple):
    """The newest entry for one object in the batch."""

    cluster: Cluster
    token: str
    entry: Entry
    position: int
    in_epoch: bool


@dataclass
class KindWork:
    """What the batch says about one kind as a whole."""

    cluster: Cluster
    name: KindName
    position: int
    floor: int
    #: The epoch that ends in this batch is complete: drop what is older than `floor`.
    sweep: bool = False


@dataclass
class Batch:
    """Frames that may be taken, by kind and by object."""

    kinds: dict[KindKey, KindWork] = field(default_factory=dict)
    latest: dict[ObjectKey, Latest] = field(default_factory=dict)
    #: Frames of another session or of somebody else's connection.
    refused: int = 0


def gather(
    arrivals: Iterable[Arrival], clusters: Mapping[UUID, Cluster], kinds: Mapping[KindKey, KindState]
) -> Batch:
    """Sort a batch by kind and object. `kinds` lacks those that are new."""
    batch = Batch()
    for arrived in arrivals:
        frame = arrived.frame
        cluster = clusters.get(arrived.connection_id)
        if (
            cluster is None
            or cluster.removed
            or frame.session != cluster.session
            or frame.organization_id != cluster.organization_id
        ):
            batch.refused += 1
            continue
        key = (arrived.connection_id, arrived.token)
        work = batch.kinds.get(key)
        if work is None:
            state = kinds.get(key, KindState(0, 0))
            work = batch.kinds[key] = KindWork(cluster, frame.kind, state.position, state.floor)
        work.position = max(work.position, frame.position)
        if frame.end is not None and frame.epoch > work.floor:
            work.floor, work.sweep = frame.epoch, True
        for entry in frame.objects:
            one = (arrived.connection_id, entry.uid)
            known = batch.latest.get(one)
            if known is None or known.position < frame.position:
                batch.latest[one] = Latest(cluster, arrived.token, entry, frame.position, frame.epoch > 0)
    return batch


class Write(NamedTuple):
    """An object to store."""

    resource_id: UUID
    cluster: Cluster
    object: StoredObject
    digest: int
    position: int
    added: bool
    in_epoch: bool


class Touch(NamedTuple):
    """An object whose content is stored already."""

    connection_id: UUID
    uid: str
    resource_version: str
    digest: int
    position: int


class Drop(NamedTuple):
    """An object that is gone."""

    cluster: Cluster
    uid: str
    position: int


@dataclass
class Plan:
    """What is written."""

    writes: list[Write] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    #: Objects that could not be read.
    unreadable: int = 0


def plan(batch: Batch, stored: Mapping[ObjectKey, Stored], buried: Mapping[ObjectKey, int]) -> Plan:
    """Compare the batch with what is there; `buried` gives the positions of tombstones."""
    made = Plan()
    by_id: dict[UUID, Write] = {}
    for (connection_id, uid), latest in batch.latest.items():
        entry, position = latest.entry, latest.position
        known = stored.get((connection_id, uid))
        if position < batch.kinds[connection_id, latest.token].floor:
            continue
        if known is not None and known.position >= position:
            continue
        if entry.action == "drop":
            made.drops.append(Drop(latest.cluster, uid, position))
            continue
        try:
            digest = signed(entry.digest)
            if known is not None and (entry.action == "touch" or known.digest == digest):
                made.touches.append(Touch(connection_id, uid, entry.resource_version, digest, position))
                continue
            if entry.action == "touch" or buried.get((connection_id, uid), 0) > position:
                continue  # what it belongs to is missing: the comparison of digests will find it
            found = stored_object(entry.object, uid, entry.resource_version)
        except (Unreadable, ValueError):
            made.unreadable += 1
            continue
        id_ = resource_id(
            connection_id,
            latest.cluster.cluster_id,
            found.kind,
            found.api_version,
            found.namespace,
            found.name,
        )
        rival = by_id.get(id_)
        if rival is None or rival.position < position:
            # Deleted and made again under the same name within one batch: the younger one is left.
            by_id[id_] = Write(id_, latest.cluster, found, digest, position, known is None, latest.in_epoch)
    made.writes = list(by_id.values())
    return made
