"""Writing one context back as a self-contained kubeconfig that kubectl and client-go read."""

import base64
from typing import Any

import yaml

from meshery_kube.errors import ContextNotPortable
from meshery_kube.kubeconfigs.contexts import Context


def self_contained(context: Context, *, token: str | None = None) -> str:
    """The YAML text of a kubeconfig with this one context, selected, all data inside.

    `token` takes the place of the context's own credential: for a short-lived file that is handed
    to somebody. Raises ContextNotPortable when the credential comes from a plug-in or a file of
    this machine and no token is given. The result holds secrets: treat it like one.
    """
    user = context.user
    if token is None and (user.exec_plugin or (user.token_file and not user.token)):
        raise ContextNotPortable(
            f"context {context.name!r} gets its credential from this machine "
            f"({'exec plug-in' if user.exec_plugin else 'token file'}); give a token to write it"
        )
    server = context.server
    cluster: dict[str, Any] = {"server": server.url}
    _set(cluster, "certificate-authority-data", _encode(server.authority))
    _set(cluster, "tls-server-name", server.tls_server_name)
    _set(cluster, "insecure-skip-tls-verify", not server.verify_tls or None)
    _set(cluster, "proxy-url", server.proxy_url)
    _set(cluster, "disable-compression", not server.compression or None)
    credential: dict[str, Any] = {}
    if token is not None:
        credential["token"] = token
    else:
        _set(credential, "token", user.token)
        _set(credential, "client-certificate-data", _encode(user.certificate))
        _set(credential, "client-key-data", _encode(user.key))
        _set(credential, "username", user.username)
        _set(credential, "password", user.password)
    if user.impersonation is not None:
        credential["as"] = user.impersonation.user
        _set(credential, "as-uid", user.impersonation.uid or None)
        _set(credential, "as-groups", list(user.impersonation.groups) or None)
        extra = {key: list(values) for key, values in user.impersonation.extra}
        _set(credential, "as-user-extra", extra or None)
    cluster_name = server.name or context.name
    user_name = user.name or context.name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user_name, "user": credential}],
        "contexts": [
            {
                "name": context.name,
                "context": {
                    "cluster": cluster_name,
                    "user": user_name,
                    "namespace": context.namespace,
                },
            }
        ],
        "current-context": context.name,
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1 << 20)


def _set(section: dict[str, Any], key: str, value: object) -> None:
    if value is not None:
        section[key] = value


def _encode(pem: str | None) -> str | None:
    return None if pem is None else base64.b64encode(pem.encode("ascii")).decode("ascii")
