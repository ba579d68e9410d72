"""`make new-service NAME=x`: a service member that serves one thing, with tests, green at once.

Writes the member in the shape of services/designs, its contract module, its line in the wiring table, in the import
contracts and among the services that `make up` starts; then installs it and brings the generated documents up to date.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from workspace import ROOT, members

NAME = re.compile(r"[a-z]+(?:-[a-z]+)*")
TEMPLATE = ROOT / "tools/service_template"
NEXT = """\
{name} is there. What is left for you:
  1. say what it is for: services/{name}/README.md, pyproject.toml and src/{package}/__init__.py
  2. replace things by what it owns: libs/meshery_contracts/src/meshery_contracts/{token}.py first, with its keys
     (files, tables and tests that are named after things, too)
  3. name whom it calls and hears: libs/meshery_contracts/src/meshery_contracts/wiring.py
     (it asks in a clients.py and hears in a workers.py: see "Add an endpoint" and "Consume facts" in CONTRIBUTING.md)
  4. show it on the web: see "Show it on the web" in CONTRIBUTING.md
  5. name it in ARCHITECTURE.md, README.md and CHANGELOG.md
  6. make check, make test M={name}
"""


def scaffold(name: str, root: Path = ROOT) -> list[Path]:
    """Write everything; gives the new and changed files. Raises SystemExit when it cannot."""
    if not NAME.fullmatch(name):
        raise SystemExit(f"{name!r} is no name of a service: write lower case words joined by hyphens")
    token = name.replace("-", "_")
    folder = root / "services" / name
    contract = root / f"libs/meshery_contracts/src/meshery_contracts/{token}.py"
    taken = {one.package for one in members(root)}
    if folder.exists() or contract.exists() or f"meshery_{token}" in taken:
        raise SystemExit(f"{name} exists already")
    words = {
        "@name@": name,
        "@Name@": name.capitalize(),
        "@token@": token,
        "@package@": f"meshery_{token}",
        "__package__": f"meshery_{token}",
        "@Class@": "".join(part.capitalize() for part in name.split("-")),
        "@PREFIX@": f"{token.upper()}_",
    }
    written = [_written(TEMPLATE / "contract.py.tmpl", contract, words)]
    source = TEMPLATE / "member"
    for file in sorted(source.rglob("*.tmpl")):
        place = _filled(file.relative_to(source).as_posix().removesuffix(".tmpl"), words)
        written.append(_written(file, folder / place, words))
    written += [
        _wired(root, name),
        _bordered(root, f"meshery_{token}"),
        *_started(root, name, words["@Class@"]),
    ]
    python = [str(file) for file in written if file.suffix == ".py"]
    ruff = str(Path(sys.executable).parent / "ruff")
    # The order of imports depends on the name, the length of the line of all services on how many there are.
    subprocess.run([ruff, "check", "--fix-only", "--quiet", *python], cwd=root, check=True)
    subprocess.run([ruff, "format", "--quiet", *python], cwd=root, check=True)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        text = text.replace(placeholder, word)
    return text


def _written(template: Path, target: Path, words: dict[str, str]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_filled(template.read_text(), words))
    return target


def _wired(root: Path, name: str) -> Path:
    """Known to everybody who talks to all services, and allowed to ask identity who its callers are."""
    file = root / "libs/meshery_contracts/src/meshery_contracts/wiring.py"
    text = file.read_text()
    everybody = re.search(r"^_EVERYBODY = \(([^)]*)\)$", text, re.MULTILINE)
    last = '    "events": Wiring('
    if everybody is None or last not in text:
        raise SystemExit(f"{file} has no _EVERYBODY or no entry for events to put the service before")
    names = [one.strip() for one in everybody[1].split(",") if one.strip()]
    text = text.replace(everybody[0], f"_EVERYBODY = ({', '.join([*names, quoted(name)])})")
    text = text.replace(last, f'    {quoted(name)}: Wiring(calls=("identity",)),\n{last}')
    file.write_text(text)
    return file


def quoted(name: str) -> str:
    """The name as a Python string in double quotes."""
    return f'"{name}"'


def _bordered(root: Path, package: str) -> Path:
    """Under the same import contracts as the services before it."""
    file = root / ".importlinter"
    lines = []
    for line in file.read_text().splitlines(keepends=True):
        if line.startswith("    meshery_gateway | "):
            line = f"{line.rstrip()} | {package}\n"
        lines.append(line)
        # Each list of all services ends with this one.
        if line == "    meshery_events\n":
            lines.append(f"    {package}\n")
    file.write_text("".join(lines))
    return file


def _started(root: Path, name: str, kind: str) -> list[Path]:
    """Among the services of the laptop mode, before the gateway, which waits for them all."""
    standalone = root / "standalone"
    package = f"meshery_{name.replace('-', '_')}"
    project, listed = standalone / "pyproject.toml", standalone / "src/meshery_standalone/members.py"
    _insert(project, '    "meshery-events",\n', f'    "meshery-{name}",\n')
    _insert(project, "meshery-events = { workspace = true }\n", f"meshery-{name} = {{ workspace = true }}\n")
    running, settings = f"{package.removeprefix('meshery_')}_running", f"{kind}Settings"
    _insert(
        listed,
        "from meshery_events.settings import EventsSettings\n",
        f"from {package}.app import running as {running}\nfrom {package}.settings import {settings}\n",
    )
    _insert(
        listed,
        '    Member("events", EventsSettings, events_running),\n',
        f"    Member({quoted(name)}, {settings}, {running}),\n",
    )
    return [project, listed]


def _insert(file: Path, after: str, line: str) -> None:
    text = file.read_text()
    if text.count(after) != 1:
        raise SystemExit(f"{file} has no line {after.strip()!r} to put {line.strip()!r} after")
    file.write_text(text.replace(after, after + line))


def main() -> int:
    """Scaffold, install, generate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="one word, e.g. billing; hyphens between words")
    name = parser.parse_args().name
    for file in scaffold(name):
        print(f"wrote {file.relative_to(ROOT)}")
    for tool in ("bootstrap.py", "generate.py"):
        subprocess.run([sys.executable, str(ROOT / "tools" / tool)], cwd=ROOT, check=True)
    token = name.replace("-", "_")
    print(NEXT.format(name=name, token=token, package=f"meshery_{token}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
