"""One process at a time, no newer version, and words for whoever is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from meshery_standalone.errors import CannotRunError
from meshery_standalone.homes import FORMAT, claimed
from meshery_standalone.log_files import log_file


def test_a_folder_is_made_and_belongs_to_one(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    with claimed(home):
        assert (home / "format").read_text() == f"{FORMAT}\n"
        with pytest.raises(CannotRunError, match=f"in use by process {os.getpid()}"), claimed(home):
            pass
    with claimed(home):
        pass


@pytest.mark.parametrize("written", [str(FORMAT + 1), "two"])
def test_a_newer_format_is_left_alone(tmp_path: Path, written: str) -> None:
    (tmp_path / "format").write_text(written)
    with pytest.raises(CannotRunError, match="newer version"), claimed(tmp_path):
        pass
    assert (tmp_path / "format").read_text() == written


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotRunError, match="MESHERY_HOME"), claimed(tmp_path / "file" / "home"):
        pass


def test_modes_of_what_was_there_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with claimed(tmp_path), log_file(tmp_path / "logs" / "meshery.log") as file:
        file.write("x\n")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "logs" / "meshery.log").stat().st_mode) == 0o600


def test_standard_error_goes_into_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs" / "meshery.log"
    with log_file(path) as file:
        file.write("ours\n")
        os.write(2, b"of a C library\n")
    os.write(2, b"after\n")
    assert path.read_text() == "ours\nof a C library\n"
    assert capfd.readouterr().err == "after\n"


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "meshery.log"
    path.write_bytes(b"x" * (16 * 1024 * 1024 + 1))
    with log_file(path):
        pass
    assert path.stat().st_size == 0
    assert (tmp_path / "meshery.log.1").stat().st_size > 0


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "meshery.log").mkdir()
    with pytest.raises(CannotRunError, match="cannot be written"), log_file(tmp_path / "meshery.log"):
        pass
