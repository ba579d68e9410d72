"""Cutting a byte stream into lines, each byte copied once or twice however the chunks fall."""

from meshery_kube.errors import ProtocolError


class LineSplitter:
    """Feed it chunks, get whole lines (without the line feed). Keeps only the unfinished rest."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max = max_line_bytes
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of the line that has not ended yet."""
        return self._size

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in `chunk`. Raises ProtocolError when a line grows too long."""
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._parts:
            # A long line is kept as a list and joined once: appending to bytes would be quadratic.
            self._parts.append(lines[0])
            lines[0] = b"".join(self._parts)
            self._parts = []
            self._size = 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._max or any(len(line) > self._max for line in lines):
            raise ProtocolError(f"a line has more than {self._max} bytes")
        return lines

    def finish(self) -> bytes:
        """What came after the last line feed; the splitter is empty afterwards."""
        rest = b"".join(self._parts)
        self._parts = []
        self._size = 0
        return rest
