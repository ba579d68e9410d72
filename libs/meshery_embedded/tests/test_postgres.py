"""A real PostgreSQL: start, find again, faults, and who may use the data."""

import asyncio
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import asyncpg
import pytest

from meshery_embedded import DataInUseError, DataVersionError, PortTakenError, StartError, postgres
from meshery_embedded.postgres_home import choose_home


async def _value(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_data_are_found_again(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        await _value(server.admin_dsn(), "create table kept as select 7 as x")
    assert not server.process.running
    async with postgres(tmp_path, durable=False) as again:
        assert await _value(again.admin_dsn(), "select x from kept") == 7
        assert again.password == server.password
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


async def test_settings_fit_a_small_machine(tmp_path: Path) -> None:
    async with postgres(tmp_path) as server:
        wanted = {"shared_buffers": "32MB", "max_connections": "120", "jit": "off", "fsync": "on"}
        for name, value in wanted.items():
            assert await _value(server.admin_dsn(), f"show {name}") == value
        collation = await _value(
            server.admin_dsn(), "select datlocale from pg_database where datname = 'postgres'"
        )
        assert collation == "C.UTF-8"
        await _value(server.admin_dsn(), "create extension pg_trgm")


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host=server.host, port=server.port, user="postgres", password="guess")


async def test_a_living_server_keeps_its_data(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False):
        with pytest.raises(DataInUseError) as caught:
            async with postgres(tmp_path):
                pass
    assert caught.value.pid == os.getpid()


async def test_a_foreign_postmaster_on_the_data_is_named(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        # Without its lock file the server is like one that somebody else has started there.
        (tmp_path / ".lock").unlink()
        with pytest.raises(DataInUseError) as caught:
            async with postgres(tmp_path):
                pass
        assert caught.value.pid == server.pid


async def test_killed_postmaster_is_noticed_and_the_data_start_again(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        await _value(server.admin_dsn(), "create table kept as select 7 as x")
        os.kill(server.pid, signal.SIGKILL)
        assert await asyncio.wait_for(server.died, 10) == -signal.SIGKILL
    async with postgres(tmp_path, durable=False) as again:
        assert await _value(again.admin_dsn(), "select x from kept") == 7


async def test_a_stale_pid_of_another_living_process_does_not_block(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(server.died, 10)
    pid_file = choose_home(tmp_path).pgdata / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:], ""]))
    async with postgres(tmp_path, durable=False) as again:
        assert await _value(again.admin_dsn(), "select 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_an_orphan_of_a_killed_parent_does_not_block(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from meshery_embedded import postgres
async def main():
    async with postgres(Path({str(tmp_path)!r}), durable=False):
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await parent.wait() == -signal.SIGKILL
    async with postgres(tmp_path, durable=False) as again:
        assert await _value(again.admin_dsn(), "select 1") == 1


async def test_data_of_a_newer_major_are_refused(tmp_path: Path) -> None:
    pgdata = choose_home(tmp_path).pgdata
    pgdata.mkdir()
    (pgdata / "PG_VERSION").write_text("99\n")
    with pytest.raises(DataVersionError) as caught:
        async with postgres(tmp_path):
            pass
    assert "PostgreSQL 99" in caught.value.what


async def test_a_wished_port_is_used_and_a_taken_one_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError):
            async with postgres(tmp_path, port=port, durable=False):
                pass
    async with postgres(tmp_path, port=port, durable=False) as server:
        assert server.port == port


async def test_a_failed_start_tells_the_servers_words(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False):
        pass
    (choose_home(tmp_path).pgdata / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StartError) as caught:
        async with postgres(tmp_path, durable=False):
            pass
    assert caught.value.process == "postgres"
    assert "no_such_setting" in caught.value.log_tail


async def test_an_interrupted_first_start_begins_anew(tmp_path: Path) -> None:
    half = choose_home(tmp_path).root / "pgdata.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with postgres(tmp_path, durable=False) as server:
        assert await _value(server.admin_dsn(), "select 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")
async def test_root_gives_the_server_an_unprivileged_account(tmp_path: Path) -> None:
    async with postgres(tmp_path, durable=False) as server:
        assert (await asyncio.to_thread(Path(f"/proc/{server.pid}").stat)).st_uid != 0
