"""What some bytes are, by their content and then by their name, and who reads them."""

from __future__ import annotations

from collections.abc import Mapping

from meshery_registry.domain.entities import Readings, Refusal
from meshery_registry.domain.packages.archives import Unpacked, unpacked, unpacked_folder
from meshery_registry.domain.packages.charts import chart_folders, chart_packages
from meshery_registry.domain.packages.folders import merged, packages_of
from meshery_registry.domain.packages.limits import LIMITS, UNKNOWN, Limits, Origin


def read_source(name: str, data: bytes, limits: Limits = LIMITS, origin: Origin = UNKNOWN) -> Readings:
    """All models of one file: a package, an archive of packages, CRDs, an OpenAPI document, a chart."""
    return _read(unpacked(name, data, limits), name, origin)


def read_folder(files: Mapping[str, bytes], limits: Limits = LIMITS, origin: Origin = UNKNOWN) -> Readings:
    """All models of a folder, given as relative path (with `/`) and content."""
    return _read(unpacked_folder(files, limits), "", origin)


def _read(found: Unpacked, name: str, origin: Origin) -> Readings:
    readings = []
    rest = dict(found.files)
    for folder in chart_folders(rest):
        chart = {path: rest.pop(path) for path in list(rest) if path.startswith(folder)}
        readings.append(chart_packages(chart, folder, None, origin))
    readings.append(packages_of(rest, origin))
    readings.append(Readings(refused=tuple(found.refused)))
    everything = merged(readings)
    if everything.packages or everything.refused:
        return everything
    return Readings(
        refused=(
            Refusal(
                "file",
                name,
                "It holds nothing that definitions are read from.",
                name,
                "Send a model package, CRDs, an OpenAPI document or a Helm chart.",
            ),
        )
    )
