"""Definitions from before `schemaVersion` told what they are, as Meshery wrote them until 2024, in later words.

They named themselves by `core.meshery.io/…`, as schema or as API version, or by nothing at all.
"""

from __future__ import annotations

from typing import Any, Final

from meshery_registry.domain.packages.fields import Document, mapping, text, value

_CORE: Final = "core.meshery.io/"
_COMPONENT: Final = "components.meshery.io/v1alpha1"
_MODEL: Final = "models.meshery.io/v1beta1"
RELATIONSHIP: Final = "relationships.meshery.io/v1alpha2"
_RELATIONSHIP_KINDS: Final = frozenset({"edge", "hierarchical", "sibling"})
#: Edges of a third party that names both ends.
_BINDING: Final = frozenset({"mount", "firewall", "permission"})


def in_later_words(document: Document) -> Document:
    """The same definition with a `schemaVersion` and a whole model; itself when it is none of these."""
    if _is_component(document):
        return {**document, "schemaVersion": _COMPONENT, "model": _model(mapping(document, "model"))}
    if not text(document, "schemaVersion", text(document, "apiVersion")).startswith(_CORE):
        return document
    if text(document, "kind").lower() in _RELATIONSHIP_KINDS and value(document, "selectors"):
        return {**document, "schemaVersion": RELATIONSHIP}
    if text(mapping(document, "model"), "version") and text(document, "name"):
        return {**document, "schemaVersion": _MODEL}
    return document


def type_of(document: Document) -> str:
    """The type of a relationship that has none: it follows from kind and sub-type."""
    match text(document, "kind").lower():
        case "edge":
            told = (text(document, "subType").lower(), text(document, "evaluationQuery").lower())
            return "binding" if told[0] in _BINDING or "_binding" in told[1] else "non-binding"
        case "sibling":
            return "sibling"
        case _:
            return "parent"


def _is_component(document: Document) -> bool:
    """Whether it is a kind with its schema and the model that it is of."""
    parts: list[Any] = [value(document, key) for key in ("kind", "apiVersion", "schema")]
    return (
        all(isinstance(one, str) and one for one in parts)
        and not text(document, "schemaVersion")
        and bool(text(mapping(document, "model"), "name"))
    )


def _model(model: Document) -> Document:
    """A model that said of itself no more than this; nobody stood for one then."""
    version = text(mapping(model, "model"), "version") or text(model, "version") or "v1.0.0"
    return {"registrant": {"kind": "meshery"}, **model, "version": "", "model": {"version": version}}
