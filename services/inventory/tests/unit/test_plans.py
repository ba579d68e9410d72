"""What batches of frames do: the order in which they come makes no difference."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_inventory.domain.frames import (
    Arrival,
    Entry,
    EpochEnd,
    Frame,
    KindName,
    UnreadableFrame,
    arrival,
)
from meshery_inventory.domain.objects import hexadecimal
from meshery_inventory.domain.plans import Cluster, KindKey, KindState, ObjectKey, Stored, gather, plan

CONNECTION, ORGANIZATION = UUID(int=1), UUID(int=2)
CLUSTER = Cluster(CONNECTION, ORGANIZATION, "c1", 100, False)
KIND = KindName("v1", "ConfigMap", "configmaps", True)
TOKEN = "configmaps_v1_core"


def body(name: str, content: int = 0) -> bytes:
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"x": str(content)},
    }
    return json.dumps(document).encode()


def set_(uid: str, name: str, content: int) -> Entry:
    return Entry("set", uid, str(content), hexadecimal(content), msgspec.Raw(body(name, content)))


def frame(position: int, *entries: Entry, epoch: int = 0, end: bool = False, session: int = 100) -> Arrival:
    return Arrival(
        CONNECTION,
        TOKEN,
        Frame(
            ORGANIZATION,
            "c1",
            session,
            position,
            KIND,
            epoch,
            epoch == position,
            EpochEnd(0, "") if end else None,
            list(entries),
        ),
    )


@dataclass
class Tables:
    """The tables, as far as plans are about them."""

    rows: dict[UUID, tuple[str, int, int]] = field(default_factory=dict)
    buried: dict[ObjectKey, int] = field(default_factory=dict)
    kinds: dict[KindKey, KindState] = field(default_factory=dict)

    def take(self, arrivals: list[Arrival], cluster: Cluster = CLUSTER) -> int:
        batch = gather(arrivals, {CONNECTION: cluster}, self.kinds)
        stored = {(CONNECTION, uid): Stored(digest, position) for uid, digest, position in self.rows.values()}
        made = plan(batch, stored, self.buried)
        for write in made.writes:
            known = self.rows.get(write.resource_id)
            if known is None or known[2] < write.position:
                self.rows[write.resource_id] = (write.object.uid, write.digest, write.position)
        for touch in made.touches:
            for key, (uid, _, position) in list(self.rows.items()):
                if uid == touch.uid and position < touch.position:
                    self.rows[key] = (uid, touch.digest, touch.position)
        for drop in made.drops:
            for key, (uid, _, position) in list(self.rows.items()):
                if uid == drop.uid and position < drop.position:
                    del self.rows[key]
            self.buried[CONNECTION, drop.uid] = max(self.buried.get((CONNECTION, drop.uid), 0), drop.position)
        for kind_key, work in batch.kinds.items():
            if work.sweep:
                self.rows = {one: row for one, row in self.rows.items() if row[2] >= work.floor}
            self.kinds[kind_key] = KindState(work.position, work.floor)
        return batch.refused

    @property
    def content(self) -> dict[str, int]:
        return {uid: digest for uid, digest, _ in self.rows.values()}


def test_an_epoch_drops_what_it_did_not_mention() -> None:
    tables = Tables()
    tables.take([frame(101, set_("a", "a", 1), set_("b", "b", 1), epoch=101, end=True)])
    tables.take(
        [frame(102, set_("b", "b", 1), epoch=102), frame(103, set_("c", "c", 1), epoch=102, end=True)]
    )
    assert tables.content == {"b": 1, "c": 1}


def test_an_unfinished_epoch_drops_nothing() -> None:
    tables = Tables()
    tables.take([frame(101, set_("a", "a", 1), epoch=101, end=True)])
    tables.take([frame(102, set_("b", "b", 1), epoch=102)])
    assert tables.content == {"a": 1, "b": 1}


def test_an_object_that_was_made_again_replaces_the_former_one() -> None:
    tables = Tables()
    tables.take([frame(101, set_("a", "web", 1))])
    tables.take([frame(102, Entry("drop", "a"), set_("b", "web", 2))])
    assert tables.content == {"b": 2}
    tables.take([frame(101, set_("a", "web", 1))])
    assert tables.content == {"b": 2}


def test_a_drop_that_comes_late_does_not_hit_the_successor() -> None:
    tables = Tables()
    tables.take([frame(101, set_("a", "web", 1))])
    tables.take([frame(103, set_("b", "web", 2))])
    tables.take([frame(102, Entry("drop", "a"))])
    assert tables.content == {"b": 2}


def test_a_frame_that_comes_late_does_not_raise_the_dead() -> None:
    tables = Tables()
    tables.take([frame(102, Entry("drop", "a"))])
    tables.take([frame(101, set_("a", "a", 1))])
    assert tables.content == {}


@pytest.mark.parametrize(
    "cluster",
    [
        CLUSTER._replace(session=101),
        CLUSTER._replace(removed=True),
        CLUSTER._replace(organization_id=UUID(int=9)),
    ],
)
def test_frames_of_nobody_are_refused(cluster: Cluster) -> None:
    tables = Tables()
    assert tables.take([frame(102, set_("a", "a", 1))], cluster) == 1
    assert tables.content == {}


@pytest.mark.parametrize("subject", ["meshery.sync.v1.x.y", "a.b", f"meshery.sync.v1.{CONNECTION}.t"])
def test_what_is_no_frame_is_told(subject: str) -> None:
    with pytest.raises(UnreadableFrame):
        arrival(subject, b"{}")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.sets(st.integers(0, 11), max_size=2),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_makes_no_difference(
    changes: list[tuple[str, int, bool]], epochs: set[int], shuffler: random.Random
) -> None:
    """A history of one kind in frames, delivered in order, and shuffled, repeated and in batches."""
    frames: list[Arrival] = []
    truth: dict[str, tuple[str, int]] = {}
    position, births = 100, 0
    for number, (name, content, gone) in enumerate(changes):
        entries: list[Entry] = []
        if gone and name in truth:
            entries.append(Entry("drop", truth.pop(name)[0]))
        elif not gone:
            births += name not in truth
            uid = truth[name][0] if name in truth else f"{name}{births}"
            truth[name] = (uid, content)
            entries.append(set_(uid, name, content))
        position += 1
        frames.append(frame(position, *entries))
        if number in epochs:
            begin = position + 1
            listed = [set_(uid, name, content) for name, (uid, content) in truth.items()]
            for start in range(0, len(listed), 2):
                position += 1
                frames.append(frame(position, *listed[start : start + 2], epoch=begin))
            position += 1
            frames.append(frame(position, epoch=begin, end=True))
    expected = dict(truth.values())
    shuffled = frames * 2
    shuffler.shuffle(shuffled)
    tables = Tables()
    while shuffled:
        size = shuffler.randint(1, 4)
        tables.take(shuffled[:size])
        shuffled = shuffled[size:]
    assert tables.content == expected
