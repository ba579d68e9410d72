"""The reading of guides: a promise that is not kept must be found."""

from __future__ import annotations

import pytest
from tests.system.guides import Block, check, missing, read


def test_promised_lines_are_found_in_their_order() -> None:
    output = 'started   in 3 s\n{"build":"v1.2","more":1}\nready'
    assert not missing('started in …\n{"build":"v…",…}\nready', output)
    assert missing("ready\nstarted", output) == "started"
    assert missing('{"build":"w…"}', output) == '{"build":"w…"}'


def test_a_broken_promise_names_its_block() -> None:
    block = Block("walk-through.md", 7, "sh", "echo no", "yes")
    with pytest.raises(AssertionError, match=r"walk-through\.md line 7"):
        check(block, "no\n")


def test_every_block_of_the_walk_through_is_run() -> None:
    kinds = {one.kind for one in read("walk-through.md") if isinstance(one, Block)}
    assert kinds == {"sh", "sh first terminal", "sh third terminal", "graphql"}
