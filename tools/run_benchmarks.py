"""`make bench`: run every bench_*.py under bench/, one after the other, so that they do not disturb each other."""

from __future__ import annotations

import subprocess
import sys
import time

from workspace import ROOT


def main() -> int:
    """Run all; 1 when one failed."""
    files = sorted((ROOT / "bench").rglob("bench_*.py"))
    if not files:
        print("bench/ has no bench_*.py yet")
    failed = []
    for file in files:
        print(f"bench: {file.stem}", flush=True)
        started = time.monotonic()
        if subprocess.run([sys.executable, str(file)], cwd=ROOT, check=False).returncode != 0:
            failed.append(file.stem)
        print(f"bench: {file.stem} took {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        print(f"bench: failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
