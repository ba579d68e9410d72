"""Our shorter ways through nats-py's client do what its own do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as some
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import BadHeaderError, NoRespondersError
from nats.errors import TimeoutError as NATSTimeoutError

from meshery_common.bus.client import QuickClient
from meshery_testkit.nats import NATSForTests

SUBJECT = "meshery.rpc.identity.v1.foreign_question"
_lines = some.lists(
    some.one_of(
        some.sampled_from(
            [
                b"Name: value",
                b"Name:value",
                b" Spaced : \t value ",
                b"no colon",
                b"two words: x",
                b": nameless",
            ]
        ),
        some.binary(max_size=20).filter(lambda line: b"\r" not in line and b"\n" not in line),
    )
)


@given(_lines)
def test_headers_are_read_as_nats_reads_them(lines: list[bytes]) -> None:
    raw = b"\r\n".join(lines)
    theirs = Client._parse_header_lines(raw)
    ours = QuickClient._parse_header_lines(raw)
    if raw.isascii():
        assert ours == theirs
    else:
        assert set(theirs) <= set(ours) | {name for name in theirs if not name.isascii()}


def test_what_is_no_ascii_arrives() -> None:
    assert QuickClient._parse_header_lines("Name: höher\r\n\r\n".encode()) == {"Name": "höher"}


@pytest.fixture
async def asking(nats: NATSForTests) -> AsyncIterator[QuickClient]:
    """A client with the gateway's rights."""
    client = QuickClient()
    await client.connect(
        nats.server.url, nkeys_seed_str=nats.seeds["gateway"], inbox_prefix=b"_INBOX_gateway"
    )
    yield client
    await client.close()


@pytest.fixture
async def heard(nats: NATSForTests) -> AsyncIterator[list[dict[str, str] | None]]:
    """The headers of what arrived; each message is answered with its own headers and bytes, `wait` not at all."""
    arrived: list[dict[str, str] | None] = []
    client = QuickClient()
    await client.connect(
        nats.server.url, nkeys_seed_str=nats.seeds["identity"], inbox_prefix=b"_INBOX_identity"
    )

    async def answer(message: Msg) -> None:
        arrived.append(message.headers)
        if message.data != b"wait":
            await client.publish(message.reply, message.data, headers=message.headers)

    await client.subscribe(SUBJECT, queue="identity", cb=answer)
    await client.flush()
    yield arrived
    await client.close()


async def test_headers_arrive_as_they_were_sent(
    asking: QuickClient, heard: list[dict[str, str] | None]
) -> None:
    headers = {"Meshery-Call": "timeout=1", "Meshery-Caller": "a.b.c"}
    for _ in range(2):  # the first time each name is checked, the second time it is known
        reply = await asking.request(SUBJECT, b"question", timeout=5, headers=headers)
        assert (reply.data, reply.headers) == (b"question", headers)
    assert heard == [headers, headers]


async def test_a_value_cannot_end_its_line(asking: QuickClient, heard: list[dict[str, str] | None]) -> None:
    for _ in range(2):
        await asking.request(SUBJECT, b"", timeout=5, headers={"Name": "one\r\nOther: two"})
    assert heard == [{"Name": "one  Other: two"}] * 2
    with pytest.raises(BadHeaderError):
        await asking.request(SUBJECT, b"", timeout=5, headers={"Na\r\nme": "value"})


async def test_every_question_gets_its_own_answer(
    asking: QuickClient, heard: list[dict[str, str] | None]
) -> None:
    questions = [str(number).encode() for number in range(200)]
    replies = await asyncio.gather(*(asking.request(SUBJECT, one, timeout=5) for one in questions))
    assert [reply.data for reply in replies] == questions
    assert asking._resp_map == {}


async def test_who_gives_up_leaves_nothing_behind(
    asking: QuickClient, heard: list[dict[str, str] | None]
) -> None:
    with pytest.raises(NATSTimeoutError):
        await asking.request(SUBJECT, b"wait", timeout=0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asking.request(SUBJECT, b"wait", timeout=5)
    assert asking._resp_map == {}


async def test_nobody_there_is_told_at_once(asking: QuickClient) -> None:
    with pytest.raises(NoRespondersError):
        await asking.request(SUBJECT, b"", timeout=5)
