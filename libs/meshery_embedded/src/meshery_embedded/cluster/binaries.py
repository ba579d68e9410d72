"""The programs of the sandbox cluster, built once from Go modules and kept in a cache.

There is no package of them to install, and no download: `modules/` pins the sources by checksum,
Go builds them. About ten minutes on two cores, once for each version and machine.
"""

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from meshery_embedded.cluster.toolchain import Go, find_go
from meshery_embedded.errors import BuildError, MissingProgramError, StartError
from meshery_embedded.process import Command, Process, StopStep

_MODULES = Path(__file__).with_name("modules")
# Name of the program -> its package. Small ones first: an early success says that Go works.
PROGRAMS: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}
# What KUBEBUILDER_ASSETS must have; others keep them there for their own tests.
_ASSETS = ("etcd", "kube-apiserver")
_PROGRESS_SECONDS = 5.0
_BUILD_SECONDS = 7200.0
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# Go removes what it was writing when it is interrupted.
_STOP = (StopStep(signal.SIGINT, 5.0), StopStep(signal.SIGKILL, 5.0))


@functools.cache
def module_version(module: str) -> str:
    """Version that `go.mod` pins for a module, with its leading v."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (_MODULES / "go.mod").read_text(), re.M)
    if found is None:
        raise LookupError(f"{module} is not in {_MODULES / 'go.mod'}")
    return found[1]


def cache_folder() -> Path:
    """Where built programs are kept: MESHERY_CACHE, else the user's cache."""
    if chosen := os.environ.get("MESHERY_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "meshery"


def binaries_folder() -> Path:
    """The finished folder of this version's programs, whether it exists or not."""
    recipe = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        recipe.update((_MODULES / name).read_bytes())
    recipe.update(repr((sorted(PROGRAMS.items()), _flags())).encode())
    recipe.update(f"{sys.platform} {platform.machine()}".encode())
    version = module_version("k8s.io/kubernetes").removeprefix("v")
    return cache_folder() / f"kubernetes-{version}-{recipe.hexdigest()[:12]}"


async def ensure_binaries(progress: Callable[[str], None]) -> Path:
    """Give the folder that holds all PROGRAMS, after building what is missing.

    `progress` gets a line of text every few seconds. KUBEBUILDER_ASSETS, where set, is used for
    what it holds. Of two processes that build at once, the second waits. An interrupted build goes
    on where it was.

    Raises MissingProgramError (KUBEBUILDER_ASSETS without a needed program, no Go to be had) and
    BuildError (with Go's words).
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return await _with_assets(await asyncio.to_thread(Path(assets).resolve), progress)
    return await _built(binaries_folder(), PROGRAMS, {}, progress)


async def _with_assets(assets: Path, progress: Callable[[str], None]) -> Path:
    there = {name: assets / name for name in PROGRAMS if os.access(assets / name, os.X_OK)}
    if len(there) == len(PROGRAMS):
        return assets
    if absent := [name for name in _ASSETS if name not in there]:
        raise MissingProgramError(
            f"KUBEBUILDER_ASSETS lacks {' and '.join(absent)}",
            where=str(assets),
            mend="put them there, or unset KUBEBUILDER_ASSETS to have everything built",
        )
    ours = module_version("k8s.io/kubernetes")
    theirs = await _version_of(there["kube-apiserver"])
    wanted = {name: package for name, package in PROGRAMS.items() if name not in there}
    if _minor(theirs) != _minor(ours) and any(name.startswith("kube-") for name in wanted):
        raise MissingProgramError(
            f"the kube-apiserver of KUBEBUILDER_ASSETS is {theirs}; the programs that it lacks "
            f"({', '.join(wanted)}) would be built as {ours}, which do not fit",
            where=str(assets),
            mend="put those programs of the same version there, or unset KUBEBUILDER_ASSETS",
        )
    name = hashlib.sha256(f"{assets} {sorted(there)}".encode()).hexdigest()[:12]
    folder = binaries_folder()
    return await _built(folder.with_name(f"{folder.name}-with-{name}"), wanted, there, progress)


async def _version_of(program: Path) -> str:
    process = await asyncio.create_subprocess_exec(str(program), "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found = re.search(rb"v\d+\.\d+\.\S+", output)
    return found[0].decode() if found else "of unknown version"


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


async def _built(
    folder: Path,
    wanted: Mapping[str, str],
    linked: Mapping[str, Path],
    progress: Callable[[str], None],
) -> Path:
    # Only a whole folder ever has this name.
    if os.access(folder, os.X_OK):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    async with _build_lock(folder, progress):
        if os.access(folder, os.X_OK):
            return folder
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        unfinished.mkdir(exist_ok=True)
        go = await find_go(cache_folder(), _wanted_go(), progress)
        started = asyncio.get_running_loop().time()
        progress(
            f"building Kubernetes {module_version('k8s.io/kubernetes')} from source in {folder}: "
            "about 10 minutes on 2 cores, once"
        )
        for number, (name, package) in enumerate(wanted.items(), 1):
            if not (unfinished / name).exists():
                await _build(go, name, package, unfinished, f"{number}/{len(wanted)}", progress)
        for name, program in linked.items():
            (unfinished / name).unlink(missing_ok=True)
            (unfinished / name).symlink_to(program)
        unfinished.rename(folder)
        if go.work is not None:
            await asyncio.to_thread(shutil.rmtree, go.work, ignore_errors=True)
        progress(f"Kubernetes built in {asyncio.get_running_loop().time() - started:.0f} s")
    return folder


async def _build(
    go: Go, name: str, package: str, folder: Path, count: str, progress: Callable[[str], None]
) -> None:
    target = folder / f"{name}.new"
    process = await Process.start(
        Command(
            name=f"go build {name}",
            argv=[
                *(str(go.program), "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"),
                *("-p", str(os.cpu_count() or 1), "-ldflags", _flags(), "-o", str(target), package),
            ],
            log=folder.parent / f"{folder.name}.log",
            env=go.env(),
            cwd=_MODULES,
            stop=_STOP,
        )
    )
    loop = asyncio.get_running_loop()
    started = loop.time()
    log_start = process.log_size()
    try:
        while process.running:
            await asyncio.wait([process.exited], timeout=_PROGRESS_SECONDS)
            lines = process.log_since(log_start).splitlines()
            fetched = sum(line.startswith("go: downloading") for line in lines)
            progress(
                f"{name} ({count}): {loop.time() - started:.0f} s, {fetched} modules fetched, "
                f"{len(lines) - fetched} packages compiled"
            )
            if loop.time() - started > _BUILD_SECONDS:
                raise process.start_error(f"did not finish in {_BUILD_SECONDS:g} s")
        await process.finish(timeout_seconds=0)
    except StartError as error:
        raise BuildError(
            f"{error.what}:\n{error.log_tail}",
            where=error.where,
            mend="look at Go's message; a broken download is mended by starting again, which goes on "
            "where this stopped",
        ) from error
    finally:
        await process.stop()
    target.rename(folder / name)


@asynccontextmanager
async def _build_lock(folder: Path, progress: Callable[[str], None]) -> AsyncIterator[None]:
    fd = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    loop = asyncio.get_running_loop()
    started = told = loop.time()
    try:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if loop.time() >= told:
                waited = loop.time() - started
                progress(f"another process builds Kubernetes in {folder}: waiting ({waited:.0f} s)")
                told += _PROGRESS_SECONDS
            # A blocking wait in a thread could not be cancelled.
            await asyncio.sleep(0.2)
        yield
    finally:
        os.close(fd)


def _flags() -> str:
    """Linker flags: no symbol tables, and the versions that the programs shall report."""
    version = module_version("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = [f"{package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in values.items()]
    stamps.append(f"sigs.k8s.io/kwok/pkg/consts.Version={module_version('sigs.k8s.io/kwok')}")
    return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])


def _wanted_go() -> tuple[int, int]:
    found = re.search(r"^go (\d+)\.(\d+)", (_MODULES / "go.mod").read_text(), re.M)
    if found is None:
        raise LookupError("go.mod has no go line")
    return int(found[1]), int(found[2])
