"""Component definitions of every generation (`components.meshery.io/v1alpha1` to `/v1beta3`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic.alias_generators import to_camel

from meshery_registry.domain.entities import ComponentEntity
from meshery_registry.domain.names import DEFINITION_VERSION, display_name
from meshery_registry.domain.openapi import MAX_SCHEMA_BYTES
from meshery_registry.domain.packages.fields import (
    Document,
    Unreadable,
    mapping,
    mappings,
    named,
    one_of,
    prose,
    switch,
    text,
    without,
)
from meshery_registry.domain.packages.models import looks

STATUSES = ("enabled", "ignored", "duplicate", "resolved", "open")
#: What the schema of a component wants in its metadata, and what stands there when there is nothing to say.
PLAIN_METADATA: Final[Document] = {
    "genealogy": "",
    "published": False,
    "instanceDetails": {},
    "configurationUISchema": "",
}
_TOLD = ("isAnnotation", "isNamespaced", "isCustomResource")


def component_entity(document: Document) -> ComponentEntity:
    """A component. Raises Unreadable."""
    inner = mapping(document, "component")
    if not inner:
        # Before v1beta1 it was not apart from what surrounds it.
        inner = {"kind": document.get("kind"), "version": document.get("apiVersion")}
        inner["schema"] = document.get("schema")
    kind = named(inner, "kind", "component.kind")
    metadata = mapping(document, "metadata")
    annotation = switch(metadata, "isAnnotation", default=False)
    return ComponentEntity(
        kind=kind,
        api_version=text(inner, "version") if annotation else named(inner, "version", "component.version"),
        display_name=text(document, "displayName", display_name(kind)),
        description=prose(document, "description"),
        definition_version=text(document, "version", DEFINITION_VERSION),
        schema=_schema(inner.get("schema"), annotation=annotation),
        namespaced=switch(metadata, "isNamespaced", default=True),
        custom=switch(metadata, "isCustomResource", default=False),
        status=one_of(text(document, "status"), STATUSES, "enabled"),
        annotation=annotation,
        styles=_styles(mapping(document, "styles")),
        capabilities=mappings(document, "capabilities"),
        metadata=without(
            metadata, {*_TOLD, *(key for key, plain in PLAIN_METADATA.items() if metadata.get(key) == plain)}
        ),
        configuration=mapping(document, "configuration"),
    )


def _schema(found: Any, *, annotation: bool) -> str:
    """The schema in one way of writing it, so that the same one has the same hash. Raises Unreadable."""
    if isinstance(found, str) and found.strip():
        try:
            found = orjson.loads(found)
        except orjson.JSONDecodeError as error:
            raise Unreadable(
                f"`component.schema` is no JSON: {error}.", "Put JSON Schema there, as a text."
            ) from None
    if not found or not isinstance(found, Mapping):
        if annotation or found == {}:
            return "" if annotation else "{}"
        raise Unreadable(
            "`component.schema` is empty, and the component is no annotation.",
            "Give it a schema, or `isAnnotation: true` in `metadata`.",
        )
    try:
        written = orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        raise Unreadable("`component.schema` is nested too deeply.", "Cut its cycles.") from None
    if len(written) > MAX_SCHEMA_BYTES:
        raise Unreadable(
            f"`component.schema` has {len(written):,} bytes, {MAX_SCHEMA_BYTES:,} are allowed.",
            "Leave out what nobody configures, such as descriptions.",
        )
    return written.decode()


def _styles(found: Document) -> dict[str, Any]:
    """Names of Cytoscape styles, which old definitions write with hyphens."""
    styles = {to_camel(key.replace("-", "_")) if "-" in key else key: one for key, one in found.items()}
    return looks(styles, dropped=set())
