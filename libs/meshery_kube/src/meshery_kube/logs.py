"""The log of a container, as it is written."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from meshery_kube.kinds import POD
from meshery_kube.transports import Call, Query, Stream, Transport

_MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which part of a log. `tail_lines` and `since_seconds` count from the end; None means all.

    `container` may stay None for a Pod that has only one; `previous` asks for the log of the
    container that ran before the last restart; `limit_bytes` ends the stream.
    """

    container: str | None = None
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    limit_bytes: int | None = None

    def query(self) -> Query:
        """The options as query parameters."""
        pairs: list[tuple[str, str]] = []
        if self.container is not None:
            pairs.append(("container", self.container))
        flags = (
            ("follow", self.follow),
            ("previous", self.previous),
            ("timestamps", self.timestamps),
        )
        pairs += [(name, "true") for name, wanted in flags if wanted]
        numbers = (
            ("tailLines", self.tail_lines),
            ("sinceSeconds", self.since_seconds),
            ("limitBytes", self.limit_bytes),
        )
        pairs += [(name, str(number)) for name, number in numbers if number is not None]
        return tuple(pairs)


class Logs:
    """Container logs of one cluster. Use the iterators inside `contextlib.aclosing`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def chunks(
        self, pod: str, namespace: str, options: LogOptions | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The log as bytes, in pieces as they come. A followed log ends with its container.

        Raises KubeError's subclasses, BadRequest while the container is still being created.
        """
        call = Call(
            "GET",
            POD.object_path(pod, namespace, "log"),
            (options or LogOptions()).query(),
            accept="*/*",
        )
        async with self._transport.stream(call) as stream:
            while chunk := await _read(stream):
                yield chunk

    async def lines(
        self, pod: str, namespace: str, options: LogOptions | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The log by lines, without line feeds; one of over 1 MiB comes in several parts."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks(pod, namespace, options):
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                yield b"".join([*parts, line]) if parts else line
                parts, size = [], 0
            if rest:
                parts.append(rest)
                size += len(rest)
            if size > _MAX_LINE_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        if parts:
            yield b"".join(parts)


async def _read(stream: Stream) -> bytes:
    # No idle limit: a quiet log is no fault, and TCP keep-alive finds a dead peer.
    return await stream.read()
