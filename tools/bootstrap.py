"""Make or refresh the virtual environment `.venv`: pinned packages with checked hashes, then every member, editable.

Runs with the machine's own Python and the standard library only. Does nothing when the pins and the
members are unchanged since the last run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PINS = ROOT / "requirements" / "dev.txt"
BOOTSTRAP_PINS = ROOT / "requirements" / "bootstrap.txt"
STAMP = VENV / ".bootstrapped"
MEMBERS = ("libs/*", "services/*", "agents/*", "standalone")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def member_folders() -> list[Path]:
    """Every workspace member that has a pyproject.toml, in a stable order."""
    found = {file.parent for pattern in MEMBERS for file in ROOT.glob(f"{pattern}/pyproject.toml")}
    return sorted(found)


def fingerprint() -> str:
    """What the environment depends on: Python, the pins, and every member's declaration."""
    digest = hashlib.sha256(sys.version.encode())
    for file in [PINS, BOOTSTRAP_PINS, *(folder / "pyproject.toml" for folder in member_folders())]:
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def run(*command: str) -> None:
    # Quiet package clients still print what went wrong.
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, "VIRTUAL_ENV": str(VENV)})
    if result.returncode != 0:
        raise SystemExit(f"setup: failed ({result.returncode}): {' '.join(command)}")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 -- runs with whatever Python the machine has
        raise SystemExit(
            f"setup: Python 3.11 or newer is needed, this is {sys.version.split()[0]}. "
            "Name another one with: make PYTHON=/path/to/python3.11"
        )
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    started = time.monotonic()
    python = VENV / "bin" / "python"
    uv = VENV / "bin" / "uv"
    if not python.exists():
        say("making .venv")
        venv.create(VENV, with_pip=True)
    if not uv.exists():
        say("installing uv")
        run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check",
            "--require-hashes", "-r", str(BOOTSTRAP_PINS))  # fmt: skip
    say("installing pinned packages (a minute on a fresh machine)")
    run(str(uv), "pip", "sync", "-q", "--require-hashes", str(PINS))
    say("installing the members")
    editable = [part for folder in member_folders() for part in ("-e", str(folder))]
    run(str(uv), "pip", "install", "-q", "--no-deps", "--no-build-isolation", *editable)
    STAMP.write_text(wanted)
    say(f"done in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
