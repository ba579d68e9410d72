"""Who we are towards a server, now: tokens that are rotated, plug-ins that mint them."""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from meshery_kube.errors import CredentialError
from meshery_kube.kubeconfigs import Context, Impersonation, User
from meshery_kube.plugins import PluginOutput, run_plugin

TOKEN_FILE_SECONDS = 60.0
"""How long a token file's content is used unread: the kubelet rotates hours before expiry."""
EXPIRY_MARGIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What one request proves itself with. `authorization` is the whole header value."""

    authorization: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


class Credentials(Protocol):
    """Where the identity of the next request comes from."""

    async def identity(self) -> Identity:
        """The identity to use now. Raises CredentialError."""
        ...

    async def renew(self) -> bool:
        """Called after a 401: forget what is cached. False when a retry would change nothing."""
        ...


class FixedCredentials:
    """A token, password or certificate that never changes."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def identity(self) -> Identity:
        """The same every time."""
        return self._identity

    async def renew(self) -> bool:
        """There is nothing to renew."""
        return False


class TokenFileCredentials:
    """A token in a file that somebody else rotates (projected service account tokens)."""

    def __init__(self, user: User, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    async def identity(self) -> Identity:
        """The file's token, read again after a minute. Raises CredentialError."""
        if self._clock() - self._read_at > TOKEN_FILE_SECONDS:
            self._token = await self._read()
            self._read_at = self._clock()
        return Identity(f"Bearer {self._token}", self._user.certificate, self._user.key)

    async def renew(self) -> bool:
        """True when the file holds another token by now."""
        before = self._token
        self._token = await self._read()
        self._read_at = self._clock()
        return self._token != before

    async def _read(self) -> str:
        file = self._user.token_file
        assert file is not None  # noqa: S101 — credentials_for() chose this class by that field
        try:
            token = (await asyncio.to_thread(file.read_text, "ascii")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialError(f"the token file {file} cannot be read") from error
        if not token:
            raise CredentialError(f"the token file {file} is empty")
        return token


class PluginCredentials:
    """What an exec plug-in of this machine's kubeconfig mints, until it expires."""

    def __init__(self, context: Context, clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._clock = clock
        self._output: PluginOutput | None = None
        self._lock = asyncio.Lock()

    async def identity(self) -> Identity:
        """The cached credential, or a new one. Raises CredentialError."""
        output = self._output
        if output is None or self._expired(output):
            async with self._lock:  # many requests, one run of the plug-in
                output = self._output
                if output is None or self._expired(output):
                    output = self._output = await run_plugin(self._context)
        return Identity(f"Bearer {output.token}" if output.token else None, output.certificate, output.key)

    async def renew(self) -> bool:
        """Drop the cached credential; the next request runs the plug-in."""
        self._output = None
        return True

    def _expired(self, output: PluginOutput) -> bool:
        expires = output.expires_at
        return expires is not None and self._clock() > expires - EXPIRY_MARGIN_SECONDS


def credentials_for(context: Context) -> Credentials:
    """Choose by the same precedence as client-go: token file, token, password, plug-in."""
    user = context.user
    if user.token_file is not None:
        return TokenFileCredentials(user)
    if user.token is not None:
        return FixedCredentials(Identity(f"Bearer {user.token}", user.certificate, user.key))
    if user.username is not None:
        pair = f"{user.username}:{user.password or ''}".encode()
        header = f"Basic {base64.b64encode(pair).decode('ascii')}"
        return FixedCredentials(Identity(header, user.certificate, user.key))
    if user.exec_plugin is not None:
        return PluginCredentials(context)
    return FixedCredentials(Identity(None, user.certificate, user.key))


def impersonation_headers(impersonation: Impersonation | None) -> list[tuple[str, str]]:
    """Headers of the Kubernetes documentation, "User impersonation".

    Raises CredentialError for values that no header can carry.
    """
    if impersonation is None:
        return []
    headers = [("Impersonate-User", impersonation.user)]
    if impersonation.uid:
        headers.append(("Impersonate-Uid", impersonation.uid))
    headers += [("Impersonate-Group", group) for group in impersonation.groups]
    for key, values in impersonation.extra:
        headers += [(f"Impersonate-Extra-{_escape(key)}", value) for value in values]
    for _name, value in headers:
        if not value or any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise CredentialError("a name to impersonate is empty or holds control characters")
    return headers


_HEADER_CHARS = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _escape(key: str) -> str:
    """Percent-encode what a header name cannot hold (client-go: transport/round_trippers.go)."""
    return "".join(chr(byte) if chr(byte) in _HEADER_CHARS else f"%{byte:02X}" for byte in key.encode())


def secrets_of(identity: Identity, extra: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Texts that must not appear in any message."""
    header = identity.authorization
    found = [header.partition(" ")[2]] if header else []
    return tuple(text for text in [*found, *(extra or {}).values()] if len(text) >= 8)
