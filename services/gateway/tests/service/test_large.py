"""Requests and answers of many megabytes: they arrive whole, and do not take all the memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from uuid import uuid4

import orjson
import pytest
from aiohttp import ClientSession
from yarl import URL

from meshery_contracts import designs as contract
from meshery_contracts import evaluation
from meshery_contracts.designs import Design, DesignPage, NullString, Visibility
from meshery_contracts.evaluation import EvaluationResponse
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.nats import NATSForTests
from meshery_testkit.stubs import Stubs

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MIB = 1024 * 1024
EVALUATE = "/api/meshmodels/relationships/evaluate"


def a_page(size: int) -> DesignPage:
    """A page of designs whose JSON has some `size` bytes: each file stands there twice."""
    one = Design(
        id=uuid4(), name="large", pattern_file="x" * (size // 20), user_id=uuid4(), organization_id=uuid4(),
        visibility=Visibility.PRIVATE, type=NullString(), version=1, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return DesignPage(page=0, page_size=10, total_count=10, patterns=[one] * 10)


async def test_a_whole_list_is_passed_on(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(contract.LIST, a_page(40 * MIB))
    async with http.get("/api/pattern?pagesize=all", headers={"Accept-Encoding": "identity"}) as reply:
        body = await reply.read()
        assert len(body) > 40 * MIB
        assert len(orjson.loads(body)["patterns"]) == 10
        etag = reply.headers["ETag"]
    async with http.get("/api/pattern?pagesize=all") as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        assert await reply.read() == body
    async with http.get("/api/pattern?pagesize=all", headers={"If-None-Match": etag}) as reply:
        assert reply.status == 304


async def test_a_large_design_is_evaluated(http: ClientSession, stubs: Stubs) -> None:
    design = {"components": [{"id": "a", "text": "x" * 20 * MIB}]}
    answer = EvaluationResponse(design=design, timestamp=NOW)
    asked = await stubs.answer(evaluation.EVALUATE, answer)
    async with http.post(EVALUATE, data=BytesIO(orjson.dumps({"design": design}))) as reply:
        assert reply.status == 200, await reply.text()
        assert (await reply.json())["design"] == design
    assert asked[0][0].design == design


class TestLittleRoom:
    """A gateway with room for one large body at a time."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return GatewaySettings(bus=nats.bus_settings("gateway"), port=0, large_bodies_bytes=30 * MIB)

    @staticmethod
    @asynccontextmanager
    async def reading_nothing(address: str, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
        """A client that asks and does not read the answer."""
        url = URL(address)
        reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
        try:
            writer.write(request)
            # The head of the answer has come, so the rest is on its way.
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            yield reader
        finally:
            writer.transport.abort()

    async def test_who_does_not_read_does_not_fill_the_memory(
        self, address: str, http: ClientSession, stubs: Stubs
    ) -> None:
        await stubs.answer(contract.LIST, a_page(20 * MIB))
        request = f"GET /api/pattern HTTP/1.1\r\nHost: {URL(address).authority}\r\n\r\n".encode()
        async with self.reading_nothing(address, request), http.get("/api/pattern") as reply:
            assert reply.status == 503
            assert (await reply.json())["code"] == "overloaded"
            assert reply.headers["Retry-After"] == "1"
            assert reply.headers["X-Request-Id"]
        async with asyncio.timeout(20):
            while True:
                async with http.get("/api/pattern") as reply:
                    if reply.status == 200:
                        break

    async def test_uploads_beyond_it_are_refused_before_they_are_read(
        self, address: str, http: ClientSession, stubs: Stubs
    ) -> None:
        await stubs.answer(evaluation.EVALUATE, EvaluationResponse(design={}, timestamp=NOW))
        head = f"POST {EVALUATE} HTTP/1.1\r\nHost: {URL(address).authority}\r\nContent-Length: {20 * MIB}\r\n\r\n"
        url = URL(address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        try:
            writer.write(head.encode())
            async with asyncio.timeout(20):
                while True:
                    async with http.post(EVALUATE, data=BytesIO(b"{}".ljust(15 * MIB))) as reply:
                        if reply.status == 503:
                            assert (await reply.json())["code"] == "overloaded"
                            break
            # Small ones have nothing to do with it.
            async with http.post(EVALUATE, data=b'{"design": {}}') as reply:
                assert reply.status == 200
            writer.write(b'{"design": {}}'.ljust(20 * MIB))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        finally:
            writer.transport.abort()

    async def test_more_than_is_ever_taken_is_refused_at_once(self, http: ClientSession) -> None:
        async with http.post(EVALUATE, data=BytesIO(b"x" * 33 * MIB)) as reply:
            assert reply.status == 413
            assert (await reply.json())["code"] == "body_too_large"
