"""A scaffolded service is green at once: layout, types, borders, its own tests, the generated documents."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import check
import check_layout
import new_service
from workspace import ROOT, members

NAME, PACKAGE = "price-lists", "meshery_price_lists"
#: Scaffolded before it: with them the list of all services takes several lines.
OTHERS = ("stock-keeping", "warehouses")
BIN = Path(sys.executable).parent
COPIED = ("libs", "services", "agents", "standalone", "tools", "pyproject.toml", ".importlinter")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace with some services more."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    for name in (*OTHERS, NAME):
        new_service.scaffold(name, folder)
    return folder


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command that sees the copy's packages instead of the installed ones."""
    path = check.source_path(root)
    environment = {**os.environ, "PYTHONPATH": path, "MYPYPATH": path}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_layout(root: Path) -> None:
    assert NAME in [one.name for one in members(root)]
    assert [str(one) for one in check_layout.check(root) if "price" in str(one)] == []


def test_format_and_lint(root: Path) -> None:
    files = [f"services/{NAME}", "libs/meshery_contracts/src/meshery_contracts/price_lists.py"]
    files.append("libs/meshery_contracts/src/meshery_contracts/wiring.py")
    files.append("standalone/src/meshery_standalone/members.py")
    for command in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        done = run(root, str(BIN / "ruff"), *command, *files)
        assert done.returncode == 0, done.stdout


@pytest.mark.timeout(180)
def test_types(root: Path) -> None:
    (types,) = [step for step in check.steps(root) if step.name == "types"]
    everything, *alone = types.commands
    # Tests of two members with a hyphen are of one name to mypy: it says nothing but that when it reads both at once.
    hyphenated = [f"services/{name}/tests" for name in (*OTHERS, NAME) if "-" in name]
    assert [command[1:] for command in alone] == [(one,) for one in sorted(hyphenated)]
    assert not {*hyphenated} & {*everything}
    for command in ((*alone[0][:1], f"services/{NAME}/src/{PACKAGE}"), *alone):
        done = run(root, *command, "--no-error-summary")
        assert [line for line in done.stdout.splitlines() if "price" in line or "stock" in line] == []
        assert done.returncode in {0, 1}, done.stderr


def test_borders(root: Path) -> None:
    done = run(root, str(BIN / "lint-imports"), "--no-cache", "--no-logo")
    assert "Contracts:" in done.stdout, done.stdout
    assert PACKAGE not in done.stdout
    # It is under the contracts, not beside them.
    service = root / f"services/{NAME}/src/{PACKAGE}/service.py"
    text = service.read_text()
    service.write_text(f"{text}\nimport {PACKAGE}.settings\nimport meshery_designs\n")
    try:
        broken = run(root, str(BIN / "lint-imports"), "--no-cache", "--no-logo").stdout
    finally:
        service.write_text(text)
    assert f"{PACKAGE}.service -> {PACKAGE}.settings" in broken
    assert f"{PACKAGE}.service -> meshery_designs" in broken


@pytest.mark.timeout(180)
def test_its_own_tests(root: Path) -> None:
    done = run(root, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"services/{NAME}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_laptop_mode_starts_it(root: Path) -> None:
    listed = "from meshery_standalone.members import MEMBERS; print(*(one.name for one in MEMBERS))"
    done = run(root, sys.executable, "-c", listed)
    assert done.returncode == 0, done.stderr
    *others, way_in = done.stdout.split()
    assert {*OTHERS, NAME} <= {*others}
    assert way_in == "gateway"
    project = tomllib.loads((root / "standalone/pyproject.toml").read_text())
    assert f"meshery-{NAME}" in project["project"]["dependencies"]
    assert f"meshery-{NAME}" in project["tool"]["uv"]["sources"]


def test_generated_documents(root: Path) -> None:
    assert run(root, sys.executable, "tools/generate.py").returncode == 0
    done = run(root, sys.executable, "tools/generate.py", "--check")
    assert done.returncode == 0, done.stdout
    assert (root / "schemas/asyncapi/price_lists.json").is_file()
    assert "meshery.rpc.price_lists.v1.create_thing" in (root / f"services/{NAME}/README.md").read_text()
    assert "$NKEY_PRICE_LISTS" in (root / "schemas/nats-permissions.conf").read_text()


@pytest.mark.parametrize("name", ["designs", "Designs", "two words", "1st", ""])
def test_a_name_that_does_not_fit_changes_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "services/designs").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"exists already|no name of a service"):
        new_service.scaffold(name, tmp_path)
    assert [one.name for one in tmp_path.rglob("*")] == ["services", "designs"]
