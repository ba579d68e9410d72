"""Kubeconfigs: uploaded ones, those that are stored, and this machine's own."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshery_connections.domain.contexts import ContextDescription
from meshery_kube import (
    Context,
    Kubeconfig,
    UploadPolicy,
    own_kubeconfig,
    self_contained,
    uploaded_kubeconfig,
)
from meshery_kube.errors import KubeconfigError, KubeconfigMalformed

#: Longer texts are read in a thread, so that no other request waits for them.
_LONG_CHARACTERS = 32 * 1024


@dataclass(frozen=True)
class Kubeconfigs:
    """What may be uploaded, and where this machine's own files are (none: it offers no contexts)."""

    policy: UploadPolicy
    own_paths: tuple[Path, ...] = ()

    async def uploaded(self, text: str) -> Kubeconfig:
        """The contexts of an uploaded file. Raises KubeconfigMalformed and KubeconfigTooLarge."""
        if len(text) > _LONG_CHARACTERS:
            return await asyncio.to_thread(uploaded_kubeconfig, text, self.policy)
        return uploaded_kubeconfig(text, self.policy)

    def stored(self, text: str) -> Context:
        """The one context of a text that `portable` made; judged by the policy of today. Raises KubeconfigError."""
        return uploaded_kubeconfig(text, self.policy).context()

    async def own(self) -> Kubeconfig:
        """The contexts of this machine's files as they are now. Raises KubeconfigMalformed."""
        if not self.own_paths:
            raise KubeconfigMalformed("this installation offers no kubeconfig of its own")
        return await asyncio.to_thread(own_kubeconfig, self.own_paths, {})

    async def own_context(self, name: str) -> Context | None:
        """One context as it is in this machine's files now; None when they cannot be read, or without it."""
        try:
            return (await self.own()).context(name)
        except KubeconfigError:
            return None

    def own_version(self) -> Hashable:
        """Changes whenever one of this machine's files does."""
        return tuple(_stamp(path) for path in self.own_paths)


def portable(context: Context) -> str:
    """A context as the text that is sealed and stored. It holds the credential."""
    return self_contained(context)


def described(context: Context) -> ContextDescription:
    """What may be shown of a context."""
    server, user = context.server, context.user
    try:
        fingerprints = server.authority_fingerprints
    except KubeconfigMalformed:
        fingerprints = ()
    return ContextDescription(
        name=context.name,
        server=server.url,
        namespace=context.namespace,
        cluster_name=server.name,
        user_name=user.name,
        credential=_credential_kind(context),
        verify_tls=server.verify_tls,
        authority_fingerprints=fingerprints,
    )


def _credential_kind(context: Context) -> str:
    user = context.user
    kinds: Sequence[tuple[str, object]] = (
        ("token_file", user.token_file),
        ("token", user.token),
        ("password", user.username),
        ("plugin", user.exec_plugin),
        ("certificate", user.certificate),
    )
    return next((kind for kind, value in kinds if value), "none")


def _stamp(path: Path) -> Hashable:
    try:
        status = path.stat()
    except OSError:
        return (str(path), 0, 0)
    return (str(path), status.st_mtime_ns, status.st_size)
