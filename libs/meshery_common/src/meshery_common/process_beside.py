"""What runs in the process of a `WorkerProcess`: reads a question, does it, writes the answer, until its input ends.

Standard library only, so that it starts fast. A frame is its length in eight bytes and a pickle: a question is a
function by its name and its arguments, an answer is whether it is a result, and the result or the exception.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import sys
import traceback
from typing import BinaryIO

SIZE_BYTES = 8


def framed(data: bytes) -> bytes:
    """A frame."""
    return len(data).to_bytes(SIZE_BYTES) + data


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


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until there are no more."""
    while size := questions.read(SIZE_BYTES):
        answers.write(framed(answered(questions.read(int.from_bytes(size)))))
        answers.flush()


def limit_memory(size: int) -> None:
    """Let what needs more than this many bytes fail with MemoryError, where the system can."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        limit_memory(int(sys.argv[1]))
    # Ctrl-C in a terminal reaches us as well; our end is decided by whoever started us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the work prints must not end up among the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        main(sys.stdin.buffer, answers)
