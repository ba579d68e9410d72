"""Each layout rule, shown on a small workspace that breaks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import check_layout
from workspace import ROOT

PROJECT = '[project]\nname = "meshery-{name}"\ndescription = "A thing"\n'
README = "".join(f"<!-- generated:{block} -->\n<!-- /generated -->\n" for block in ("subjects", "settings"))


def write(root: Path, path: str, text: str = "") -> None:
    """Create one file and its folders."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with one service as it should be."""
    at = "services/things"
    code = f"{at}/src/meshery_things"
    write(tmp_path, f"{at}/pyproject.toml", PROJECT.format(name="things"))
    write(tmp_path, f"{at}/README.md", README)
    write(tmp_path, f"{code}/__init__.py", '"""Things."""\n')
    write(tmp_path, f"{code}/py.typed")
    for name in ("__main__", "app", "subjects", "service", "domain", "store"):
        write(tmp_path, f"{code}/{name}.py", '"""A part."""\n')
    write(tmp_path, f"{code}/settings.py", '"""Settings."""\nCONFIG = dict(env_prefix="THINGS_")\n')
    write(tmp_path, f"{code}/migrations/0001_things.sql", "create table things ();\n")
    for kind in ("unit", "store", "service"):
        write(tmp_path, f"{at}/tests/{kind}/test_it.py", '"""A test."""\n')
    return tmp_path


def findings(root: Path) -> list[str]:
    return [str(one) for one in check_layout.check(root)]


def test_a_good_service_has_no_findings(root: Path) -> None:
    assert findings(root) == []


def test_links_that_lead_somewhere(root: Path) -> None:
    links = "[web](https://example.org/x) [part](#part) [it](../services/things/README.md) ![p](gone.png)"
    write(root, "docs/a.md", f"{links}\n```\n[code](gone.md)\n```\n")
    assert findings(root) == []


def test_what_looks_like_a_break_and_is_none(root: Path) -> None:
    write(
        root,
        f"{CODE}/store.py",
        '''"""Statements."""
COLUMNS = "a, b"
UPDATE = f"""
    update things
    set a = {COLUMNS}
"""
LOCAL = "set local lock_timeout = 100; select set_config($1, $2, true), pg_advisory_xact_lock(1)"
TEXT = "Listen to the music, notify nobody, set the table to four."
def select(where: LiteralString) -> str:
    condition = "a = 1"
    return f"select {COLUMNS} from things where {where} and {condition}"
async def work(group: TaskGroup) -> None:
    group.create_task(work(group))
''',
    )
    assert findings(root) == []


