"""What was fetched, as it lies in the store, and who reads it. Pure: it runs in the process beside the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from meshery_contracts.imports import ModelNaming
from meshery_registry.domain.entities import Readings
from meshery_registry.domain.git_packs import PackLimits, files_of_pack
from meshery_registry.domain.packages import (
    UNKNOWN,
    Limits,
    Origin,
    chart_package,
    is_chart,
    read_folder,
    read_sheets,
    read_source,
)


class Form(StrEnum):
    """How the files of a material belong together."""

    #: One file: whatever it is.
    FILE = "file"
    #: Several files side by side, as an artifact's layers.
    FOLDER = "folder"
    #: A git pack; `detail` has `object` and `path`.
    PACK = "pack"
    #: Three CSV texts: models, components, relationships.
    SHEETS = "sheets"


@dataclass(frozen=True, slots=True)
class Material:
    """What a source gave: files by name, in order, and what is known of them."""

    form: Form
    files: Sequence[tuple[str, bytes]]
    origin: Origin = UNKNOWN
    detail: Mapping[str, str] = field(default_factory=dict)


def read_material(material: Material, rendered: str | None, naming: ModelNaming, limits: Limits) -> Readings:
    """All models of a material. Raises Invalid, NotFound or TooLarge for a git pack that cannot be read."""
    readings = _read(material, rendered, limits)
    return _named(readings, naming)


def _read(material: Material, rendered: str | None, limits: Limits) -> Readings:
    origin = material.origin
    match material.form:
        case Form.SHEETS:
            models, components, relationships = (body.decode(errors="replace") for _, body in material.files)
            return read_sheets(models, components, relationships)
        case Form.FOLDER:
            return read_folder(dict(material.files), limits, origin)
        case Form.PACK:
            bounds = PackLimits(limits.unpacked_bytes // 2, limits.file_bytes, limits.files)
            [(_, pack)] = material.files
            detail = material.detail
            return read_folder(files_of_pack(pack, detail["object"], detail["path"], bounds), limits, origin)
        case Form.FILE:
            [(name, body)] = material.files
            if is_chart(body):
                return chart_package(body, rendered, limits, origin)
            return read_source(name, body, limits, origin)


def _named(readings: Readings, naming: ModelNaming) -> Readings:
    """The one model of the readings under the names that its importer gave; several keep their own."""
    given = {name: value for name, value in naming.model_dump(by_alias=False).items() if value}
    if not given or len(readings.packages) != 1:
        return readings
    [package] = readings.packages
    return replace(readings, packages=(replace(package, model=replace(package.model, **given)),))
