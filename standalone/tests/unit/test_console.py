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


def test_steps_take_one_line_of_a_terminal() -> None:
    stream = Terminal()
    console = Console(stream)
    for number in range(3):
        console.step(f"{number} of 3 {'.' * 500}")
    console.say("done")
    *steps, last = stream.getvalue().split("\r\033[K")
    assert [step[:10] for step in steps] == ["", "  0 of 3 .", "  1 of 3 .", "  2 of 3 ."]
    assert not any("\n" in step for step in steps)
    assert max(map(len, steps)) < 300, "a line that wraps cannot be taken back"
    assert last == "  done\n"


def test_a_pipe_gets_few_of_many_steps() -> None:
    stream = io.StringIO()
    console = Console(stream)
    for number in range(100):
        console.step(f"{number} of 100")
    console.say("done")
    assert stream.getvalue() == "  0 of 100\n  done\n"


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
