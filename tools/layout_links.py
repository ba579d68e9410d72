"""Rules for the documents: a link to a file of the repository leads to one."""

from __future__ import annotations

import re
from pathlib import Path

from layout_findings import Finding

_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\((?P<target>[^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def check(files: list[Path], root: Path) -> list[Finding]:
    """All links among these files that lead nowhere."""
    found = []
    for file in files:
        if file.suffix != ".md":
            continue
        for link in _LINK.finditer(_FENCE.sub("", file.read_text(errors="replace"))):
            target = link["target"].partition("#")[0]
            if target and not _ELSEWHERE.match(link["target"]) and not (file.parent / target).exists():
                where = file.relative_to(root).as_posix()
                what = f"the link to {link['target']!r} leads nowhere."
                found.append(Finding(where, what, "name a file that is there, relative to this one."))
    return found
