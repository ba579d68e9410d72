"""`python -m meshery_meshsync`: the agent as a child process of the service that holds the credentials."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshery_common import runtime
from meshery_common.background import alongside
from meshery_meshsync.app import SERVICE, running
from meshery_meshsync.settings import MeshsyncSettings
from meshery_meshsync.workers import give_signs, obey_parent, tell_parent


@asynccontextmanager
async def obeying(settings: MeshsyncSettings) -> AsyncIterator[None]:
    """The agent with the parent's commands; when the parent closes the pipe the process stops in order."""

    async with running(settings, tell_parent) as agent, asyncio.TaskGroup() as group:

        async def obey() -> None:
            await obey_parent(agent)
            os.kill(os.getpid(), signal.SIGTERM)

        obeying_parent = group.create_task(obey())
        async with alongside(give_signs()):
            yield
        obeying_parent.cancel()


def main() -> None:
    """Read the settings from the environment and obey until the pipe ends."""
    settings = MeshsyncSettings()
    runtime.run(SERVICE, settings.telemetry, lambda: obeying(settings))


if __name__ == "__main__":
    main()
