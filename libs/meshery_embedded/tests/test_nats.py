"""A real nats-server: start, addresses, faults, configuration."""

import asyncio
import contextlib
import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from meshery_embedded import DataInUseError, EmbeddedError, StartError, nats_server
from meshery_embedded.ports import free_port


@contextlib.asynccontextmanager
async def _client(url: str, **options: str) -> AsyncIterator[Client]:
    client = await nats.connect(url, connect_timeout=5, allow_reconnect=False, **options)
    try:
        yield client
    finally:
        await client.close()


async def test_starts_on_any_port_with_jetstream_and_our_payload_limit(tmp_path: Path) -> None:
    async with (
        nats_server(data=tmp_path, config="", port=0, monitor_port=0) as server,
        _client(server.url) as client,
    ):
        assert server.port > 0
        assert client.max_payload == 8 * 1024 * 1024
        account = await client.jetstream().account_info()
        assert account.streams == 0
    assert not server.process.running


async def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    async with (
        nats_server(data=tmp_path / 'José\'s "new" data', config="", port=0, monitor_port=0) as server,
        _client(server.url) as client,
    ):
        await client.jetstream().account_info()


async def test_a_taken_port_gives_the_next_free_one(tmp_path: Path) -> None:
    wished = free_port()
    async with (
        nats_server(data=tmp_path / "a", config="", port=wished, monitor_port=0) as first,
        nats_server(data=tmp_path / "b", config="", port=first.port, monitor_port=first.port) as second,
    ):
        assert second.port > first.port
        assert second.monitor_port not in {first.port, second.port}


async def test_a_stream_survives_kill_and_restart_on_the_same_ports(tmp_path: Path) -> None:
    async with nats_server(data=tmp_path, config="", port=0, monitor_port=0) as server:
        before = (server.url, server.monitor_url)
        async with _client(server.url) as client:
            await client.jetstream().add_stream(name="facts", subjects=["facts.>"])
            await client.jetstream().publish("facts.one", b"1")
        await server.kill()
        await server.restart()
        assert (server.url, server.monitor_url) == before
        async with _client(server.url) as client:
            info = await client.jetstream().stream_info("facts")
            assert info.state.messages == 1


async def test_streams_are_found_again_by_the_next_server(tmp_path: Path) -> None:
    async with (
        nats_server(data=tmp_path, config="", port=0, monitor_port=0, durable=False) as server,
        _client(server.url) as client,
    ):
        await client.jetstream().add_stream(name="facts", subjects=["facts.>"])
    async with (
        nats_server(data=tmp_path, config="", port=0, monitor_port=0) as server,
        _client(server.url) as client,
    ):
        assert (await client.jetstream().stream_info("facts")).config.name == "facts"


async def test_the_callers_accounts_hold_and_reload_adds_a_user(tmp_path: Path) -> None:
    def config(*names: str) -> str:
        users = [{"user": name, "password": "secret"} for name in names]
        return f"authorization: {{ users: {json.dumps(users)} }}\n"

    async with nats_server(data=tmp_path, config=config("ann"), port=0, monitor_port=0) as server:
        assert stat.S_IMODE((tmp_path / "nats.conf").stat().st_mode) == 0o600
        async with _client(server.url, user="ann", password="secret"):
            pass
        await server.reload(config("ann", "bob"))
        async with _client(server.url, user="bob", password="secret"):
            pass


async def test_a_refused_reload_is_told(tmp_path: Path) -> None:
    async with nats_server(data=tmp_path, config="", port=0, monitor_port=0) as server:
        with pytest.raises(EmbeddedError) as caught:
            await server.reload("accounts {")
        assert "Parse error" in caught.value.what
        async with _client(server.url):
            pass


async def test_a_wrong_configuration_is_told_in_the_servers_words(tmp_path: Path) -> None:
    with pytest.raises(StartError) as caught:
        async with nats_server(data=tmp_path, config="accounts {", port=0, monitor_port=0):
            pass
    assert "Parse error" in caught.value.log_tail


async def test_two_servers_on_the_same_data_are_refused(tmp_path: Path) -> None:
    async with nats_server(data=tmp_path, config="", port=0, monitor_port=0):
        with pytest.raises(DataInUseError) as caught:
            async with nats_server(data=tmp_path, config="", port=0, monitor_port=0):
                pass
    assert caught.value.pid == os.getpid()


async def test_an_unexpected_end_shows(tmp_path: Path) -> None:
    async with nats_server(data=tmp_path, config="", port=0, monitor_port=0) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        assert await asyncio.wait_for(server.process.died, 10) == -signal.SIGKILL
