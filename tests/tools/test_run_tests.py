"""`make test M=… T=…` finds what is meant and says what it knows when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from run_tests import targets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("libs/meshery_a", "services/b", "services/empty"):
        (tmp_path / folder / "tests/unit").mkdir(parents=True)
        (tmp_path / folder / "pyproject.toml").touch()
    for folder in ("libs/meshery_a", "services/b"):
        (tmp_path / folder / "tests/unit/test_it.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("member", "test", "expected"),
    [
        ("", "", ["libs/meshery_a", "services/b", "tests"]),
        ("b", "", ["services/b"]),
        ("a", "", ["libs/meshery_a"]),
        ("b", "tests/unit/test_it.py::test_x", ["services/b/tests/unit/test_it.py::test_x"]),
        ("b", "unit/test_it.py", ["services/b/tests/unit/test_it.py"]),
        ("", "services/b/tests/unit/test_it.py::test_x", ["services/b/tests/unit/test_it.py::test_x"]),
    ],
)
def test_targets(root: Path, member: str, test: str, expected: list[str]) -> None:
    assert targets(member, test, root) == expected


@pytest.mark.parametrize(
    ("member", "test", "says"),
    [
        ("c", "", "M is one of: a, b"),
        ("tests", "", "T=tests/contract"),
        ("empty", "", "no tests yet"),
        ("b", "unit/test_other.py", "T is a file"),
    ],
)
def test_what_does_not_exist_is_said(root: Path, member: str, test: str, says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        targets(member, test, root)
