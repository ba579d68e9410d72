"""Becomes a child process whose life is tied to its parent's, then execs the program that is named.

Run as a script with -I -S, so that nothing has to happen between fork and exec in the parent, whose threads may
hold locks. Standard library only. Arguments: the parent's pid, the program, its arguments.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent, argv = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # The parent died before prctl: no signal will ever come.
        sys.exit(0)
    os.execv(argv[0], argv)  # noqa: S606 -- becoming the program is what this script is for


_main()
