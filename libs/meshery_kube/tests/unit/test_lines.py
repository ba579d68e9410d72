from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_kube.errors import ProtocolError
from meshery_kube.lines import LineSplitter

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=20)


@given(LINES, st.lists(st.integers(0, 900), max_size=30))
def test_lines_are_the_same_wherever_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines) + b"rest"
    splitter = LineSplitter(1_000)
    found: list[bytes] = []
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for start, end in pairwise(places):
        found += splitter.feed(stream[start:end])
    assert found == lines
    assert splitter.finish() == b"rest"


def test_a_line_may_be_many_megabytes_in_small_chunks() -> None:
    splitter = LineSplitter(64 << 20)
    chunk = b"x" * 65_536
    for _ in range(512):
        assert splitter.feed(chunk) == []
    assert splitter.pending_bytes == 32 << 20
    assert splitter.feed(b"\nnext") == [chunk * 512]
    assert splitter.finish() == b"next"


@pytest.mark.parametrize("chunks", [[b"12345678901"], [b"123456", b"78901"], [b"12345678901\n"]])
def test_a_line_beyond_the_limit_is_an_error(chunks: list[bytes]) -> None:
    splitter = LineSplitter(10)
    *first, last = chunks
    for chunk in first:
        splitter.feed(chunk)
    with pytest.raises(ProtocolError):
        splitter.feed(last)
