"""Artifact Hub: which repository has the Helm package of a name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson

from meshery_contracts.errors import Invalid, NotFound
from meshery_registry.clients.problems import translated
from meshery_registry.domain.sources import ChartSource, OciSource, chart_source
from meshery_web import Fetcher

_HELM = 0
_LIMIT = 20
_MAX_BYTES = 4 * 1024 * 1024


class ArtifactHubClient:
    """Searches packages. `url` is where Artifact Hub is."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")

    async def find(self, name: str) -> ChartSource | OciSource:
        """The chart that a name means best: of that name, of a verified publisher, official. Raises NotFound."""
        query = urlencode({"ts_query_web": name, "kind": _HELM, "limit": _LIMIT, "offset": 0})
        with translated():
            answer = await self._fetcher.get(
                f"{self._url}/api/v1/packages/search?{query}", accept="application/json", max_bytes=_MAX_BYTES
            )
        try:
            packages = [one for one in orjson.loads(answer.body)["packages"] if _usable(one)]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise Invalid("Artifact Hub's answer cannot be read.", code="artifact_hub_unreadable") from None
        if not packages:
            raise NotFound(
                f"Artifact Hub has no Helm package {name!r}.",
                code="package_unknown",
                remedy="Check the name on Artifact Hub, or name the chart's repository.",
            )
        best = max(packages, key=lambda one: _score(one, name))
        return chart_source(str(best["repository"]["url"]), str(best["name"]), str(best.get("version") or ""))


def _usable(package: Any) -> bool:
    repository = package.get("repository")
    return bool(package.get("name") and isinstance(repository, dict) and repository.get("url"))


def _score(package: dict[str, Any], name: str) -> tuple[bool, int]:
    repository = package["repository"]
    official = package.get("official") or repository.get("official")
    return package["name"] == name, bool(repository.get("verified_publisher")) + bool(official)
