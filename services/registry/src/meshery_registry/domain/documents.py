"""The registry's documents as Meshery's clients read them, every key of an entity in both spellings.

Newer clients read camelCase, older ones snake_case, and nothing in a request tells them apart. Keys inside
`metadata`, `styles` and `component` were camelCase in every generation and stay single.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
from pydantic.alias_generators import to_snake

from meshery_registry.domain.capabilities import DEFAULT_CAPABILITIES
from meshery_registry.domain.definitions import (
    Category,
    Component,
    ConnectionDefinition,
    Model,
    Registrant,
    Relationship,
)

Document = dict[str, Any]

#: What a whole definition has beside its schema that one in a list has not, in bytes of JSON.
CAPABILITIES_BYTES: Final = len(orjson.dumps(DEFAULT_CAPABILITIES))
_NO_ICON: Final = ""
_MODEL_STYLES: Final[Document] = {
    "primaryColor": "#00B39F",
    "secondaryColor": "#00D3A9",
    "svgColor": _NO_ICON,
    "svgWhite": _NO_ICON,
    "svgComplete": _NO_ICON,
    "shape": "round-rectangle",
    "isAnnotation": False,
    "capabilities": [],
}
_COMPONENT_STYLES: Final[Document] = {
    "primaryColor": "#00B39F",
    "secondaryColor": "#00D3A9",
    "svgColor": _NO_ICON,
    "svgWhite": _NO_ICON,
    "svgComplete": _NO_ICON,
    "shape": "round-rectangle",
    "position": {"x": 0, "y": 0},
}


def category_document(category: Category) -> Document:
    """A category."""
    return {
        "id": str(category.category_id),
        "name": category.name,
        "metadata": dict(category.metadata),
    }


def registrant_document(registrant: Registrant) -> Document:
    """A registrant: its connection, and how much it registered."""
    document = {
        "id": str(registrant.connection_id),
        "schemaVersion": "connections.meshery.io/v1beta1",
        "name": registrant.name,
        "kind": registrant.kind,
        "type": "registry",
        "subType": "",
        "status": "registered",
        "metadata": {"version": registrant.version},
        "createdAt": _time(registrant.created_at),
        "updatedAt": _time(registrant.updated_at),
    }
    summary = {
        "models": registrant.models,
        "components": registrant.components,
        "relationships": registrant.relationships,
        "policies": registrant.policies,
    }
    return _both_spellings({**document, "summary": summary})


def model_document(model: Model) -> Document:
    """A model definition, without what belongs to it."""
    registrant = {
        "id": str(model.registrant_id),
        "name": model.registrant_name,
        "kind": model.registrant_kind,
        "type": "registry",
        "status": "registered",
    }
    return _both_spellings(
        {
            "id": str(model.model_id),
            "schemaVersion": "models.meshery.io/v1beta1",
            "version": model.definition_version,
            "name": model.name,
            "displayName": model.display_name,
            "description": model.description,
            "status": model.status,
            "registrant": registrant,
            "registrantId": str(model.registrant_id),
            "connectionId": str(model.registrant_id),
            "category": category_document(model.category),
            "subCategory": model.sub_category,
            "metadata": {**_MODEL_STYLES, "isAnnotation": model.annotation, **model.metadata},
            "model": {"version": model.version},
            "components": None,
            "relationships": None,
            "componentsCount": model.components,
            "relationshipsCount": model.relationships,
            "duplicates": model.duplicates,
            "createdAt": _time(model.created_at),
            "updatedAt": _time(model.updated_at),
        }
    )


def trimmed_model_document(model: Model) -> Document:
    """What a list that only shows models needs."""
    return _both_spellings(
        {
            "id": str(model.model_id),
            "name": model.name,
            "displayName": model.display_name,
            "metadata": {**_MODEL_STYLES, "isAnnotation": model.annotation, **model.metadata},
            "componentsCount": model.components,
            "relationshipsCount": model.relationships,
        }
    )


def model_reference(model: Model) -> Document:
    """The short form of a model that designs store."""
    return _both_spellings(
        {
            "id": str(model.model_id),
            "name": model.name,
            "displayName": model.display_name,
            "version": model.definition_version,
            "model": {"version": model.version},
            "registrant": {"kind": model.registrant_kind},
        }
    )


def component_document(component: Component, model: Model | None) -> Document:
    """A component definition with its schema left empty; without a model inside of one."""
    metadata: Document = {
        "genealogy": "",
        "isAnnotation": component.annotation,
        "isNamespaced": component.namespaced,
        "isCustomResource": component.custom,
        "published": False,
        "instanceDetails": {},
        "configurationUISchema": "",
        "hasInvalidSchema": not component.schema_usable,
        "schemaHash": component.schema_hash,
        **component.metadata,
    }
    styles = dict(_COMPONENT_STYLES)
    if model is not None:
        styles |= {key: value for key, value in model.metadata.items() if key in styles}
    styles |= component.styles
    return _both_spellings(
        {
            "id": str(component.component_id),
            "schemaVersion": "components.meshery.io/v1beta3",
            "version": component.definition_version,
            "displayName": component.display_name,
            "description": component.description,
            "format": "JSON",
            "model": None if model is None else model_document(model),
            "modelReference": None if model is None else model_reference(model),
            "modelId": str(component.model_id),
            "styles": styles,
            "capabilities": list(component.capabilities),
            "status": component.status,
            "metadata": metadata,
            "configuration": dict(component.configuration),
            "component": {
                "version": component.api_version,
                "kind": component.kind,
                "schema": "",
            },
            "duplicates": component.duplicates,
            "createdAt": _time(component.created_at),
            "updatedAt": _time(component.updated_at),
        }
    )


def relationship_document(relationship: Relationship, model: Model | None) -> Document:
    """A relationship definition; without a model inside of one."""
    return _both_spellings(
        {
            "evaluationQuery": "",
            "capabilities": [],
            "metadata": {},
            "selectors": [],
            **relationship.definition,
            "id": str(relationship.relationship_id),
            "schemaVersion": "relationships.meshery.io/v1beta3",
            "version": relationship.definition_version,
            "kind": relationship.kind,
            "type": relationship.type,
            "subType": relationship.sub_type,
            "status": relationship.status,
            "model": None if model is None else model_reference(model),
            "modelId": str(relationship.model_id),
            "createdAt": _time(relationship.created_at),
            "updatedAt": _time(relationship.updated_at),
        }
    )


def connection_definition_document(definition: ConnectionDefinition) -> Document:
    """A connection definition, as its author wrote it."""
    return _both_spellings(
        {
            "schemaVersion": "connections.meshery.io/v1beta3",
            **definition.definition,
            "id": str(definition.definition_id),
            "kind": definition.kind,
            "modelId": str(definition.model_id),
            "model": {"name": definition.model_name},
            "createdAt": _time(definition.created_at),
            "updatedAt": _time(definition.updated_at),
        }
    )


def put_schema(document: Document, schema: str | None) -> None:
    """Make a definition whole: its schema, and what people can do with it. Or say that the schema would not fit."""
    if schema is None:
        document["metadata"]["schemaOmitted"] = True
    else:
        document["component"]["schema"] = schema
        document["capabilities"] = document["capabilities"] or list(DEFAULT_CAPABILITIES)


def _both_spellings(document: Document) -> Document:
    return {**document, **{to_snake(key): value for key, value in document.items() if key != to_snake(key)}}


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
