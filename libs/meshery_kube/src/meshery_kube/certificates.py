"""TLS contexts from PEM texts that live in memory only."""

import os
import ssl
import tempfile
from pathlib import Path

from meshery_kube.errors import KubeconfigMalformed
from meshery_kube.kubeconfigs import Server


def tls_context(server: Server, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """A client context for `server`, with a client certificate where one is given.

    Takes about 1 ms with the cluster's own authority, some 20 ms with the machine's roots.
    Raises KubeconfigMalformed when OpenSSL does not take the authority, certificate or key.
    """
    try:
        context = ssl.create_default_context(cadata=server.authority)
    except (ssl.SSLError, ValueError):
        raise KubeconfigMalformed(
            f"cluster {server.name!r}: the certificate authority is not readable PEM"
        ) from None
    # Python 3.13 checks strictly by default, and the authorities that many Kubernetes
    # distributions generate lack the extensions that RFC 5280 wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not server.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate and key:
        _load_pair(context, server, certificate, key)
    return context


def _load_pair(context: ssl.SSLContext, server: Server, certificate: str, key: str) -> None:
    """OpenSSL's binding reads files only, so the pair passes through one that has no name."""
    pair = f"{certificate}\n{key}".encode("ascii")
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
            try:
                os.write(descriptor, pair)
                _load_chain(context, Path(f"/proc/self/fd/{descriptor}"))
            finally:
                os.close(descriptor)
        else:
            with tempfile.TemporaryDirectory() as folder:  # created with mode 0700
                file = Path(folder, "pair.pem")
                file.write_bytes(pair)
                _load_chain(context, file)
    except (ssl.SSLError, ValueError, UnicodeEncodeError):
        raise KubeconfigMalformed(
            f"cluster {server.name!r}: the client certificate and key are not a usable pair "
            "(encrypted keys are not supported)"
        ) from None


def _load_chain(context: ssl.SSLContext, file: Path) -> None:
    # Without a password callback OpenSSL would ask on the terminal for an encrypted key.
    context.load_cert_chain(file, password=lambda: "")
