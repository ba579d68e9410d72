"""A package to bytes: the same package gives the same bytes."""

from __future__ import annotations

from typing import Literal

from meshery_registry.domain.entities import Package


def write_package(
    package: Package,
    format: Literal["json", "yaml"] = "json",
    file_type: Literal["oci", "tar"] = "oci",
    components: bool = True,
    relationships: bool = True,
) -> bytes:
    """The package as an OCI image in a tar file, or as a tar.gz of the model's folder."""
    raise NotImplementedError(package.model, format, file_type, components, relationships)
