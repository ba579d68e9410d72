"""`python -m meshery_standalone` (`make up`): Meshery on a laptop. Ctrl-C stops everything.

Light, because Ctrl-C may come while the rest is loaded: nothing runs yet then, so the end is at once and quiet.
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main() -> int:
    """Run until told to stop; the exit code says whether it ran."""
    started = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os._exit(0))
    from meshery_standalone.life import live

    return live(started)


if __name__ == "__main__":
    sys.exit(main())