CODE = "services/things/src/meshery_things"
BREAKS = [
    (f"{CODE}/cache.py", '"""A."""\n', "not one of the files"),
    (f"{CODE}/data/models.json", "{}", "not one of the files"),
    (f"{CODE}/store/__init__.py", '"""A."""\n', "exists as file and as package"),
    (f"{CODE}/http/text_utils.py", '"""A."""\n', "does not say what is inside"),
    ("libs/meshery_x/src/meshery_x/common.py", '"""A."""\n', "does not say what is inside"),
    (f"{CODE}/domain.py", "x = 1\n" * 401, "401 lines"),
    ("services/things/tests/unit/test_long.py", "x = 1\n" * 601, "601 lines"),
    ("services/things/tests/conftest.py", "x = 1\n" * 81, "81 lines"),
    (f"{CODE}/migrations/0003_more.sql", "", "numbers are 0001, 0003"),
    (f"{CODE}/migrations/2_more.sql", "", "no migration name"),
    (f"{CODE}/migrations/0002_More.sql", "", "no migration name"),
    (f"{CODE}/settings.py", "", "the prefix is not the name"),
    (f"{CODE}/store.py", 'SQL = "set search_path to x"\n', "changes a setting of the session"),
    (f"{CODE}/store.py", 'SQL = "select 1; set role = x"\n', "changes a setting of the session"),
    (f"{CODE}/store.py", 'SQL = "select set_config($1, $2, false)"\n', "changes a setting of the session"),
    (f"{CODE}/store.py", 'SQL = "select pg_try_advisory_lock(1)"\n', "takes a lock of the session"),
    (f"{CODE}/store.py", 'SQL = "listen things"\n', "notifies or listens by itself"),
    (f"{CODE}/store.py", "def f(a: str) -> str:\n    return f'select {a} from b'\n", "puts 'a' into"),
    (f"{CODE}/store.py", "def f(a: object) -> str:\n    return f'delete from {a.b}'\n", "puts 'a.b' into"),
    (f"{CODE}/workers.py", "loop.create_task(work())\n", "a task that nobody waits for"),
    (
        f"{CODE}/workers.py",
        "asyncio.get_running_loop().create_task(work())\n",
        "a task that nobody waits for",
    ),
    (f"{CODE}/workers.py", "await asyncio.sleep(1)\n", "sleeps, and may never end"),
    (f"{CODE}/workers.py", "print(1)  # noqa: T201 -- for now\n", "switches T201 off"),
    (f"{CODE}/app.py", 'schema = "designs"\n', "names the schema 'designs'"),
    (f"{CODE}/__init__.py", "", "no docstring"),
    ("services/things/src/meshery_other/__init__.py", "", "a second package"),
    ("services/things/README.md", "# Things\n", "no block 'subjects'"),
    ("services/things/pyproject.toml", PROJECT.format(name="stuffs"), "call it 'meshery-things'"),
    ("services/things/pyproject.toml", PROJECT.format(name="things") + "[tool.ruff]\n", "configures ruff"),
    (f"{CODE}/domain.py", "# TODO later\n", "unfinished work"),
    (f"{CODE}/domain.py", 'A = "/root/thing"\n', "somebody's machine"),
    (f"{CODE}/domain.py", "<<<<<<< mine\n", "merge conflict"),
    ("docs/a.md", "[guide](guides/gone.md#part)\n", "leads nowhere"),
]


@pytest.mark.parametrize(("path", "text", "expected"), BREAKS)
def test_a_broken_rule_is_found(root: Path, path: str, text: str, expected: str) -> None:
    write(root, path, text)
    assert any(expected in one for one in findings(root)), findings(root)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("services/things/README.md", "no README.md"),
        (f"{CODE}/py.typed", "no py.typed"),
        (f"{CODE}/__init__.py", "the package is missing"),
        (f"{CODE}/app.py", "no app.py"),
        (f"{CODE}/subjects.py", "none of subjects, http, graphql"),
        ("services/things/tests/store/test_it.py", "no tests/store/"),
    ],
)
def test_a_missing_file_is_found(root: Path, path: str, expected: str) -> None:
    (root / path).unlink()
    assert any(expected in one for one in findings(root)), findings(root)


def test_generated_files_may_be_long(root: Path) -> None:
    text = '"""Generated by tools/x.py; do not edit."""\n' + "x = 1\n" * 500
    write(root, f"{CODE}/http/tables.py", text)
    assert findings(root) == []


def test_an_empty_member_is_a_note_and_an_error_when_strict(tmp_path: Path) -> None:
    write(tmp_path, "services/new/pyproject.toml", PROJECT.format(name="new"))
    write(tmp_path, "services/new/src/meshery_new/__init__.py", '"""New."""\n')
    write(tmp_path, "services/new/src/meshery_new/py.typed")
    command = [sys.executable, str(ROOT / "tools/check_layout.py"), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run([*command, "--strict"], check=False).returncode == 1


def test_a_finding_says_where_what_and_how_to_mend_it(root: Path) -> None:
    write(root, f"{CODE}/cache.py")
    (finding,) = findings(root)
    assert finding.startswith(f"{CODE}/cache.py: ")
    assert "Mend: put it into one of: " in finding
