"""Pin every third-party package of the workspace, with hashes, into requirements/dev.txt.

Reads the dependencies that the members and the root declare; never edits them. `uv.lock` is not used
because it records the host of the package registry.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = ("libs/*", "services/*", "agents/*", "standalone")
OUTPUT = ROOT / "requirements" / "dev.txt"


def declared() -> list[str]:
    """Third-party requirements of all members and of the dev group, sorted, each once."""
    found: set[str] = set()
    for pattern in MEMBERS:
        for pyproject in ROOT.glob(f"{pattern}/pyproject.toml"):
            document = tomllib.loads(pyproject.read_text())
            found |= set(document["project"]["dependencies"])
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found |= set(root["dependency-groups"]["dev"])
    return sorted(one for one in found if not one.startswith("meshery-"))


def main() -> None:
    command = [
        "uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-annotate", "--custom-compile-command", "make pins",
        "--output-file", str(OUTPUT), *sys.argv[1:],
    ]  # fmt: skip
    subprocess.run(command, input="\n".join(declared()), text=True, check=True, cwd=ROOT)
    lines = sum("==" in line for line in OUTPUT.read_text().splitlines())
    print(f"{OUTPUT.relative_to(ROOT)}: {lines} packages pinned")


if __name__ == "__main__":
    main()
