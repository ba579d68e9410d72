"""The agent as a child process: commands in, reports out, an end in order."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr

from meshery_contracts.discovery import Unwatch, Watch, WatchReport, WatchStatus
from meshery_testkit.nats import NATSForTests

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away, user: away}}]
clusters: [{name: away, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: away, user: {token: the-very-secret-token}}]
"""


class Child:
    """A running agent and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def report(self) -> WatchReport:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while not (line := await self.process.stdout.readline()).strip():
                assert line, "it has ended"
        return WatchReport.model_validate_json(line)

    async def sign(self) -> bool:
        """Whether the next thing it says is only that it lives."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return await self.process.stdout.readline() == b"\n"


@asynccontextmanager
async def child(nats: NATSForTests) -> AsyncIterator[Child]:
    settings = nats.bus_settings("meshsync")
    assert settings.nkey_seed is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "meshery_meshsync",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "MESHSYNC_BUS__URL": settings.url,
            "MESHSYNC_BUS__NKEY_SEED": settings.nkey_seed.get_secret_value(),
        },
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def watch() -> Watch:
    return Watch(
        connection_id=uuid4(),
        organization_id=uuid4(),
        kubeconfig=SecretStr(KUBECONFIG),
        allow_loopback=True,
        digest_key=SecretStr("the-very-secret-key"),
    )


async def test_it_gives_signs_of_life_without_being_asked(nats: NATSForTests) -> None:
    async with child(nats) as one:
        assert await one.sign()
        assert await one.sign()


async def test_the_end_of_the_pipe_is_the_end(nats: NATSForTests) -> None:
    async with child(nats) as one:
        await one.tell(watch().model_dump_json())
        assert (await one.report()).status is WatchStatus.WATCHING
        assert one.process.stdin is not None
        one.process.stdin.close()
        async with asyncio.timeout(20):
            assert await one.process.wait() == 0


async def test_a_cluster_that_cannot_be_reached_is_reported_and_others_go_on(nats: NATSForTests) -> None:
    async with child(nats) as one:
        await one.tell("this is no command")
        await one.tell('{"command":"watch","kubeconfig":"the-very-secret-token"}')
        command = watch()
        await one.tell(command.model_dump_json())
        assert (await one.report()).status is WatchStatus.WATCHING
        failed = await one.report()
        assert failed.status is WatchStatus.FAILED
        assert failed.connection_id == command.connection_id
        assert "127.0.0.1:1" in failed.error
        await one.tell(Unwatch(connection_id=command.connection_id).model_dump_json())
        assert (await one.report()).status is WatchStatus.ENDED


async def test_credentials_are_nowhere_to_be_found(nats: NATSForTests) -> None:
    async with child(nats) as one:
        await one.tell('{"command":"watch","kubeconfig":"the-very-secret-token"}')
        await one.tell(watch().model_dump_json())
        while (await one.report()).status is not WatchStatus.FAILED:
            pass
        for name in ("cmdline", "environ"):
            text = Path(f"/proc/{one.process.pid}/{name}").read_bytes()  # noqa: ASYNC240 -- not a disk
            assert b"the-very-secret" not in text
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.stderr is not None
        logged = await one.process.stderr.read()
        assert b"a command cannot be read" in logged
        assert b"the-very-secret" not in logged
