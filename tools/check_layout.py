"""Check that every member has the same shape: files, names, sizes. Prints what, where and how to mend it.

Notes are what is still allowed while members are being written; `--strict` makes them errors.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import layout_code
import layout_links
import layout_names
import layout_shape
from layout_findings import Finding
from workspace import ROOT, members


def check(root: Path = ROOT) -> list[Finding]:
    """Everything found under this root."""
    found = layout_names.check(root) + layout_links.check(layout_names.files_of(root), root)
    for member in members(root):
        found += layout_shape.check(member, root)
        if member.kind in {"service", "agent"}:
            found += layout_code.check(member, root)
    return found


def main() -> int:
    """Report; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="notes are errors too")
    parser.add_argument("--quiet", action="store_true", help="count notes instead of listing them")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT)
    options = parser.parse_args()
    findings = check(options.root)
    errors = [one for one in findings if options.strict or not one.note]
    for one in sorted(errors if options.quiet else findings):
        print(f"{'note' if one not in errors else 'error'}: {one}")
    print(f"{len(members(options.root))} members, {len(errors)} errors, {len(findings) - len(errors)} notes")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
