"""One child process: started with a log file, ended with its parent, stopped with grace.

Every server of this library is started here and nowhere else.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from meshery_embedded.errors import StartError

_LAUNCHER = Path(__file__).with_name("_launch.py")
_LOG_KEPT_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 4096
_TAIL_LINES = 15


@dataclass(frozen=True)
class User:
    """The account that a child process runs under; only root can choose one."""

    uid: int
    gid: int


@dataclass(frozen=True)
class StopStep:
    """Send `signal`, then wait at most `grace_seconds` for the end."""

    signal: signal.Signals
    grace_seconds: float


DEFAULT_STOP = (StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Command:
    """What to start and how to end it.

    `log` gets standard output and error, appended. `env` replaces the environment. `orphan_signal`
    is sent by the kernel when this process dies without stopping its child (Linux only).
    `kept_fds` stay open in the child, for locks that shall live as long as it does.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: User | None = None
    stop: Sequence[StopStep] = DEFAULT_STOP
    orphan_signal: signal.Signals = signal.SIGTERM
    kept_fds: Sequence[int] = ()


class Process(asyncio.SubprocessProtocol):
    """A started child process.

    `exited` resolves with the exit code (negative: the signal) at every end. `died` resolves with
    it only when nobody had asked for the end, so an owner can wait for it to notice a failure; it
    stays pending for ever after `stop()` or `kill()`.
    """

    def __init__(self, command: Command, log_start: int) -> None:
        loop = asyncio.get_running_loop()
        self.command = command
        self.exited: asyncio.Future[int] = loop.create_future()
        self.died: asyncio.Future[int] = loop.create_future()
        self._log_start = log_start
        self._asked_to_end = False
        self._transport: asyncio.SubprocessTransport
        self.pid = 0

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Start the child; it is running, not necessarily ready, on return.

        Raises OSError when the log cannot be written or no process can be made. A program that
        cannot be executed shows as an exit with code 127, its reason in the log.
        """
        user = command.user or User(-1, -1)
        argv = [
            *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())),
            *(str(int(command.orphan_signal)), str(user.uid), str(user.gid)),
            *command.argv,
        ]
        log_fd = _open_log(command.log)
        try:
            log_start = os.fstat(log_fd).st_size
            _, process = await asyncio.get_running_loop().subprocess_exec(
                lambda: cls(command, log_start),
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                env=None if command.env is None else dict(command.env),
                cwd=None if command.cwd is None else str(command.cwd),
                # Ctrl-C in a terminal goes to the whole session; the owner decides what it means.
                start_new_session=True,
                pass_fds=tuple(command.kept_fds),
            )
        finally:
            os.close(log_fd)
        return process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = int(self._transport.get_pid())

    def process_exited(self) -> None:
        code = self._transport.get_returncode()
        code = -1 if code is None else code
        for future in (self.exited, *(() if self._asked_to_end else (self.died,))):
            if not future.done():
                future.set_result(code)
        self._transport.close()

    @property
    def running(self) -> bool:
        return not self.exited.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._transport.send_signal(number)

    async def ready(
        self,
        probe: Callable[[], Awaitable[bool]],
        *,
        timeout_seconds: float,
        interval_seconds: float = 0.02,
    ) -> None:
        """Return when `probe` says so; raises StartError when the process ends or time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not self.exited.done():
            if await probe():
                return
            if loop.time() > deadline:
                raise self.start_error(f"was not ready after {timeout_seconds:g} s")
            await asyncio.wait([self.exited], timeout=interval_seconds)
        raise self.start_error(f"ended with {_ending(self.exited.result())} while it started")

    def start_error(self, words: str, *, mend: str = "") -> StartError:
        """An error about this process, with the last lines of what this run of it has logged."""
        return StartError(
            f"{self.command.name} {words}",
            process=self.command.name,
            log_tail=self.log_tail(),
            where=str(self.command.log),
            mend=mend or "read the log named above",
        )

    def log_tail(self) -> str:
        """The last lines that this run has logged."""
        try:
            with self.command.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(min(self._log_start, size), size - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def log_size(self) -> int:
        """Size of the log in bytes now, for `log_since`."""
        return self.command.log.stat().st_size

    def log_since(self, size_bytes: int) -> str:
        """What was logged after the log had this size."""
        with self.command.log.open("rb") as log:
            log.seek(size_bytes)
            return log.read().decode(errors="replace")

    async def stop(self) -> None:
        """End the process by its stop steps.

        Cancelled while waiting, it kills at once: a cancelled owner leaves nothing behind.
        """
        self._asked_to_end = True
        try:
            for step in self.command.stop:
                if not self.running:
                    break
                self.signal(step.signal)
                await asyncio.wait([self.exited], timeout=step.grace_seconds)
        finally:
            self._kill_group()

    async def kill(self) -> None:
        """End the process by SIGKILL, as a fault would, and return when it is gone."""
        self._asked_to_end = True
        self._kill_group()
        await asyncio.wait([self.exited])

    async def finish(self, *, timeout_seconds: float) -> None:
        """Wait for a process that ends by itself; raises StartError unless it ends with 0."""
        try:
            await asyncio.wait([self.exited], timeout=timeout_seconds)
            if self.running:
                raise self.start_error(f"did not finish in {timeout_seconds:g} s")
        finally:
            await self.stop()
        if code := self.exited.result():
            raise self.start_error(f"ended with {_ending(code)}")

    def _kill_group(self) -> None:
        # Only while the leader lives: after it, the group's id may belong to somebody else.
        if self.running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def _open_log(path: Path) -> int:
    """Open a log for appending; one that has grown large becomes `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_KEPT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
