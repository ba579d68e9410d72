"""What a person sees in the terminal: one line for each thing that is ready, and what to do next."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from typing import TextIO

#: A pipe or file keeps every line, so that it gets fewer of those that are good for a moment.
_SECONDS_BETWEEN_STEPS = 30.0


class Console:
    """Writes to a terminal or a pipe; never colours a pipe."""

    def __init__(self, stream: TextIO | None = None, *, started: float | None = None) -> None:
        self._stream = stream or sys.stdout
        self._started = time.monotonic() if started is None else started
        self._terminal = self._stream.isatty()
        self._coloured = self._terminal and "NO_COLOR" not in os.environ
        #: Whether the last line of the terminal is good for a moment only.
        self._passing = False
        self._next_step_at = 0.0

    def ready(self, what: str, detail: str = "") -> None:
        """Something works now."""
        seconds = time.monotonic() - self._started
        self._line(f"{self._paint('✓', 32)} {what:<14} {detail:<52} {seconds:5.1f} s".rstrip())

    def say(self, text: str) -> None:
        """Something a person wants to know."""
        self._line(f"  {_indented(text)}")

    def step(self, text: str) -> None:
        """How far something long is: on a terminal in one line that the next one takes, in a pipe now and then."""
        if self._terminal:
            width = max(shutil.get_terminal_size().columns - 1, 20)
            self._write(f"\r\033[K  {text}"[: width + 4])
            self._passing = True
        elif time.monotonic() >= self._next_step_at:
            self._next_step_at = time.monotonic() + _SECONDS_BETWEEN_STEPS
            self.say(text)

    def warn(self, text: str) -> None:
        """Something a person should look at."""
        self._line(f"{self._paint('!', 33)} {_indented(text)}")

    def fail(self, text: str) -> None:
        """Why it ends here."""
        self._line(f"{self._paint('✗', 31)} {_indented(text)}")

    def welcome(self, url: str, nats_url: str, home: str, log: str) -> None:
        """Where everything is, and the next step."""
        self._line("")
        self._line(f"  Meshery is ready:  {self._paint(url, 36)}")
        self._line(f"  GraphQL explorer:  {url}/api/system/graphql/playground")
        self._line(f"  NATS:              {nats_url}")
        self._line(f"  Data and log:      {home}, {log}")
        self._line("")
        self._line(f"  Next: curl {url}/api/system/kubernetes/contexts    (Ctrl-C stops everything)")
        self._line("")

    def _paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text

    def _line(self, text: str) -> None:
        gone = "\r\033[K" if self._passing else ""
        self._passing = False
        self._write(f"{gone}{text}\n")

    def _write(self, text: str) -> None:
        # A closed terminal or pipe is no reason to end.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
