"""Clients that announce something and take their time: they hold nothing for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from yarl import URL

from meshery_contracts import identity
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.nats import NATSForTests
from meshery_testkit.stubs import Stubs

PREFERENCES = "/api/user/prefs"
KUBECONFIG = "/api/system/kubernetes/contexts"
IMPORT = "/api/pattern/import"
MIB = 1024 * 1024


class Connection:
    """A client that writes as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str, path: str, length: int, kind: str) -> AsyncIterator[Connection]:
        """One that has announced a body."""
        url = URL(address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST {path} HTTP/1.1\r\nHost: {url.authority}\r\nContent-Type: {kind}\r\n"
        writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode())
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    async def answered(self, content: bytes, within_seconds: float) -> bool:
        """Send some of the body; whether an answer begins to come within this time."""
        with suppress(ConnectionError):
            self._writer.write(content)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                self._line = await self._reader.readline()
                return True
        return False

    async def answer(self) -> tuple[int, dict[str, str], str]:
        """Status, headers and the error's code, once the first line is here."""
        headers = {}
        while line := (await self._reader.readline()).decode().strip():
            name, _, value = line.partition(": ")
            headers[name] = value
        body = json.loads(await self._reader.readexactly(int(headers["Content-Length"])))
        return int(self._line.split()[1]), headers, body.get("code", "")


class TestHurry:
    """A gateway that gives up soon."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return GatewaySettings(bus=nats.bus_settings("gateway"), port=0, body_idle_seconds=0.3)

    @pytest.mark.parametrize(
        ("path", "length", "kind", "begin"),
        [
            (PREFERENCES, 100, "application/json", b""),
            (PREFERENCES, 100, "application/json", b'{"a":'),
            (IMPORT, 5 * MIB, "application/json", b'{"file":'),
            (KUBECONFIG, 1000, "multipart/form-data; boundary=b", b""),
            (KUBECONFIG, 1000, "multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data;"),
            (
                KUBECONFIG,
                1000,
                "multipart/form-data; boundary=b",
                b'--b\r\nContent-Disposition: form-data; name="k8sfile"\r\n\r\nkind: ',
            ),
        ],
    )
    async def test_a_body_that_does_not_come_is_not_waited_for(
        self, address: str, path: str, length: int, kind: str, begin: bytes
    ) -> None:
        async with Connection.open(address, path, length, kind) as client:
            assert await client.answered(begin, 30)
            status, headers, code = await client.answer()
        assert (status, code) == (408, "body_too_slow")
        assert headers["Connection"] == "close"
        assert headers["X-Request-Id"]

    async def test_nor_one_that_comes_drop_by_drop(self, address: str) -> None:
        async with Connection.open(address, PREFERENCES, 100_000, "application/json") as client:
            async with asyncio.timeout(30):
                while not await client.answered(b"x", 0.02):
                    pass
            status, _, code = await client.answer()
        assert (status, code) == (408, "body_too_slow")


class TestPatience:
    """A gateway that waits for three seconds, however long the whole takes."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return GatewaySettings(bus=nats.bus_settings("gateway"), port=0, body_idle_seconds=3.0)

    async def test_a_slow_line_takes_as_long_as_it_takes(self, address: str, stubs: Stubs) -> None:
        asked = await stubs.answer(identity.SAVE_PREFERENCES, identity.Preferences())
        part = b" " * 64 * 1024
        async with Connection.open(address, PREFERENCES, 10 * len(part) + 2, "application/json") as client:
            for _ in range(10):
                assert not await client.answered(part, 0.4)
            assert await client.answered(b"{}", 30)
            assert (await client.answer())[0] == 200
        assert len(asked) == 1


class TestNewcomers:
    """A gateway that closes connections without a request soon."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return GatewaySettings(bus=nats.bus_settings("gateway"), port=0, head_idle_seconds=0.3)

    @pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nHost: local"])
    async def test_a_head_that_does_not_come_is_not_waited_for(self, address: str, begin: bytes) -> None:
        url = URL(address)
        request = f"GET /healthz/live HTTP/1.1\r\nHost: {url.authority}\r\n\r\n".encode()
        known, to_known = await asyncio.open_connection(url.host, url.port)
        new, to_new = await asyncio.open_connection(url.host, url.port)
        try:
            to_known.write(request)
            assert (await known.readline()).startswith(b"HTTP/1.1 200")
            to_new.write(begin)
            async with asyncio.timeout(30):
                with suppress(ConnectionError):
                    assert await new.read() == b""
            # Who has asked once may pause; the body before ends without a line's end.
            to_known.write(request)
            async with asyncio.timeout(30):
                while b"HTTP/1.1 200" not in await known.readline():
                    pass
        finally:
            to_known.transport.abort()
            to_new.transport.abort()
