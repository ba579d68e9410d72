"""Master keys: a file beside the service, never in the database that holds what they seal."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import structlog

from meshery_common import seals

log = structlog.get_logger()


class MasterKeyError(Exception):
    """The master key cannot be had; the message says how to mend it."""


def load_master_key(path: Path, *, create: bool, variable: str) -> bytes:
    """The master key of this installation. Raises MasterKeyError.

    With `create` a missing file is made; `variable` is the setting that asks for it, to be named to who lacks the file.
    """
    if create:
        make_master_key_file(path)
    try:
        key = seals.read_master_key(path.read_bytes())
    except FileNotFoundError:
        raise MasterKeyError(
            f"The master key file {path} does not exist. Make one with `openssl rand -base64 32`, keep a copy "
            f"apart from the database's backups, or set {variable}=true on a laptop."
        ) from None
    except OSError as error:
        raise MasterKeyError(f"The master key file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise MasterKeyError(
            f"The master key file {path} holds no master key: {error}. Expected are 32 bytes as base64."
        ) from error
    if path.stat().st_mode & 0o007:
        log.warning("the master key file can be read by everybody on this machine", path=str(path))
    return key


def make_master_key_file(path: Path) -> None:
    """Make a missing file with a new key, readable by its owner only.

    Of two processes that do so at once one wins, and the other reads what it wrote.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(seals.write_master_key(secrets.token_bytes(seals.MASTER_KEY_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link never replaces: the first one stays.
            os.link(unfinished, path)
        except FileExistsError:
            return
        log.info("a master key was made", path=str(path))
    finally:
        unfinished.unlink()
