"""Becomes a child process: gives up root when asked, ties its life to the parent's, then execs.

Run as a script, so that nothing has to happen between fork and exec in the parent (its threads may
hold locks there). Standard library only, and no import of the package: it starts with -I -S.
Arguments: the parent's pid, signal when the parent dies, uid and gid (-1: keep), program, arguments.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent, orphan_signal, uid, gid = (int(word) for word in sys.argv[1:5])
    argv = sys.argv[5:]
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        # After setuid, which clears it. It survives exec.
        libc.prctl(_PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0)
    if os.getppid() != parent:
        # The parent died before prctl: no signal will ever come.
        sys.exit(0)
    try:
        os.execv(argv[0], argv)  # noqa: S606  # becoming the program is what this script is for
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error.strerror}\n")
        sys.exit(127)


_main()
