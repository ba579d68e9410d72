"""Rules for one member: its files, its names, what a service may contain."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from layout_findings import Finding
from layout_names import MAX_LINES
from workspace import Member

#: The files of a service; each may be a package of the same name.
SERVICE_MODULES = {
    "__init__", "__main__", "app", "settings", "subjects", "service", "domain", "store", "clients", "workers",
    "http", "graphql",
}  # fmt: skip
#: `content` are data files that ship with a service.
SERVICE_OTHER = {"migrations", "content", "py.typed"}
#: Packages from their first line, because they hold one module per area.
ALWAYS_PACKAGES = {"http", "graphql"}
MUST_HAVE = ("__main__", "app", "settings")
WAYS_IN = ("subjects", "http", "graphql")
MAX_CONFTEST_LINES = 80
_SCHEMA = re.compile(r"""\bschema\s*=\s*["']([^"']+)["']""")


def check(member: Member, root: Path) -> list[Finding]:
    """All findings of one member."""
    found = _project(member, root) + _package(member, root) + _readme(member, root) + _tests(member, root)
    if member.kind in {"service", "agent"}:
        found += _service_files(member, root)
    if member.kind == "service":
        found += _service_names(member, root)
    return found


def _at(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _project(member: Member, root: Path) -> list[Finding]:
    file = member.folder / "pyproject.toml"
    where = _at(file, root)
    document = tomllib.loads(file.read_text())
    project = document.get("project", {})
    found = []
    if project.get("name") != member.distribution:
        what = f"the distribution is called {project.get('name')!r}."
        found.append(Finding(where, what, f"call it {member.distribution!r}, after its folder."))
    if not project.get("description"):
        found.append(Finding(where, "no description.", "say in one line what the member is for."))
    for tool in sorted(set(document.get("tool", {})) - {"hatch", "uv"}):
        found.append(
            Finding(where, f"configures {tool}.", "configure tools in the root pyproject.toml only.")
        )
    return found


def _package(member: Member, root: Path) -> list[Finding]:
    init = member.code / "__init__.py"
    if not init.is_file():
        return [Finding(_at(member.code, root), "the package is missing.", "create it with an __init__.py.")]
    found = []
    if not ast.get_docstring(ast.parse(init.read_text())):
        what = "no docstring."
        found.append(Finding(_at(init, root), what, "say what the member owns and what must not be in it."))
    if not (member.code / "py.typed").is_file():
        found.append(Finding(_at(member.code, root), "no py.typed.", "add an empty file of that name."))
    for other in sorted(member.src.iterdir()):
        if other.name != member.package and not other.name.startswith((".", "_")):
            found.append(Finding(_at(other, root), "a second package.", f"move it into {member.package}."))
    if member.empty:
        found.append(Finding(_at(member.folder, root), "nothing is written yet.", "write it.", note=True))
    return found


def _readme(member: Member, root: Path) -> list[Finding]:
    file = member.folder / "README.md"
    if not file.is_file():
        mend = "say what it is for, what it owns and how to run it alone."
        return [Finding(_at(member.folder, root), "no README.md.", mend, note=member.empty)]
    if member.kind != "service":
        return []
    text = file.read_text()
    return [
        Finding(
            _at(file, root),
            f"no block {block!r}.",
            f"add <!-- generated:{block} --> and <!-- /generated -->.",
        )
        for block in ("subjects", "settings")
        if f"<!-- generated:{block} -->" not in text
    ]


def _tests(member: Member, root: Path) -> list[Finding]:
    wanted = ["tests/unit"]
    if member.kind == "service":
        wanted.append("tests/service")
        if (member.code / "store.py").exists() or (member.code / "store").is_dir():
            wanted.append("tests/store")
    elif member.kind in {"lib", "standalone"}:
        wanted = ["tests"]
    found = [
        Finding(_at(member.folder, root), f"no {folder}/ with a test in it.", "write one.", note=member.empty)
        for folder in wanted
        if not any((member.folder / folder).rglob("test_*.py"))
    ]
    for conftest in sorted(member.folder.glob("tests/**/conftest.py")):
        lines = conftest.read_text().count("\n")
        if lines > MAX_CONFTEST_LINES:
            what = f"{lines} lines, {MAX_CONFTEST_LINES} are allowed."
            found.append(Finding(_at(conftest, root), what, "move what is shared into meshery_testkit."))
    return found


def _service_files(member: Member, root: Path) -> list[Finding]:
    if member.empty or not member.code.is_dir():
        return []
    found = []
    entries = [one for one in member.code.iterdir() if one.name != "__pycache__"]
    names = [one.stem if one.suffix == ".py" else one.name for one in entries]
    for entry in sorted(entries):
        name = entry.stem if entry.suffix == ".py" else entry.name
        known = name in SERVICE_MODULES if entry.is_dir() or entry.suffix == ".py" else False
        if not known and entry.name not in SERVICE_OTHER:
            mend = f"put it into one of: {', '.join(sorted(SERVICE_MODULES | SERVICE_OTHER))}."
            found.append(Finding(_at(entry, root), "not one of the files that a service has.", mend))
        elif names.count(name) > 1 and entry.is_dir():
            found.append(Finding(_at(entry, root), "exists as file and as package.", "keep one of them."))
        elif entry.is_dir() and name in SERVICE_MODULES - ALWAYS_PACKAGES:
            found += _small_package(entry, root)
    if member.kind != "service":
        return found
    for name in MUST_HAVE:
        if name not in names:
            found.append(Finding(_at(member.code, root), f"no {name}.py.", "every service has one."))
    if not set(WAYS_IN) & set(names):
        what = f"none of {', '.join(WAYS_IN)}."
        found.append(Finding(_at(member.code, root), what, "give the service at least one way in."))
    return found


def _small_package(folder: Path, root: Path) -> list[Finding]:
    lines = sum(file.read_text().count("\n") for file in folder.rglob("*.py"))
    if lines > MAX_LINES:
        return []
    what = f"a package of {lines} lines in all."
    return [Finding(_at(folder, root), what, f"one file does up to {MAX_LINES} lines.", note=True)]


def _service_names(member: Member, root: Path) -> list[Finding]:
    """The environment prefix and the schema are the name, too."""
    found = []
    prefix = f"{member.token.upper()}_"
    settings = member.code / "settings.py"
    if settings.is_file() and f'env_prefix="{prefix}"' not in settings.read_text():
        found.append(
            Finding(_at(settings, root), "the prefix is not the name.", f'set env_prefix="{prefix}".')
        )
    for name in ("app.py", "settings.py"):
        file = member.code / name
        for schema in _SCHEMA.findall(file.read_text()) if file.is_file() else []:
            if schema != member.token:
                what = f"names the schema {schema!r}."
                found.append(Finding(_at(file, root), what, f"a service owns {member.token!r} and no other."))
    return found
