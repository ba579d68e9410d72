"""A real PostgreSQL: start, find again, faults, and who may use the data."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from meshery_embedded import DataInUseError, DataVersionError, PortTakenError, StartError, postgres
from meshery_embedded.postgres_home import choose_home


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "postgres"
    # As root it lies elsewhere, where pytest does not clean.
    shutil.rmtree(choose_home(tmp_path / "postgres", durable=True).root)


async def _value(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def mapped_by(pid: int) -> str:
    """The memory of a process, with the files that it is of."""
    return Path(f"/proc/{pid}/maps").read_text()


async def test_data_are_found_again(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        await _value(server.admin_dsn(), "create table kept as select 7 as x")
    assert not server.process.running
    async with postgres(data, durable=False) as again:
        assert await _value(again.admin_dsn(), "select x from kept") == 7
        assert again.password == server.password
    assert stat.S_IMODE((data / "password").stat().st_mode) == 0o600


async def test_settings_fit_a_small_machine(data: Path) -> None:
    async with postgres(data) as server:
        wanted = {"shared_buffers": "32MB", "max_connections": "120", "jit": "off", "fsync": "on"}
        for name, value in wanted.items():
            assert await _value(server.admin_dsn(), f"show {name}") == value
        collation = await _value(
            server.admin_dsn(), "select datlocale from pg_database where datname = 'postgres'"
        )
        assert collation == "C.UTF-8"
        await _value(server.admin_dsn(), "create extension pg_trgm")


async def test_a_killed_throw_away_server_leaves_nothing_beside_its_data(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        assert "/dev/shm/PostgreSQL." not in await asyncio.to_thread(mapped_by, server.process.pid)


async def test_a_wrong_password_is_refused(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host=server.host, port=server.port, user="postgres", password="guess")


async def test_a_living_server_keeps_its_data(data: Path) -> None:
    async with postgres(data, durable=False):
        with pytest.raises(DataInUseError) as caught:
            async with postgres(data):
                pass
    assert caught.value.pid == os.getpid()


async def test_a_foreign_postmaster_on_the_data_is_named(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        # Without its lock file the server is like one that somebody else has started there.
        (data / ".lock").unlink()
        with pytest.raises(DataInUseError) as caught:
            async with postgres(data):
                pass
        assert caught.value.pid == server.pid


async def test_killed_postmaster_is_noticed_and_the_data_start_again(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        await _value(server.admin_dsn(), "create table kept as select 7 as x")
        os.kill(server.pid, signal.SIGKILL)
        assert await asyncio.wait_for(server.died, 10) == -signal.SIGKILL
    async with postgres(data, durable=False) as again:
        assert await _value(again.admin_dsn(), "select x from kept") == 7


async def test_a_stale_pid_of_another_living_process_does_not_block(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(server.died, 10)
    pid_file = choose_home(data, durable=False).pgdata / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:], ""]))
    async with postgres(data, durable=False) as again:
        assert await _value(again.admin_dsn(), "select 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_an_orphan_of_a_killed_parent_does_not_block(data: Path) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from meshery_embedded import postgres
async def main():
    async with postgres(Path({str(data)!r}), durable=False):
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await parent.wait() == -signal.SIGKILL
    async with postgres(data, durable=False) as again:
        assert await _value(again.admin_dsn(), "select 1") == 1


async def test_data_of_a_newer_major_are_refused(data: Path) -> None:
    pgdata = choose_home(data, durable=False).pgdata
    pgdata.mkdir()
    (pgdata / "PG_VERSION").write_text("99\n")
    with pytest.raises(DataVersionError) as caught:
        async with postgres(data):
            pass
    assert "PostgreSQL 99" in caught.value.what


async def test_a_wished_port_is_used_and_a_taken_one_told(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError):
            async with postgres(data, port=port, durable=False):
                pass
    async with postgres(data, port=port, durable=False) as server:
        assert server.port == port


async def test_a_failed_start_tells_the_servers_words(data: Path) -> None:
    async with postgres(data, durable=False):
        pass
    (choose_home(data, durable=False).pgdata / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StartError) as caught:
        async with postgres(data, durable=False):
            pass
    assert caught.value.process == "postgres"
    assert "no_such_setting" in caught.value.log_tail


async def test_an_interrupted_first_start_begins_anew(data: Path) -> None:
    half = choose_home(data, durable=False).root / "pgdata.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with postgres(data, durable=False) as server:
        assert await _value(server.admin_dsn(), "select 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")
async def test_root_gives_the_server_an_unprivileged_account(data: Path) -> None:
    async with postgres(data, durable=False) as server:
        assert (await asyncio.to_thread(Path(f"/proc/{server.pid}").stat)).st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's data can lie elsewhere")
async def test_data_of_a_test_that_lie_elsewhere_go_when_its_folder_is_gone(tmp_path: Path) -> None:
    # pytest's folders are closed to other accounts, as homes are.
    for name, durable in (("kept", True), ("gone", False), ("next", False)):
        async with postgres(tmp_path / name, durable=durable):
            pass
        home = choose_home(tmp_path / name, durable=durable)
        if name != "next":
            await asyncio.to_thread(shutil.rmtree, tmp_path / name)
            assert home.pgdata.exists()
    gone = choose_home(tmp_path / "gone", durable=True)
    kept = choose_home(tmp_path / "kept", durable=True)
    assert not gone.pgdata.exists()
    assert kept.pgdata.exists()
    for home in (gone, kept):
        shutil.rmtree(home.root)
