"""Commands from the parent process as lines on stdin, reports to it as lines on stdout."""

from __future__ import annotations

import asyncio
import sys

import structlog
from pydantic import ValidationError

from meshery_common.background import pause
from meshery_contracts.discovery import COMMAND, WatchReport
from meshery_meshsync.service import Agent

log = structlog.get_logger()

#: A kubeconfig may have a megabyte, and JSON makes it longer.
_LINE_BYTES = 8 * 1024 * 1024
_SIGN_SECONDS = 5.0


async def obey_parent(agent: Agent) -> None:
    """Obey line by line until the parent closes the pipe or is gone."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    while line := await reader.readline():
        if not line.strip():
            continue
        try:
            command = COMMAND.validate_json(line)
        except ValidationError as error:
            # Never the line itself: it may hold a credential.
            fields = [".".join(map(str, one["loc"])) for one in error.errors(include_input=False)]
            log.error("a command cannot be read", fields=fields)  # noqa: TRY400 -- a trace would show it
            continue
        await agent.obey(command)


def tell_parent(report: WatchReport) -> None:
    """One line. A parent that is gone is noticed on stdin."""
    _write(report.model_dump_json().encode())


async def give_signs() -> None:
    """An empty line again and again, so that the parent sees that we are at work; runs beside it."""
    while True:
        _write(b"")
        await pause(_SIGN_SECONDS)


def _write(line: bytes) -> None:
    try:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        pass
