"""`make test`: pytest over every member, or over one, or one test by its name.

The order of the tests and the examples that Hypothesis draws come from one seed. `make test` has the same seed each
time, so that a commit gets the same verdict twice; `make test-long` draws one and prints it; SEED=n repeats it.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
from pathlib import Path

from workspace import ROOT, members

#: What spans members.
SHARED = "tests"
#: Ends with the slowest tests, so that one that grows is seen before it hurts.
SLOWEST = ("--durations=10", "--durations-min=5")

#: The seed of `make test`. Any number is as good.
SEED = 20261128


def seeded(seed: int) -> list[str]:
    """What makes the order and the drawn examples follow from a seed."""
    return [f"--randomly-seed={seed}", f"--hypothesis-seed={seed}"]


def targets(member: str, test: str, root: Path = ROOT) -> list[str]:
    """What pytest is given. Raises SystemExit with the known names for a member that does not exist."""
    known = {one.name: one for one in members(root)}
    if member and member not in known:
        raise SystemExit(
            f"there is no member {member!r}; M is one of: {', '.join(known)}. "
            f"What spans members is run by its path alone: T={SHARED}/contract"
        )
    if test:
        path, separator, name = test.partition("::")
        within = [root] if not member else [known[member].folder, known[member].folder / "tests", root]
        for folder in within:
            if (folder / path).exists():
                return [f"{(folder / path).relative_to(root)}{separator}{name}"]
        raise SystemExit(
            f"there is no {path!r}; T is a file, a folder, or file::test, from the root or in the member M"
        )
    folders = [known[member].folder] if member else [one.folder for one in known.values()]
    found = [str(one.relative_to(root)) for one in folders if any(one.glob("tests/**/test_*.py"))]
    if not found and member:
        raise SystemExit(f"{member} has no tests yet")
    return found if member else [*found, SHARED]


def main() -> int:
    """Run pytest and give its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", default="", help="only this member, e.g. designs")
    parser.add_argument("--test", default="", help="only this file or file::test")
    parser.add_argument("--long", action="store_true", help="the long tests instead of the others")
    parser.add_argument("--seed", type=int, help="of the order and of the drawn examples")
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = secrets.randbelow(2**32) if options.long else SEED
    chosen = targets(options.member, options.test)
    # A test that is named is run, long or not.
    marked = ["-m", "long" if options.long else "not long"] if options.long or not options.test else []
    print(f"tests: {', '.join(chosen)}; SEED={seed}", flush=True)
    command = [sys.executable, "-m", "pytest", *SLOWEST, *seeded(seed), *marked, *chosen]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
