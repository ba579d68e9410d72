"""What is sent of a kind, and that the receiver's count and digest are always the ones that were told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meshery_meshsync.domain.frames import KindName
from meshery_meshsync.domain.lanes import Claim, Cut, Lane, Mode
from meshery_meshsync.domain.objects import Observed, pack_uid, stamped

KIND = KindName("v1", "ConfigMap", "configmaps", True)


def observed(uid: str, content: int, version: int) -> Observed:
    body = json.dumps({"content": content, "pad": "x" * 40}).encode()
    return Observed(pack_uid(uid), str(version), content.to_bytes(8), body)


def a_lane(*uids: str) -> Lane:
    """A lane whose objects were sent in an epoch."""
    lane = Lane("configmaps_v1_core", KIND, silent=False)
    lane.snapshot_started()
    for uid in uids:
        lane.set(observed(uid, 1, 1))
    lane.snapshot_ended()
    while lane.ready:
        lane.cut(lane.position + 1, 64, 10_000)
    return lane


def entries(cut: Cut) -> list[dict[str, Any]]:
    return [json.loads(one) for one in cut.entries]


def test_an_epoch_begins_with_its_first_frame_and_ends_with_its_last() -> None:
    lane = Lane("configmaps_v1_core", KIND, silent=False)
    lane.snapshot_started()
    for number in range(5):
        lane.set(observed(f"u{number}", 1, 1))
    first = lane.cut(11, 2, 10_000)
    assert (first.begin, first.end, first.epoch, len(first.entries)) == (True, None, 11, 2)
    lane.cut(12, 2, 10_000)
    lane.snapshot_ended()
    last = lane.cut(13, 2, 10_000)
    assert last.begin is False
    assert last.epoch == 11
    assert last.end is not None
    assert last.end.count == 5
    assert not lane.ready


def test_an_empty_kind_of_which_nothing_is_stored_needs_no_frame() -> None:
    lane = Lane("configmaps_v1_core", KIND, silent=False)
    lane.snapshot_started()
    lane.snapshot_ended()
    assert not lane.ready
    assert lane.claim() is not None


def test_a_kind_that_was_emptied_is_one_frame() -> None:
    lane = a_lane("a")
    lane.emptied()
    cut = lane.cut(9, 64, 10_000)
    assert cut.begin
    assert cut.end is not None
    assert cut.end.count == 0


def test_a_frame_is_closed_at_its_bytes_but_takes_one_object_of_any_size() -> None:
    lane = Lane("configmaps_v1_core", KIND, silent=False)
    lane.snapshot_started()
    for uid in ("a", "b", "c"):
        lane.set(observed(uid, 1, 1))
    assert len(lane.cut(1, 64, 10).entries) == 1
    assert len(lane.cut(2, 64, 10_000).entries) == 2


def test_what_did_not_change_is_not_sent() -> None:
    lane = a_lane("a")
    lane.set(observed("a", 1, 1))
    assert not lane.ready


def test_a_new_version_of_the_same_content_is_sent_without_it() -> None:
    lane = a_lane("a")
    lane.set(observed("a", 1, 2))
    assert entries(lane.cut(9, 64, 10_000)) == [
        {"action": "touch", "uid": "a", "resourceVersion": "2", "digest": stamped((1).to_bytes(8), "2").hex()}
    ]


def test_a_touch_never_takes_the_place_of_content_that_waits() -> None:
    lane = a_lane("a")
    lane.set(observed("a", 2, 2))
    lane.set(observed("a", 2, 3))
    (entry,) = entries(lane.cut(9, 64, 10_000))
    assert (entry["action"], entry["resourceVersion"]) == ("set", "3")


def test_the_latest_wins_and_a_drop_is_not_overtaken() -> None:
    lane = a_lane("a")
    lane.set(observed("a", 2, 2))
    lane.drop(pack_uid("a"))
    lane.set(observed("b", 1, 3))
    assert [(one["action"], one["uid"]) for one in entries(lane.cut(9, 64, 10_000))] == [
        ("drop", "a"),
        ("set", "b"),
    ]


def test_a_second_listing_sends_only_the_difference() -> None:
    lane = a_lane("a", "b", "c")
    lane.snapshot_started()
    lane.set(observed("a", 1, 1))
    lane.set(observed("b", 2, 2))
    assert not lane.synced
    lane.snapshot_ended()
    assert {(one["action"], one["uid"]) for one in entries(lane.cut(9, 64, 10_000))} == {
        ("set", "b"),
        ("drop", "c"),
    }


def test_a_silent_lane_sends_nothing_until_inventory_agrees() -> None:
    lane = Lane("configmaps_v1_core", KIND, silent=True)
    lane.snapshot_started()
    lane.set(observed("a", 1, 1))
    assert lane.claim() is None
    lane.snapshot_ended()
    claim = lane.claim()
    assert claim is not None
    assert claim.count == 1
    lane.set(observed("b", 1, 2))
    assert not lane.ready, "a comparison is under way"
    assert lane.judged(claim, equal=True) is False
    assert lane.synced
    assert [one["uid"] for one in entries(lane.cut(1, 64, 10_000))] == ["b"]


def test_a_kind_that_differs_is_listed_and_sent_anew() -> None:
    lane = a_lane("a")
    claim = lane.claim()
    assert claim is not None
    assert lane.judged(claim, equal=False) is True
    assert not lane.ready
    lane.snapshot_started()
    lane.set(observed("a", 1, 1))
    lane.snapshot_ended()
    assert [one["action"] for one in entries(lane.cut(5, 64, 10_000))] == ["set"]


def test_an_answer_to_an_older_question_counts_for_nothing() -> None:
    lane = a_lane("a")
    claim = lane.claim()
    assert claim is not None
    lane.overflow()
    assert lane.judged(claim, equal=False) is False
    assert lane.mode is Mode.SILENT
    assert not lane.wants_epoch


def test_an_overflow_in_the_middle_of_a_listing_still_tells_what_is_gone() -> None:
    lane = a_lane("a", "b")
    lane.snapshot_started()
    lane.set(observed("a", 1, 1))
    lane.overflow()
    lane.snapshot_ended()
    claim = lane.claim()
    assert claim is not None
    assert claim.count == 1


@pytest.mark.parametrize("proven", [True, False])
def test_no_answer_leaves_a_proven_lane_as_it_was(proven: bool) -> None:
    lane = a_lane("a")
    if not proven:
        lane.overflow()
    claim = lane.claim()
    assert claim is not None
    lane.unjudged(claim)
    assert lane.mode is (Mode.SENDING if proven else Mode.SILENT)
    assert not lane.held


class Conversation(RuleBasedStateMachine):
    """A cluster, a lane, and a receiver that gets every frame in order."""

    @initialize(silent=st.booleans())
    def begin(self, silent: bool) -> None:
        self.lane = Lane("configmaps_v1_core", KIND, silent=silent)
        self.cluster: dict[str, tuple[int, int]] = {}
        self.received: dict[str, tuple[str, int]] = {}
        self.position = 0
        self.version = 0
        self.listing: list[str] | None = None
        self.claim: Claim | None = None
        self.start_listing()

    def start_listing(self) -> None:
        self.lane.snapshot_started()
        self.listing = list(self.cluster)

    @rule(uid=st.sampled_from("abcd"), content=st.integers(0, 2))
    def change(self, uid: str, content: int) -> None:
        self.version += 1
        self.cluster[uid] = (content, self.version)
        if self.listing is None or uid not in self.listing:
            self.lane.set(observed(uid, content, self.version))

    @rule(uid=st.sampled_from("abcd"))
    def delete(self, uid: str) -> None:
        if self.cluster.pop(uid, None) is None:
            return
        if self.listing is not None and uid in self.listing:
            self.listing.remove(uid)
        else:
            self.lane.drop(pack_uid(uid))

    @precondition(lambda self: self.listing is not None)
    @rule(finish=st.booleans())
    def list_on(self, finish: bool) -> None:
        assert self.listing is not None
        while self.listing:
            uid = self.listing.pop()
            self.lane.set(observed(uid, *self.cluster[uid]))
            if not finish:
                return
        self.listing = None
        self.lane.snapshot_ended()

    @rule(missed=st.sampled_from("abcd"))
    def the_watch_breaks(self, missed: str) -> None:
        self.cluster.pop(missed, None)
        self.start_listing()

    @rule()
    def too_much_waits(self) -> None:
        self.lane.overflow()

    @precondition(lambda self: self.lane.ready)
    @rule(size=st.integers(1, 3))
    def send(self, size: int) -> None:
        self.position += 1
        cut = self.lane.cut(self.position, size, 10_000)
        for one in entries(cut):
            if one["action"] == "drop":
                self.received.pop(one["uid"], None)
            elif one["action"] == "set" or one["uid"] in self.received:
                self.received[one["uid"]] = (one["digest"], self.position)
        if cut.end is not None:
            self.received = {uid: one for uid, one in self.received.items() if one[1] >= cut.epoch}
            assert (cut.end.count, cut.end.digest) == self.summary()

    @rule()
    def ask(self) -> None:
        self.claim = self.lane.claim() or self.claim

    @precondition(lambda self: self.claim is not None)
    @rule(answered=st.booleans())
    def answer(self, answered: bool) -> None:
        assert self.claim is not None
        claim, self.claim = self.claim, None
        if not answered:
            self.lane.unjudged(claim)
        elif self.lane.judged(claim, equal=(claim.count, claim.digest) == self.summary()):
            self.start_listing()

    def summary(self) -> tuple[int, str]:
        digest = 0
        for text, _ in self.received.values():
            digest ^= int(text, 16)
        return len(self.received), f"{digest:016x}"

    @invariant()
    def synced_means_equal(self) -> None:
        lane = getattr(self, "lane", None)
        if lane is not None and lane.synced and not lane.waiting:
            expected = {
                uid: stamped(content.to_bytes(8), str(version)).hex()
                for uid, (content, version) in self.cluster.items()
            }
            assert {uid: digest for uid, (digest, _) in self.received.items()} == expected

    def teardown(self) -> None:
        """Left alone, the two agree in a few steps."""
        if not hasattr(self, "lane"):
            return
        claim, self.claim = self.claim, None
        if claim is not None:
            self.lane.unjudged(claim)
        for _ in range(4):
            if self.listing is not None:
                self.list_on(finish=True)
            while self.lane.ready:
                self.send(size=3)
            asked = self.lane.claim()
            if asked is not None and self.lane.judged(
                asked, equal=(asked.count, asked.digest) == self.summary()
            ):
                self.start_listing()
        self.synced_means_equal()
        assert (self.lane.synced, self.lane.waiting) == (True, 0)


Conversation.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestConversation = Conversation.TestCase
