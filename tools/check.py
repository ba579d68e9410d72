"""`make check`: everything a machine can say about the code without running it, in under a minute.

Independent steps run two at a time. Each prints its name and seconds; a failed one prints what it found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from workspace import ROOT, members

BIN = Path(sys.executable).parent
#: The slowest first, so that the two lanes end together.
AT_ONCE = 2


@dataclass(frozen=True)
class Step:
    """One command, or several in turn, and the command that mends what they find."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    mend: str


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    step: Step
    good: bool
    seconds: float
    output: str


def steps(root: Path = ROOT) -> list[Step]:
    """All steps in the order they are started."""
    python = sys.executable
    tools = root / "tools"
    return [
        Step(
            "types", tuple((str(BIN / "mypy"), *one) for one in _typed(root)), "give the types mypy asks for"
        ),
        Step("generated", ((python, str(tools / "generate.py"), "--check"),), "make schemas"),
        Step("lint", ((str(BIN / "ruff"), "check", "--quiet", "."),), "make format, then the rest by hand"),
        Step("format", ((str(BIN / "ruff"), "format", "--check", "--quiet", "."),), "make format"),
        Step(
            "imports",
            ((str(BIN / "lint-imports"), "--no-cache", "--no-logo"),),
            "see .importlinter for the borders",
        ),
        Step("layout", ((python, str(tools / "check_layout.py"), "--quiet"),), "each line says how"),
    ]


def source_path(root: Path = ROOT) -> str:
    """Every member's src folder, for MYPYPATH."""
    return os.pathsep.join(str(member.src) for member in members(root))


def _typed(root: Path) -> list[list[str]]:
    """What mypy reads, run by run: all packages, all tests, the tools and the benchmarks.

    A folder with a hyphen is no part of a module's name: tests of two such members are of one name to mypy, which
    reads them in runs of their own.
    """
    found = members(root)
    folders = [member.code for member in found if member.code.is_dir()]
    tests = {member.name: member.folder / "tests" for member in found}
    # mypy refuses a folder without Python files.
    tests = {name: folder for name, folder in tests.items() if any(folder.rglob("*.py"))}
    together = [*folders, *(folder for name, folder in tests.items() if "-" not in name), root / "tests"]
    return [
        [*(str(one.relative_to(root)) for one in together), "tools", "bench"],
        *([str(folder.relative_to(root))] for name, folder in tests.items() if "-" in name),
    ]


def run(step: Step, root: Path = ROOT) -> Outcome:
    """Run one step to its end."""
    started = time.monotonic()
    ran = [
        subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "MYPYPATH": source_path(root), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for command in step.commands
    ]
    good = all(one.returncode == 0 for one in ran)
    return Outcome(step, good, time.monotonic() - started, "".join(one.stdout for one in ran))


def report(outcome: Outcome) -> None:
    """One line, and for a failed step what it printed and how to mend it."""
    verdict = "ok" if outcome.good else "FAILED"
    print(f"  {outcome.step.name:<10} {verdict:<7} {outcome.seconds:5.1f} s", flush=True)
    if not outcome.good:
        print(outcome.output.rstrip())
        print(f"  to mend {outcome.step.name}: {outcome.step.mend}\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all or the named steps; 1 when one failed."""
    known = steps()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"only these of: {', '.join(one.name for one in known)}")
    wanted = parser.parse_args(arguments).names
    unknown = set(wanted) - {one.name for one in known}
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    chosen = [one for one in known if not wanted or one.name in wanted]
    started = time.monotonic()
    print(f"check: {len(chosen)} steps", flush=True)
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as lanes:
        for future in as_completed([lanes.submit(run, step) for step in chosen]):
            outcome = future.result()
            report(outcome)
            if not outcome.good:
                failed.append(outcome.step.name)
    seconds = time.monotonic() - started
    print(f"check: {'failed: ' + ', '.join(failed) if failed else 'all good'} in {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
