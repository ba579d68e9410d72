"""A Helm repository's index.yaml: which archive a chart's version is, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from meshery_contracts.errors import Invalid, NotFound

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ChartArchive:
    """One version of a chart. `url` may be relative to the repository; an empty digest is unknown."""

    version: str
    url: str
    digest: str = ""


def archive_in(index: bytes, name: str, version: str) -> ChartArchive:
    """The archive of a chart's version, or of the newest that is no pre-release. Raises Invalid, NotFound."""
    try:
        document = yaml.load(index, Loader=_Loader)  # noqa: S506 -- a safe loader, in C where there is one
        found = document["entries"].get(name) or []
        archives = [_archive(one) for one in found]
    except (yaml.YAMLError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        raise Invalid(
            "The repository's index.yaml cannot be read.",
            code="chart_index_unreadable",
            remedy="Check that the address is the one that `helm repo add` takes.",
        ) from None
    if not archives:
        raise NotFound(f"The repository has no chart {name!r}.", code="chart_unknown")
    if version:
        for one in archives:
            if one.version.removeprefix("v") == version.removeprefix("v"):
                return one
        known = ", ".join(one.version for one in archives[:_SHOWN])
        raise NotFound(
            f"The chart {name!r} has no version {version!r}.",
            code="chart_unknown",
            remedy=f"There are: {known}.",
        )
    return max(archives, key=lambda one: _order(one.version))


def _archive(entry: dict[str, Any]) -> ChartArchive:
    return ChartArchive(str(entry["version"]), str(entry["urls"][0]), str(entry.get("digest") or ""))


def _order(version: str) -> tuple[bool, tuple[int, ...], str]:
    """Releases after pre-releases, and both by their numbers."""
    match = _SEMVER.fullmatch(version)
    if match is None:
        return False, (), version
    return match[4] is None, tuple(int(part or 0) for part in match.group(1, 2, 3)), match[4] or ""
