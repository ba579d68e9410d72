"""The whole product as its users start it: `python -m meshery_standalone`, a child process with a folder of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from meshery_embedded.cluster.binaries import cache_folder
from meshery_testkit.postgres import data_folder

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_KILL_SECONDS = 15.0


class Installation:
    """A started laptop mode. Its output is that of a pipe."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self._folder = folder
        self._process = process
        self._reading = asyncio.Event()
        self.home = home_in(folder)
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        """Process id of the first process."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything that was written to the terminal so far."""
        return "\n".join(self.lines)

    @property
    def log(self) -> str:
        """What its log file has."""
        return (self.home / "logs" / "meshery.log").read_text()

    @property
    def url(self) -> str:
        """The gateway."""
        return self._found(r"Meshery is ready:\s+(\S+)")

    @property
    def nats_url(self) -> str:
        """NATS."""
        return self._found(r"NATS:\s+(\S+)")

    async def read(self) -> None:
        """Collect the output until it ends; run beside the test by the fixture."""
        assert self._process.stdout is not None  # noqa: S101 -- it is a pipe
        while line := await self._process.stdout.readline():
            self.lines.append(line.decode().rstrip("\n"))
            self._reading.set()

    async def says(self, text: str, *, timeout_seconds: float = _START_SECONDS) -> None:
        """Wait until a line of the output has this text. Raises AssertionError when it ends without."""
        async with asyncio.timeout(timeout_seconds):
            while not any(text in line for line in self.lines):
                self._reading.clear()
                waiting = asyncio.ensure_future(self._reading.wait())  # noqa: TID251 -- awaited in this loop
                ending = asyncio.ensure_future(self._process.wait())  # noqa: TID251
                await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if ending.done() and not any(text in line for line in self.lines):
                    raise AssertionError(f"it ended before it said {text!r}:\n{self.output}")
                ending.cancel()

    async def ready(self) -> None:
        """Wait until people may come. Raises AssertionError when it ends before."""
        await self.says("Ctrl-C stops everything")

    async def ended(self, *, timeout_seconds: float = _STOP_SECONDS) -> int:
        """Wait for its end; the exit code. Raises TimeoutError, with nothing changed."""
        async with asyncio.timeout(timeout_seconds):
            return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a supervisor does."""
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Send SIGINT to the whole foreground process group, as a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def processes(self) -> dict[int, str]:
        """All processes that belong to it: pid and command line."""
        return processes_of(self._folder)

    async def kill(self) -> None:
        """End all of it by SIGKILL, as the loss of the machine would, and wait until nothing is left."""
        while self.processes():
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            await asyncio.sleep(0.02)
        await self._process.wait()

    async def until_gone(self, *, timeout_seconds: float = _KILL_SECONDS) -> None:
        """Wait until no process is left, neither the first nor any that it started. Raises AssertionError."""
        deadline = time.monotonic() + timeout_seconds
        while left := self.processes():
            if time.monotonic() > deadline:
                raise AssertionError(f"still running: {left}")
            await asyncio.sleep(0.05)

    def _found(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        if match is None:
            raise AssertionError(f"nothing like {pattern!r} in:\n{self.output}")
        return match[1]


def processes_of(folder: Path) -> dict[int, str]:
    """Processes that name the folder in their command line or environment: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command, environment = ((entry / part).read_bytes() for part in ("cmdline", "environ"))
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            # Gone, or somebody else's.
            continue
        if state != "Z" and os.fsencode(folder) in command + environment:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


class Installations(Protocol):
    """Starts the product; see the fixture `installations`."""

    def __call__(
        self, *, account: int | None = None, own_mode: int = 0o711, **environment: str
    ) -> Awaitable[Installation]: ...


@pytest.fixture
async def installations() -> AsyncIterator[Installations]:
    """`await installations(MESHERY_SEPARATE="true")`: the product, started; always with the same data in this test.

    Free ports, no sandbox and no kubeconfig unless the environment says otherwise. `account` is whom it runs as;
    only root can choose, and the data become that account's. `own_mode` is the mode of the person's home. Nothing
    outlives the test.
    """
    with data_folder() as data:
        folder = data.parent
        async with asyncio.TaskGroup() as group:
            started: list[Installation] = []

            async def start(
                *, account: int | None = None, own_mode: int = 0o711, **environment: str
            ) -> Installation:
                folder.chmod(own_mode)
                if account is not None:
                    os.chown(folder, account, account)
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "meshery_standalone"),
                    env=environment_for(folder) | environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                    cwd=folder,
                    user=account,
                    group=account,
                    extra_groups=None if account is None else [],
                )
                one = Installation(folder, process)
                started.append(one)
                group.create_task(one.read())
                return one

            yield start
            for one in started:
                await one.kill()


def home_in(folder: Path) -> Path:
    """The data folder; its name is one that people do have."""
    return folder / "José's data"


def environment_for(folder: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a person whose home is the folder."""
    kept = {key: value for key, value in inherited.items() if not key.startswith("MESHERY_")}
    return kept | {
        "HOME": str(folder),
        "MESHERY_HOME": str(home_in(folder)),
        "MESHERY_PORT": "0",
        "MESHERY_NATS_PORT": "0",
        "MESHERY_NATS_MONITOR_PORT": "0",
        "MESHERY_SANDBOX": "off",
        "MESHERY_KUBECONFIG": "",
        "MESHERY_DURABLE": "false",
        "MESHERY_CACHE": str(cache_folder()),
    }
