"""One definition of any kind and generation, read by its `schemaVersion`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    EntityType,
    ModelEntity,
    PolicyEntity,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.packages.components import component_entity
from meshery_registry.domain.packages.fields import (
    OF_ONE_SERVER,
    Document,
    Unreadable,
    mapping,
    named,
    prose,
    text,
    without,
)
from meshery_registry.domain.packages.models import model_entity
from meshery_registry.domain.packages.relationships import relationship_entity

Entity = ModelEntity | ComponentEntity | RelationshipEntity | PolicyEntity | ConnectionEntity

_TYPES: Final[dict[str, EntityType]] = {
    "models.meshery.io": "model",
    "components.meshery.io": "component",
    "relationships.meshery.io": "relationship",
    "policies.meshery.io": "policy",
    "connections.meshery.io": "connection",
}
#: The generations whose meaning is known. What comes after them may mean something else by the same words.
GENERATIONS: Final[dict[EntityType, frozenset[str]]] = {
    "model": frozenset({"v1alpha1", "v1beta1", "v1beta2", "v1beta3"}),
    "component": frozenset({"v1alpha1", "v1alpha2", "v1beta1", "v1beta2", "v1beta3"}),
    "relationship": frozenset({"v1alpha2", "v1alpha3", "v1beta1", "v1beta2", "v1beta3"}),
    # `v1` is our own, of policies in CEL.
    "policy": frozenset({"v1", "v1alpha1", "v1beta1", "v1beta2", "v1beta3"}),
    "connection": frozenset({"v1beta1", "v1beta2", "v1beta3"}),
}


def entity_type(document: Any) -> EntityType | None:
    """What a document defines, told by its `schemaVersion`; None if it is no definition of Meshery's."""
    if not isinstance(document, dict):
        return None
    return _TYPES.get(_schema_version(document).rpartition("/")[0])


_OF_EVERY_POLICY: Final = frozenset({"schemaVersion", "name", "language"})
#: What a connection definition says when its author said nothing.
PLAIN_CONNECTION: Final[Document] = {"type": "", "subType": "", "status": "discovered"}
_NOT_OF_CONNECTIONS: Final = frozenset(
    {*OF_ONE_SERVER, "kind", "owner", "schemaVersion", "environments", "model", "modelReference"}
)


def read_entity(document: Any, where: str) -> Entity | Refusal:
    """One definition, in whichever generation it was written; `where` goes into the refusal.

    The document is one that `meshery_common.documents.read_documents` gave: its size and depth are bounded.
    """
    kind = entity_type(document)
    if kind is None:
        return Refusal(
            "file",
            where,
            "It is no definition: `schemaVersion` names none that is known.",
            where,
            f"Begin it with a `schemaVersion` such as {next(iter(_TYPES))}/v1beta2.",
        )
    generation = _schema_version(document).rpartition("/")[2]
    if generation not in GENERATIONS[kind]:
        known = ", ".join(sorted(GENERATIONS[kind]))
        return Refusal(
            kind,
            name_of(document),
            f"Its schema version {generation[:40]!r} is not known.",
            where,
            f"Write it in one of {known}.",
        )
    try:
        return _READERS[kind](document)
    except Unreadable as error:
        return Refusal(kind, name_of(document), error.reason, where, error.remedy)


def embedded_model(document: Document, where: str) -> ModelEntity | Refusal:
    """The whole model that a component carries with it, for components that come without a package."""
    try:
        return model_entity(mapping(document, "model"))
    except Unreadable as error:
        remedy = "Send it in a package with its model, or with the whole model inside."
        return Refusal(
            "component", name_of(document), f"The model that it names: {error.reason}", where, remedy
        )


def name_of(document: Document) -> str:
    """What a definition is called in a report, as far as it says."""
    kind = entity_type(document)
    if kind == "component":
        inner = mapping(document, "component")
        return text(inner, "kind") or text(document, "kind") or text(document, "displayName")
    if kind == "relationship":
        return "-".join(filter(None, (text(document, key) for key in ("kind", "type", "subType"))))
    return text(document, "name") or text(document, "kind") or text(document, "displayName")


def _schema_version(document: Document) -> str:
    return text(document, "schemaVersion")


def _policy(document: Document) -> PolicyEntity:
    ours = _schema_version(document).endswith("/v1")
    language = text(document, "language", "cel" if ours else "rego").lower()
    if language not in ("cel", "rego"):
        raise Unreadable(f"Its language {language[:40]!r} is not known.", "Write it in cel or rego.")
    definition = without(document, {*OF_ONE_SERVER, "model", "source"})
    if language == "rego" and definition.keys() <= _OF_EVERY_POLICY:
        # It says no more than a file with the text alone would.
        definition = {}
    return PolicyEntity(
        name=text(document, "name") or named(document, "kind", "name"),
        language="rego" if language == "rego" else "cel",
        source=prose(document, "source"),
        definition=definition,
    )


def _connection(document: Document) -> ConnectionEntity:
    kind = named(document, "kind", "kind")
    kept = without(document, _NOT_OF_CONNECTIONS)
    for key, snake in (("subType", "sub_type"), ("transitionMap", "transition_map")):
        if snake in kept:
            kept.setdefault(key, kept.pop(snake))
    return ConnectionEntity(kind=kind, definition={**PLAIN_CONNECTION, "name": kind, **kept})


_READERS: Final[dict[EntityType, Callable[[Document], Entity]]] = {
    "model": model_entity,
    "component": component_entity,
    "relationship": relationship_entity,
    "policy": _policy,
    "connection": _connection,
}
