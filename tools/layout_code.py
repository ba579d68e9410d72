"""Rules for what the code of services and agents may do, where the linter sees too little.

Each protects something that holds for all of them: a pooled connection has no state of its own, a task has
somebody who waits for it, a statement holds no text of a person.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from layout_findings import Finding
from workspace import Member

_SESSION = re.compile(
    r"(?:^|;)\s*(?:set\s+(?!local\b)(?:session\s+)?[\w.]+\s*(?:=|\bto\b)|reset\s)"
    r"|set_config\([^)]*\bfalse\s*\)",
    re.IGNORECASE,
)
_SESSION_LOCK = re.compile(r"\bpg_(?:try_)?advisory_(?:lock|unlock)", re.IGNORECASE)
_NOTIFICATION = re.compile(
    r"(?:^|;)\s*(?:un)?(?:listen|notify)\s+\w+\s*(?:;|,|$)|\bpg_notify\(", re.IGNORECASE
)
_STATEMENT = re.compile(
    r"\s*(?:select\s.*\sfrom|insert\s+into|update\s.*\sset|delete\s+from|with\s+\w+\s+as)\b",
    re.IGNORECASE | re.DOTALL,
)
_SILENCED = re.compile(r"noqa:.*\b(T201|TID251)\b")
#: Stands for what is put into an f-string.
_PLACE = "{}"


def check(member: Member, root: Path) -> list[Finding]:
    """All findings of one service or agent."""
    found = []
    for file in sorted(member.code.rglob("*.py")):
        text = file.read_text()
        where = file.relative_to(root).as_posix()
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue  # every other step says so
        found += [Finding(f"{where}:{line}", what, mend) for line, what, mend in _in_tree(tree)]
        for line, content in enumerate(text.splitlines(), 1):
            silenced = _SILENCED.search(content)
            if silenced:
                what = f"switches {silenced[1]} off."
                found.append(
                    Finding(f"{where}:{line}", what, "log with structlog; start tasks in a TaskGroup.")
                )
    return found


def _in_tree(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    parts = {id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _loose_task(node)
            yield from _deaf_sleep(node)
        if isinstance(node, ast.JoinedStr) or id(node) not in parts:
            yield from _statement(node)
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _woven_statements(function)


def _loose_task(call: ast.Call) -> Iterator[tuple[int, str, str]]:
    """`create_task` of a loop; the one of `asyncio` itself is the linter's business."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in {"create_task", "ensure_future"}:
        return
    owner = ast.unparse(function.value)
    if "loop" in owner.rpartition(".")[2]:
        what = f"{owner}.{function.attr} starts a task that nobody waits for."
        yield call.lineno, what, "use an asyncio.TaskGroup, or `tasks.start` of the runtime."


def _deaf_sleep(call: ast.Call) -> Iterator[tuple[int, str, str]]:
    """A pause in a loop is where a cancellation that was lost is found again."""
    if ast.unparse(call.func) == "asyncio.sleep" and [ast.unparse(one) for one in call.args] != ["0"]:
        yield call.lineno, "sleeps, and may never end.", "await `pause` of meshery_common.background."


def _statement(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    text = _text(node)
    if text is None:
        return
    line: int = getattr(node, "lineno", 0)
    if _SESSION.search(text):
        mend = "the next one to use the connection would have it too: `set local`, or set_config(…, true)."
        yield line, "changes a setting of the session.", mend
    if _SESSION_LOCK.search(text):
        mend = "use pg_advisory_xact_lock, or a lease of meshery_common.leases."
        yield line, "takes a lock of the session.", mend
    if _NOTIFICATION.search(text):
        yield (
            line,
            "notifies or listens by itself.",
            "use tx.notify and db.listen of meshery_common.database.",
        )


def _woven_statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str, str]]:
    """F-strings that are SQL: only constants and texts written here may be put into them."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    given = {one.arg for one in arguments if "LiteralString" not in ast.unparse(one.annotation or one)}
    for node in ast.walk(function):
        text = _text(node) if isinstance(node, ast.JoinedStr) else None
        if text is None or not _STATEMENT.match(text):
            continue
        assert isinstance(node, ast.JoinedStr)
        for value in (part.value for part in node.values if isinstance(part, ast.FormattedValue)):
            if not isinstance(value, ast.Name) or value.id in given:
                what = f"puts {ast.unparse(value)!r} into a statement."
                mend = "bind it as $1; only constants and texts of this module may be part of the SQL."
                yield node.lineno, what, mend


def _text(node: ast.AST) -> str | None:
    """The text of a string; None for everything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else _PLACE
            for part in node.values
        )
    return None
