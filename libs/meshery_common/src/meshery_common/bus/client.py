"""nats-py's client with its two costly ways made short: headers, and the wait for a reply; and with what it hides.

nats-py reads and writes headers letter by letter and wraps every wait into a task of its own; on our read path that
was more than all the rest of the bus. It swallows a cancellation that comes while it flushes, and does not notice when
one of its own tasks has ended by an error. Whatever is unusual goes the way of nats-py itself. Nothing in here knows of
endpoints or callers; who raises the pinned version of nats-py runs `tests/bus/test_client.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from nats import errors
from nats.aio.client import DEFAULT_FLUSH_TIMEOUT, Client
from nats.aio.msg import Msg
from nats.protocol import command

_FIRST_LINE: Final = "NATS/1.0\r\n"


class QuickClient(Client):
    """A `nats.aio.client.Client` that does the same with less."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0
        #: Header names that have been checked: there are a dozen.
        self._names: set[str] = set()

    @property
    def is_deaf(self) -> bool:
        """Whether nothing will ever come in again: the task that reads, or the one that reconnects, has ended."""
        if self.is_closed or self.is_draining:
            return False
        task = self._reading_task if self.is_connected else self._reconnection_task
        return task is None or task.done()

    def abandon(self) -> None:
        """Let go of the socket without a word: whoever is at the other end may not even read."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def flush(self, timeout: int = DEFAULT_FLUSH_TIMEOUT) -> None:
        """Wait until the server has what was sent so far. Raises `nats.errors.FlushTimeoutError`."""
        with _heeding():
            await super().flush(timeout)

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        with _heeding():
            return await super()._flush_pending(force_flush)

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        found = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            name = name.strip()
            # A name is one word of ASCII; anything else is no header.
            if colon and name.isascii() and len(name.split()) <= 1:
                found[name] = value.strip()
        return found

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        if headers is None or not self._are_plain(headers):
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            if headers is not None:
                self._names.update(headers)
            return
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        block = f"{_FIRST_LINE}{lines}\r\n".encode()
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(command.hpub_cmd(subject, reply, block, payload))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def _are_plain(self, headers: dict[str, Any]) -> bool:
        """Whether the names are known to be good and no value could end its line."""
        return self._names.issuperset(headers) and not any(
            "\r" in value or "\n" in value for value in headers.values()
        )

    async def _request_new_style(
        self, subject: str, payload: bytes, timeout: float = 1, headers: dict[str, Any] | None = None
    ) -> Msg:
        if self.is_draining_pubs:
            raise errors.ConnectionDrainingError
        if not self._resp_sub_prefix:
            await self._init_request_sub()
        assert self._resp_sub_prefix is not None  # noqa: S101 -- just made
        # The inbox's own name cannot be guessed; in it a number is enough.
        self._asked += 1
        token = str(self._asked)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Msg] = loop.create_future()
        self._resp_map[token] = answered
        patience = loop.call_later(timeout, _give_up, answered)
        try:
            await self.publish(subject, payload, f"{self._resp_sub_prefix.decode()}{token}", headers)
            return await answered
        finally:
            patience.cancel()
            del self._resp_map[token]


@contextmanager
def _heeding() -> Iterator[None]:
    """Raise CancelledError at the end of the block when it was asked for meanwhile: nats-py swallows it."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def _give_up(answered: asyncio.Future[Msg]) -> None:
    if not answered.done():
        answered.set_exception(errors.TimeoutError())
