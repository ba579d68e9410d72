"""A model as the store has it to the bytes of its package: schemas inflated, icons back in place of addresses.

It runs in the process beside the service.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from meshery_contracts.definitions import ICON_PATH
from meshery_registry.domain.entities import Package
from meshery_registry.domain.icons import KEYS
from meshery_registry.domain.packages import write_package

_BEFORE, _, _AFTER = ICON_PATH.partition("{hash}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A package as it is stored: the schema of each component deflated, icons by their hashes."""

    package: Package
    schemas: Sequence[bytes | None]
    icons: Mapping[str, str]


def exported(
    stored: Stored,
    format: Literal["json", "yaml"],
    file_type: Literal["oci", "tar"],
    components: bool,
    relationships: bool,
    older: bool,
) -> bytes:
    """The package's bytes; `older` is for a Meshery that knows no `v1beta3` of components."""
    package, icons = stored.package, stored.icons
    whole = replace(
        package,
        model=replace(package.model, metadata=_with_icons(package.model.metadata, icons)),
        components=tuple(
            replace(
                one,
                schema="" if schema is None else zlib.decompress(schema).decode(),
                styles=_with_icons(one.styles, icons),
            )
            for one, schema in zip(package.components, stored.schemas, strict=True)
        ),
        relationships=tuple(
            replace(one, definition=_relationship(one.definition, icons)) for one in package.relationships
        ),
        connections=tuple(
            replace(one, definition=_with_pictures(one.definition, icons)) for one in package.connections
        ),
    )
    return write_package(whole, format, file_type, components, relationships, older)


def _relationship(definition: Mapping[str, Any], icons: Mapping[str, str]) -> Mapping[str, Any]:
    metadata = definition.get("metadata")
    if not isinstance(metadata, Mapping):
        return definition
    return {**definition, "metadata": _with_pictures(metadata, icons)}


def _with_pictures(document: Mapping[str, Any], icons: Mapping[str, str]) -> Mapping[str, Any]:
    styles = document.get("styles")
    return {**document, "styles": _with_icons(styles, icons)} if isinstance(styles, Mapping) else document


def _with_icons(styles: Mapping[str, Any], icons: Mapping[str, str]) -> dict[str, Any]:
    """Styles with the texts of icons that are ours; other addresses stay."""
    found = dict(styles)
    for key in KEYS:
        value = found.get(key)
        if isinstance(value, str) and value.startswith(_BEFORE) and value.endswith(_AFTER):
            digest = value.removeprefix(_BEFORE).removesuffix(_AFTER)
            found[key] = icons.get(digest, value)
    return found
