"""What runs in the process of a `WorkerProcess`: reads a question, does it, writes the answer, until its input ends.

Standard library only, so that it starts fast. A frame is its length in eight bytes and a pickle: a question is a
function by its name and its arguments, an answer is whether it is a result, and the result or the exception. An empty
frame is a sign of life; one comes every second, whatever the work is at.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import sys
import threading
import time
import traceback
from typing import BinaryIO

SIZE_BYTES = 8
_SIGN_SECONDS = 1.0
_STACK_BYTES = 256 * 1024


def framed(data: bytes) -> tuple[bytes, bytes]:
    """A frame, in two parts: what is large is not copied for its length."""
    return len(data).to_bytes(SIZE_BYTES), data


def cut(arrived: bytearray) -> bytearray | None:
    """Take the first frame out of what has arrived; None while it is not whole."""
    if len(arrived) < SIZE_BYTES:
        return None
    end = SIZE_BYTES + int.from_bytes(arrived[:SIZE_BYTES])
    if len(arrived) < end:
        return None
    frame = arrived[SIZE_BYTES:end]
    del arrived[:end]
    return frame


def answered(question: bytes) -> bytes:
    """Do it, and say how it ended."""
    try:
        work, args = pickle.loads(question)  # noqa: S301 - written by the process that started us
        return pickle.dumps((True, work(*args)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised at the other end
        # Tracebacks do not cross a border.
        where = f"in the process beside:\n{''.join(traceback.format_exception(error))}"
        return pickle.dumps((False, (_sendable(error), where)))


def _sendable(error: Exception) -> Exception:
    """The error, or its words when it cannot be sent or read again."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - written in this very line
    except Exception:  # noqa: BLE001 - whatever its own code raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class Answers:
    """The way back: answers, and signs of life between them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """One frame, whole."""
        with self._lock:
            for part in framed(data):
                self._stream.write(part)
            self._stream.flush()

    def give_signs(self) -> None:
        """Say every second that we live, until nobody listens any more."""
        with contextlib.suppress(OSError, ValueError):
            while True:
                self.write(b"")
                time.sleep(_SIGN_SECONDS)


def main(questions: BinaryIO, answers: Answers) -> None:
    """Answer questions until there are no more."""
    while size := questions.read(SIZE_BYTES):
        answers.write(answered(questions.read(int.from_bytes(size))))


def limit_memory(size: int) -> None:
    """Let what needs more than this many bytes fail with MemoryError, where the system can."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    # Ctrl-C in a terminal reaches us as well; our end is decided by whoever started us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the work prints must not end up among the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        way_back = Answers(answers)
        threading.stack_size(_STACK_BYTES)
        threading.Thread(target=way_back.give_signs, daemon=True).start()
        threading.stack_size(0)
        if len(sys.argv) > 1:
            limit_memory(int(sys.argv[1]))
        main(sys.stdin.buffer, way_back)
