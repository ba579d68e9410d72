"""Messages as bytes."""

from __future__ import annotations

import orjson

from meshery_common.encoding import Encoded, encode
from meshery_contracts.messages import PublicMessage


class Thing(PublicMessage):
    """Something with a name of two words."""

    two_words: int


def test_a_public_message_has_both_spellings() -> None:
    assert orjson.loads(encode(Thing(two_words=1))) == {"twoWords": 1, "two_words": 1}


def test_what_was_written_before_is_sent_as_it_is() -> None:
    kept: Encoded[Thing] = Encoded(encode(Thing(two_words=2)))
    assert encode(kept) is kept.payload
