"""The guides do what they say: every block of them is run, in the order in which a person comes to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from tests.system import guides
from tests.system.clients import GraphQL, Rest, Stream
from tests.system.guides import Block, Link, Shell
from tests.system.waiting import until

from meshery_embedded.ports import free_port
from meshery_testkit.cluster import ClusterForTests

_START_SECONDS = 180.0
#: Guides that the walk-through sends its reader to.
_ASIDE = ("importing-models.md", "nats-integrators.md")


@dataclass
class Reader:
    """Somebody who reads a guide and types what stands there."""

    folder: Path
    environment: dict[str, str]
    port: int
    http: aiohttp.ClientSession
    stack: AsyncExitStack
    shell: Shell
    #: What runs on while the reader goes on, with what it has shown so far.
    beside: list[tuple[Block, Stream]] = field(default_factory=list)

    @property
    def graphql(self) -> GraphQL:
        """The explorer."""
        return GraphQL(Rest(self.http, f"http://127.0.0.1:{self.port}"))

    async def read(self, guide: str) -> None:
        """Do what a guide says; a link to another guide is followed once."""
        for one in guides.read(guide):
            if isinstance(one, Link):
                if one.guide in _ASIDE and guide not in _ASIDE:
                    await self.read(one.guide)
            else:
                await self._do(one)

    async def _do(self, block: Block) -> None:
        code = block.code.replace("9081", str(self.port))
        if block.kind == "sh":
            guides.check(block, await self.shell.type(block, code))
            if "k8sfile=@" in code:
                await self._settled()
        elif block.kind == "python":
            (self.folder / "example.py").write_text(code)
            guides.check(block, await self.shell.type(block, f"{sys.executable} example.py"))
        elif block.kind == "graphql" and code.startswith("subscription"):
            stream = await self.stack.enter_async_context(self.graphql.following(code))
            self.beside.append((block, stream))
        elif block.kind == "graphql":
            guides.check(block, json.dumps(await self.graphql.ask(code), indent=2))
        elif block.kind == "sh first terminal":
            assert code == "make up", f"{block}: the installation under test was started as `make up` does"
        else:
            assert block.kind == "sh third terminal", f"nobody knows how to run {block}"
            stream = await self.stack.enter_async_context(_output(code, self.folder, self.environment))
            self.beside.append((block, stream))

    async def _settled(self) -> None:
        """MeshSync and inventory agree for a while: a cluster that was given anew is read anew, and until that is
        over a subscription tells `resync` where it would tell single changes. A reader is slower than this test."""
        rest = Rest(self.http, f"http://127.0.0.1:{self.port}")
        calm = 0

        async def looks() -> int:
            nonlocal calm
            await asyncio.sleep(0.5)
            found = (await rest.get("/api/integrations/connections"))["connections"]
            states = {one["metadata"].get("meshsync", {}).get("status") for one in found}
            calm = calm + 1 if states == {"synced"} else 0
            return calm

        await until("MeshSync has agreed for five seconds", looks, lambda count: count >= 10, seconds=60)

    async def look_beside(self) -> None:
        """What ran on has shown what was promised."""
        for block, stream in self.beside:

            async def shown_so_far(stream: Stream = stream) -> str:
                return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in stream.received)

            await until(
                f"{block} shows {block.promised}",
                shown_so_far,
                lambda output, block=block: not guides.missing(block.promised, output),  # type: ignore[misc]
            )


@pytest.mark.cluster
@pytest.mark.timeout(400, func_only=True)
async def test_the_guides_do_what_they_say(sandbox_cluster: ClusterForTests, tmp_path: Path) -> None:
    del sandbox_cluster  # only so that Kubernetes is built: the installation brings a sandbox of its own
    port = free_port()
    home = tmp_path / "home"
    environment = _environment(tmp_path, home, port)
    async with (
        aiohttp.ClientSession() as http,
        AsyncExitStack() as stack,
        _output(f"exec {sys.executable} -m meshery_standalone", tmp_path, environment) as console,
        Shell.opened(
            tmp_path, {**environment, "KUBECONFIG": str(home / "sandbox" / "admin.kubeconfig")}
        ) as shell,
    ):
        [start] = [
            one for one in guides.read("walk-through.md") if isinstance(one, Block) and "first" in one.kind
        ]
        promised = start.promised.replace("9081", str(port))

        async def printed() -> str:
            assert not console.ended, f"it ended: {console.received[-20:]}"
            return "\n".join(console.received)

        await until(
            f"`make up` prints\n{promised}",
            printed,
            lambda output: not guides.missing(promised, output),
            seconds=_START_SECONDS,
        )
        rest = Rest(http, f"http://127.0.0.1:{port}")
        # The guide says that the inventory follows; a reader is slower than this test.
        await until("Pods may be listed", lambda: _counted(rest), lambda count: count > 100)
        reader = Reader(tmp_path, environment, port, http, stack, shell)
        await reader.read("walk-through.md")
        await reader.look_beside()
        assert {one.kind for one, _ in reader.beside} == {"sh third terminal", "graphql"}


async def _counted(rest: Rest) -> int:
    components = await rest.get("/api/registry/components/Deployment", trim="true")
    summary = await rest.get("/api/system/meshsync/resources/summary")
    return int(summary["total_count"]) if components["total_count"] else 0


def _environment(folder: Path, home: Path, port: int) -> dict[str, str]:
    """A person's own, who has no kubeconfig, on a machine where the usual ports are taken."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MESHERY_", "KUBE")) or name == "MESHERY_CACHE"
    }
    cache = os.environ.get("MESHERY_CACHE", str(Path.home() / ".cache" / "meshery"))
    return {
        **kept,
        "HOME": str(folder),
        "MESHERY_CACHE": cache,
        "MESHERY_HOME": str(home),
        "MESHERY_PORT": str(port),
        "MESHERY_NATS_PORT": "0",
        "MESHERY_NATS_MONITOR_PORT": "0",
        "MESHERY_DURABLE": "false",
    }


@asynccontextmanager
async def _output(code: str, folder: Path, environment: dict[str, str]) -> AsyncIterator[Stream]:
    """A command in a terminal of its own, ended by Ctrl-C at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", code),
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=1 << 24,
    )
    stream = Stream(code)

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            stream.put(line.decode(errors="replace").rstrip("\n"))
        stream.end(f"exit code {await process.wait()}")

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        try:
            yield stream
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
