"""What some bytes are, by their content and then by their name, and who reads them."""

from __future__ import annotations

from collections.abc import Mapping

from meshery_registry.domain.entities import Readings
from meshery_registry.domain.packages.limits import LIMITS, UNKNOWN, Limits, Origin


def read_source(name: str, data: bytes, limits: Limits = LIMITS, origin: Origin = UNKNOWN) -> Readings:
    """All models of one file: a package, an archive of packages, CRDs, an OpenAPI document, a chart."""
    raise NotImplementedError(name, len(data), limits, origin)


def read_folder(files: Mapping[str, bytes], limits: Limits = LIMITS, origin: Origin = UNKNOWN) -> Readings:
    """All models of a folder, given as relative path (with `/`) and content."""
    raise NotImplementedError(len(files), limits, origin)
