"""OCI registries: charts, model packages and folders that were pushed as artifacts. Without a login or with one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from meshery_contracts.errors import Invalid, TooLarge
from meshery_registry.clients.files import SourceFile
from meshery_registry.clients.problems import translated
from meshery_registry.domain.logins import BASIC, BEARER, may_log_in, same_origin
from meshery_registry.domain.sources import OciSource
from meshery_web import Fetched, Fetcher, FetchError, Reason

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TITLE = "org.opencontainers.image.title"
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_MAX_LAYERS = 128
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class OciClient:
    """Pulls artifacts by the distribution API."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def pull(self, source: OciSource, authorization: str = "") -> list[SourceFile]:
        """The layers of an artifact; of a Helm chart its archive. Raises Invalid, TooLarge, Unavailable."""
        with translated():
            return await _Pull(self._fetcher, source, authorization).layers()


class _Pull:
    """One artifact, and the token that its registry gives to anybody, or to who logs in."""

    def __init__(self, fetcher: Fetcher, source: OciSource, authorization: str) -> None:
        self._fetcher = fetcher
        self._source = source
        self._left = fetcher.policy.max_bytes
        #: A password is shown when the registry asks for one; mostly it wants a token instead.
        self._login = authorization if authorization.startswith(BASIC) else ""
        self._authorization = "" if self._login else authorization
        plain = fetcher.policy.allow_http and _is_loopback(source.registry)
        self._base = f"{'http' if plain else 'https'}://{source.registry}/v2/{source.repository}"

    async def layers(self) -> list[SourceFile]:
        manifest = await self._manifest(self._source.reference or "latest")
        if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
            manifest = await self._manifest(_digest(_preferred(manifest)))
        layers = [one for one in _list(manifest, "layers") if isinstance(one, dict)]
        charts = [one for one in layers if one.get("mediaType") == CHART_LAYER]
        if not layers or len(layers) > _MAX_LAYERS:
            raise _unreadable(f"Its manifest has {len(layers)} layers.")
        return [await self._layer(at, one) for at, one in enumerate(charts[:1] or layers)]

    async def _manifest(self, reference: str) -> dict[str, Any]:
        accept = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
        answer = await self._get(f"manifests/{reference}", accept, _MAX_MANIFEST_BYTES)
        if _DIGEST.fullmatch(reference):
            _check(answer.body, reference)
        try:
            manifest = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            manifest = None
        if not isinstance(manifest, dict):
            raise _unreadable("Its manifest is no JSON object.")
        return manifest

    async def _layer(self, at: int, layer: Mapping[str, Any]) -> SourceFile:
        digest = _digest(layer)
        body = (await self._get(f"blobs/{digest}", {}, self._left)).body
        _check(body, digest)
        self._left -= len(body)
        if self._left <= 0:
            raise TooLarge(
                "The layers of the OCI artifact are larger than what is read.", code="source_too_large"
            )
        annotations = layer.get("annotations")
        title = annotations.get(_TITLE) if isinstance(annotations, dict) else None
        name = str(title or "").replace("\\", "/").rpartition("/")[2]
        return SourceFile(name or f"layer-{at}.tar.gz", body)

    async def _get(self, what: str, headers: Mapping[str, str], max_bytes: int) -> Fetched:
        url = f"{self._base}/{what}"
        answer = await self._asked(url, headers, max_bytes)
        if answer.status == 401 and not self._authorization:
            if self._login and not same_origin(answer.url, url):
                raise _unreadable("Its registry redirects elsewhere: credentials are not sent there.")
            self._authorization = await self._token(answer.headers.get("www-authenticate", ""))
            answer = await self._asked(url, headers, max_bytes)
        if answer.status != 200:
            host = self._source.registry
            raise FetchError(
                Reason.STATUS, f"{host} answers with status {answer.status}.", status=answer.status
            )
        return answer

    async def _asked(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Fetched:
        return await self._fetcher.request(
            "GET", url, headers=headers, authorization=self._authorization, max_bytes=max_bytes
        )

    async def _token(self, challenge: str) -> str:
        """What the registry wants to see."""
        scheme, _, rest = challenge.partition(" ")
        asked = dict(_PARAMETER.findall(rest))
        if scheme.lower() == "basic" and self._login:
            return self._login
        if scheme.lower() != "bearer" or "realm" not in asked:
            raise _unreadable("Its registry wants a login.")
        if self._login and not may_log_in(asked["realm"], self._base):
            raise _unreadable("Its registry sends elsewhere for tokens: credentials are not sent there.")
        scope = asked.get("scope") or f"repository:{self._source.repository}:pull"
        query = urlencode({"service": asked.get("service", ""), "scope": scope})
        url = f"{asked['realm']}{'&' if '?' in asked['realm'] else '?'}{query}"
        answer = await self._fetcher.get(url, authorization=self._login, max_bytes=_MAX_MANIFEST_BYTES)
        try:
            document = orjson.loads(answer.body)
            token = str(document.get("token") or document["access_token"])
        except (orjson.JSONDecodeError, KeyError, AttributeError):
            raise _unreadable("Its registry gives no token.") from None
        if not token.isascii() or not token.isprintable():
            raise _unreadable("Its registry gives a token that cannot be sent.")
        return BEARER + token


def _preferred(index: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of several manifests the one for no platform, or for ours."""
    manifests = [one for one in _list(index, "manifests") if isinstance(one, dict)]
    if not manifests:
        raise _unreadable("Its index names no manifest.")

    def rank(one: Mapping[str, Any]) -> int:
        platform = one.get("platform")
        if not isinstance(platform, dict):
            return 0
        return 1 if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64") else 2

    return min(manifests, key=rank)


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _digest(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _unreadable("It names a part without a sha256 digest.")
    return digest


def _check(body: bytes, digest: str) -> None:
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
        raise _unreadable("A part of it is not what its digest says.")


def _is_loopback(registry: str) -> bool:
    """Whether the registry is one of this machine, which by custom is asked without TLS."""
    return urlsplit(f"//{registry}").hostname in ("localhost", "127.0.0.1", "::1")


def _unreadable(why: str) -> Invalid:
    return Invalid(
        "The OCI artifact cannot be read.",
        code="oci_unreadable",
        cause=why,
        remedy="Name an artifact whose layers are a chart or a model package, and credentials if it is private.",
    )
