"""What people see: plain in a pipe, and never a reason to end."""

from __future__ import annotations

import io

import pytest

from meshery_standalone.console import Console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO) -> list[str]:
    console = Console(stream)
    console.ready("NATS", "nats://127.0.0.1:4222")
    console.say("a word")
    console.warn("a warning")
    console.fail("what failed\nwhat to do")
    console.welcome("http://127.0.0.1:9081", "nats://127.0.0.1:4222", "/data", "/data/log")
    return stream.getvalue().splitlines()


def test_a_pipe_gets_no_colours() -> None:
    lines = written(io.StringIO())
    assert not any("\033" in line for line in lines)
    assert lines[3:5] == ["✗ what failed", "  what to do"]
    assert any(line.endswith("http://127.0.0.1:9081") for line in lines)


def test_a_terminal_gets_them_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert any("\033[31m" in line for line in written(Terminal()))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any("\033" in line for line in written(Terminal()))


def test_every_line_is_flushed() -> None:
    class Counting(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    stream = Counting()
    lines = written(stream)
    assert stream.flushes >= len(lines) - 1


def test_a_closed_terminal_is_no_reason_to_end() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    Console(Gone()).say("nobody hears this")
    closed = io.StringIO()
    console = Console(closed)
    closed.close()
    console.say("nor this")
