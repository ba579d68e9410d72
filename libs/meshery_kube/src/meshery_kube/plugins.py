"""Running the exec plug-in of the machine's own kubeconfig (client.authentication.k8s.io).

Only contexts read by `own_kubeconfig` can hold a plug-in: uploaded ones never get here.
"""

import asyncio
import base64
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from meshery_kube.errors import CredentialError
from meshery_kube.kubeconfigs import Context
from meshery_kube.kubeconfigs.contexts import ExecPlugin

PLUGIN_SECONDS = 60.0
"""Cloud plug-ins may sign in over a slow network; kubectl itself sets no limit."""
_MAX_OUTPUT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PluginOutput:
    """What the plug-in printed. `expires_at` is Unix time in seconds, None for "never"."""

    token: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    expires_at: float | None = None


async def run_plugin(context: Context, timeout: float = PLUGIN_SECONDS) -> PluginOutput:
    """Run the context's plug-in once; the child is killed when time runs out or we are cancelled.

    Raises CredentialError. What the plug-in wrote to its error output is left out of the message:
    it may hold secrets.
    """
    plugin = context.user.exec_plugin
    if plugin is None:
        raise CredentialError(f"context {context.name!r} has no exec plug-in")
    hint = f". {plugin.install_hint}" if plugin.install_hint else ""
    environment = {
        **os.environ,
        **dict(plugin.environment),
        "KUBERNETES_EXEC_INFO": orjson.dumps(_request(context, plugin)).decode(),
    }
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            limit=_MAX_OUTPUT_BYTES,
        )
    except OSError as error:
        raise CredentialError(
            f"the exec plug-in {plugin.command!r} cannot be started: {error.strerror}{hint}"
        ) from error
    try:
        async with asyncio.timeout(timeout):
            output = await _read(process)
            code = await process.wait()
    except TimeoutError as error:
        raise CredentialError(
            f"the exec plug-in {plugin.command!r} gave nothing within {timeout:g} s"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise CredentialError(f"the exec plug-in {plugin.command!r} ended with code {code}{hint}")
    return _parse(output, plugin)


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 — it was asked for above
    parts: list[bytes] = []
    size = 0
    while chunk := await process.stdout.read(65_536):
        size += len(chunk)
        if size > _MAX_OUTPUT_BYTES:
            raise CredentialError("the exec plug-in prints more than 1 MiB")
        parts.append(chunk)
    return b"".join(parts)


def _request(context: Context, plugin: ExecPlugin) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        server = context.server
        cluster: dict[str, Any] = {"server": server.url}
        if server.authority is not None:
            cluster["certificate-authority-data"] = _base64(server.authority)
        if server.tls_server_name is not None:
            cluster["tls-server-name"] = server.tls_server_name
        if not server.verify_tls:
            cluster["insecure-skip-tls-verify"] = True
        spec["cluster"] = cluster
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def _parse(output: bytes, plugin: ExecPlugin) -> PluginOutput:
    wrong = f"the exec plug-in {plugin.command!r} printed no usable ExecCredential"
    try:
        document = orjson.loads(output)
    except orjson.JSONDecodeError:
        # `from None`: the error quotes the output, which is a credential.
        raise CredentialError(wrong) from None
    status = document.get("status") if isinstance(document, dict) else None
    if not isinstance(status, dict) or document.get("kind") != "ExecCredential":
        raise CredentialError(wrong)
    if document.get("apiVersion") != plugin.api_version:
        raise CredentialError(f"{wrong}: its apiVersion is not {plugin.api_version}")
    token, certificate, key = (
        value if isinstance(value := status.get(name), str) and value else None
        for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if bool(certificate) != bool(key) or not (token or certificate):
        raise CredentialError(f"{wrong}: neither a token nor a certificate with its key")
    expiry = status.get("expirationTimestamp")
    try:
        expires_at = datetime.fromisoformat(expiry).timestamp() if expiry else None
    except (TypeError, ValueError):
        raise CredentialError(f"{wrong}: its expirationTimestamp is no RFC 3339 time") from None
    return PluginOutput(token, certificate, key, expires_at)
