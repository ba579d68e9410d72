"""What a kubeconfig says about one way into one cluster, as frozen values.

Secrets are kept out of every `repr`. Shape of the file: k8s.io/client-go
tools/clientcmd/api/v1/types.go.
"""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from meshery_kube.errors import ContextNotFound, FieldRefused, KubeconfigMalformed


@dataclass(frozen=True, slots=True)
class Server:
    """The `cluster` half: where the API server is and how it is recognised.

    `authority` is a PEM bundle; None means the machine's own roots. `tls_server_name` replaces the
    host of `url` in the certificate check. `compression` asks for gzip on large replies.
    """

    name: str
    url: str
    authority: str | None = None
    tls_server_name: str | None = None
    verify_tls: bool = True
    proxy_url: str | None = field(default=None, repr=False)
    compression: bool = True

    @property
    def authority_fingerprints(self) -> tuple[str, ...]:
        """SHA-256 of each certificate of the bundle, in hex: to show before a cluster is trusted.

        Raises KubeconfigMalformed when the bundle holds something that is no certificate.
        """
        if self.authority is None:
            return ()
        end = "-----END CERTIFICATE-----"
        found: list[str] = []
        for part in self.authority.split(end)[:-1]:
            start = part.find("-----BEGIN CERTIFICATE-----")
            try:
                der = ssl.PEM_cert_to_DER_cert(part[start:] + end)
            except ValueError:
                raise KubeconfigMalformed(
                    f"cluster {self.name!r}: the certificate authority is not readable PEM"
                ) from None
            found.append(hashlib.sha256(der).hexdigest())
        return tuple(found)


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A command that prints an ExecCredential (client.authentication.k8s.io)."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = "client.authentication.k8s.io/v1"
    provide_cluster_info: bool = False
    install_hint: str = ""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """On whose behalf requests are made (`Impersonate-*` headers); needs the right to do so."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """The `user` half: how we prove who we are. Several may be set; a token wins over a password.

    `certificate` and `key` are PEM texts; `token_file` is read again and again.
    """

    name: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    exec_plugin: ExecPlugin | None = None
    impersonation: Impersonation | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """One selectable entry: a server, a user, and the namespace meant when none is named."""

    name: str
    server: Server
    user: User
    namespace: str = "default"


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """All contexts of a kubeconfig that may be used, and why the others may not."""

    contexts: tuple[Context, ...]
    current: str | None = None
    refused: Mapping[str, tuple[FieldRefused, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the usable contexts, in the order of the file."""
        return tuple(context.name for context in self.contexts)

    def context(self, name: str | None = None) -> Context:
        """The named context, or the current one, or the only one.

        Raises FieldRefused when the policy does not let it in, ContextNotFound when it is not
        there or when it is not clear which one is meant.
        """
        if name is None:
            name = self.current
            if name is None and len(self.contexts) == 1 and not self.refused:
                return self.contexts[0]
        for context in self.contexts:
            if context.name == name:
                return context
        if name is not None and name in self.refused:
            raise self.refused[name][0]
        raise ContextNotFound(name, self.names)
