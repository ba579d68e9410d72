"""A Helm chart to a model: what Chart.yaml says of it, and the kinds that its CRDs define.

Nothing is rendered in here: CRDs among the templates are read from what Helm made of them, if somebody asked it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshery_contracts.errors import Invalid
from meshery_registry.domain import names
from meshery_registry.domain.entities import ModelEntity, Package, Readings, Refusal
from meshery_registry.domain.packages.archives import unpacked
from meshery_registry.domain.packages.bounds import Budget, Refused, safe_path
from meshery_registry.domain.packages.crds import LearnedCRD, collected, is_crd, learned_crd
from meshery_registry.domain.packages.fields import Unreadable, mapping, named, text
from meshery_registry.domain.packages.folders import documents_of, unreadable
from meshery_registry.domain.packages.limits import LIMITS, UNKNOWN, Limits, Origin
from meshery_registry.domain.packages.models import UNCATEGORIZED
from meshery_registry.domain.packages.tars import gzip_start, gzip_tar_members, is_tar

_CHART_FILE: Final = "Chart.yaml"
_CRD_FOLDER: Final = "crds"
_TEMPLATE_FOLDER: Final = "templates"
_MAX_DESCRIPTION: Final = 1000
_HEADER_BYTES: Final = 512
#: How far is looked for a Chart.yaml, which stands at the beginning of what Helm packs.
_LOOKED_AT: Final = Limits(unpacked_bytes=8 * 1024 * 1024)
#: Artifact Hub's categories of charts in Meshery's words.
_CATEGORIES: Final = {
    "ai-machine-learning": "Machine Learning",
    "database": "Database",
    "integration-delivery": "App Definition and Development",
    "monitoring-logging": "Observability and Analysis",
    "networking": "Cloud Native Network",
    "security": "Security & Compliance",
    "storage": "Cloud Native Storage",
    "streaming-messaging": "App Definition and Development",
}


def chart_package(
    chart: bytes, rendered: str | None = None, limits: Limits = LIMITS, origin: Origin = UNKNOWN
) -> Readings:
    """The model of a chart (.tgz). `rendered` is what `helm template` made of it, None when nobody rendered it."""
    found = unpacked("chart", chart, limits)
    folders = chart_folders(found.files)
    if len(folders) != 1:
        what = "no chart" if not folders else f"{len(folders)} charts"
        refusal = Refusal("file", "chart", f"It holds {what}.", "chart", "Send what `helm package` makes.")
        return Readings(refused=tuple(found.refused) or (refusal,))
    readings = chart_packages(found.files, folders[0], rendered, origin)
    return Readings(readings.packages, (*found.refused, *readings.refused))


def is_chart(data: bytes) -> bool:
    """Whether a tar.gz has a Chart.yaml at its top or in a folder there; looks at its beginning only."""
    if not is_tar(gzip_start(data, _HEADER_BYTES)):
        return False
    try:
        for member in gzip_tar_members(data, Budget(_LOOKED_AT, len(data))):
            folder, _, name = safe_path(member.name).rpartition("/")
            if name == _CHART_FILE and "/" not in folder:
                return True
    except Refused:
        pass
    return False


def chart_folders(files: Mapping[str, bytes]) -> list[str]:
    """The folders of charts, with a `/` at their ends unless it is the root; a chart inside of another is its part."""
    folders = sorted(
        path.removesuffix(_CHART_FILE)
        for path, data in files.items()
        # A component of the kind `Chart` has such a file, too.
        if path.rpartition("/")[2] == _CHART_FILE and b"schemaVersion" not in data
    )
    return [one for one in folders if not any(other != one and one.startswith(other) for other in folders)]


def chart_packages(files: Mapping[str, bytes], folder: str, rendered: str | None, origin: Origin) -> Readings:
    """The model of the chart in one folder of some files."""
    refused: list[Refusal] = []
    path = folder + _CHART_FILE
    try:
        _, chart = next(documents_of(path, files[path]))
        model = _model(chart if isinstance(chart, dict) else {}, origin)
    except Invalid as error:
        return Readings(refused=(unreadable(path, error),))
    except Unreadable as error:
        return Readings(refused=(Refusal("model", folder.strip("/"), error.reason, path, error.remedy),))
    learned = list(_learned(_crd_files(files, folder), refused))
    if rendered and rendered.strip():
        learned += _learned({"rendered templates": rendered.encode()}, refused)
    components, complaints = collected(learned)
    if rendered is None:
        refused += _not_rendered(files, folder)
    if not components:
        reason = "The chart defines no kinds of its own."
        remedy = "Charts without CRDs use kinds that are known already: nothing needs to be registered."
        refused.append(Refusal("model", model.name, reason, path, remedy))
        return Readings(refused=(*refused, *complaints))
    return Readings((Package(model, components, refused=complaints),), tuple(refused))


def _crd_files(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files of a chart and its subcharts that Helm takes for CRDs."""
    found = {}
    for path in sorted(files):
        parts = path.removeprefix(folder).split("/")[:-1]
        if path.startswith(folder) and _CRD_FOLDER in parts and _TEMPLATE_FOLDER not in parts:
            found[path] = files[path]
    return found


def _learned(files: Mapping[str, bytes], refused: list[Refusal]) -> Iterator[LearnedCRD]:
    for path, data in files.items():
        try:
            found = list(documents_of(path, data))
        except Invalid as error:
            refused.append(unreadable(path, error))
            continue
        yield from (learned_crd(document, where) for where, document in found if is_crd(document))


def _not_rendered(files: Mapping[str, bytes], folder: str) -> Iterator[Refusal]:
    """What only Helm could tell."""
    templates = [
        path
        for path, data in files.items()
        if path.startswith(folder)
        and _TEMPLATE_FOLDER in path.removeprefix(folder).split("/")[:-1]
        and b"CustomResourceDefinition" in data
    ]
    if templates:
        yield Refusal(
            "file",
            templates[0] if len(templates) == 1 else f"{len(templates)} templates",
            "CRDs among the templates of a chart are known only once Helm has rendered them.",
            sorted(templates)[0],
            "Import what `helm template --include-crds` writes, or make Helm available to the server.",
        )


def _model(chart: Mapping[str, Any], origin: Origin) -> ModelEntity:
    chart_name = named(chart, "name", "name")
    annotations = mapping(chart, "annotations")
    category = text(annotations, "artifacthub.io/category").lower()
    icon = text(chart, "icon")
    told = {
        "svgColor": icon,
        "svgWhite": icon,
        "appVersion": text(chart, "appVersion"),
        "home": text(chart, "home"),
        "keywords": _texts(chart, "keywords"),
        "sources": _texts(chart, "sources"),
        "source_uri": origin.source_uri,
    }
    name = re.sub(r"[^a-z0-9]+", "-", chart_name.lower()).strip("-") or "chart"
    return ModelEntity(
        name=name,
        version=origin.version or named(chart, "version", "version"),
        display_name=text(annotations, "artifacthub.io/displayName", names.model_display_name(name)),
        description=text(chart, "description")[:_MAX_DESCRIPTION],
        category=_CATEGORIES.get(category, UNCATEGORIZED),
        registrant_kind=origin.registrant_kind or "helm",
        registrant_name=origin.registrant_name,
        metadata={key: one for key, one in told.items() if one},
    )


def _texts(chart: Mapping[str, Any], key: str) -> list[str]:
    found = chart.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
