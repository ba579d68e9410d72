"""Ids of version 7."""

import time

from meshery_common.ids import uuid7


def test_ids_are_of_version_7_and_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()
    assert first.version == second.version == 7
    assert first.variant == second.variant == "specified in RFC 4122"
    assert first < second
    assert before <= first.int >> 80 <= time.time_ns() // 1_000_000
    assert len({uuid7() for _ in range(10_000)}) == 10_000
