"""Entities to documents of the newest schemas, strictly: every required key is there, in camelCase.

Ids are made of the content, and times are the one that stands for none, so that a package is the same bytes whenever
it is written. What `read_entity` reads of a document is the entity again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from meshery_registry.domain import names
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    PolicyEntity,
    RelationshipEntity,
)
from meshery_registry.domain.packages.components import PLAIN_METADATA
from meshery_registry.domain.packages.components import STATUSES as COMPONENT_STATUSES
from meshery_registry.domain.packages.documents import PLAIN_CONNECTION
from meshery_registry.domain.packages.fields import one_of
from meshery_registry.domain.packages.models import PLAIN_DESCRIPTION, SUB_CATEGORY, UNCATEGORIZED
from meshery_registry.domain.packages.models import STATUSES as MODEL_STATUSES
from meshery_registry.domain.packages.relationships import STATUSES as RELATIONSHIP_STATUSES

MODEL_VERSION: Final = "models.meshery.io/v1beta2"
COMPONENT_VERSION: Final = "components.meshery.io/v1beta3"
RELATIONSHIP_VERSION: Final = "relationships.meshery.io/v1beta3"
CONNECTION_VERSION: Final = "connections.meshery.io/v1beta3"
POLICY_VERSION: Final = "policies.meshery.io/v1"
#: What Go writes for a time that nobody set; Meshery's own packages have it.
NO_TIME: Final = "0001-01-01T00:00:00Z"

Document = dict[str, Any]
_OLDER_COMPONENT: Final = "components.meshery.io/v1beta2"
_OLDER_RELATIONSHIP: Final = "relationships.meshery.io/v1beta2"
_OLDER_KEYS: Final = {"createdAt": "created_at", "updatedAt": "updated_at"}
_NO_LOOKS: Final = {"svgColor": "", "svgWhite": ""}


def model_document(model: ModelEntity, components: int, relationships: int) -> Document:
    """A model's own file; the numbers are of what is written beside it."""
    category = model.category if model.category in names.CATEGORIES else UNCATEGORIZED
    sub_category = model.sub_category if model.sub_category in names.SUB_CATEGORIES else UNCATEGORIZED
    metadata = {**_NO_LOOKS, **model.metadata, "isAnnotation": model.annotation}
    if sub_category != model.sub_category:
        metadata[SUB_CATEGORY] = model.sub_category
    return {
        "id": str(_model_id(model)),
        "schemaVersion": MODEL_VERSION,
        "version": model.definition_version,
        "name": model.name,
        "displayName": model.display_name,
        "description": model.description or PLAIN_DESCRIPTION,
        "status": one_of(model.status, MODEL_STATUSES, "enabled"),
        "registrant": {
            "id": str(_registrant_id(model)),
            "name": model.registrant_name,
            "kind": model.registrant_kind,
            "type": "registry",
            "subType": "",
            "status": "registered",
            "metadata": {},
        },
        "registrantId": str(_registrant_id(model)),
        "category": {"id": str(names.category_id(category)), "name": category, "metadata": {}},
        "subCategory": sub_category,
        "metadata": metadata,
        "model": {"version": model.version},
        "components": None,
        "relationships": None,
        "componentsCount": components,
        "relationshipsCount": relationships,
        "createdAt": NO_TIME,
        "updatedAt": NO_TIME,
    }


def model_reference(model: ModelEntity) -> Document:
    """The short form of a model, as what belongs to it has it."""
    return {
        "id": str(_model_id(model)),
        "name": model.name,
        "version": model.definition_version,
        "displayName": model.display_name,
        "model": {"version": model.version},
        "registrant": {"kind": model.registrant_kind},
    }


def model_inside(model: ModelEntity) -> Document:
    """The model as every component has it inside: whole, but without its pictures."""
    metadata = {key: one for key, one in model.metadata.items() if not key.startswith("svg")}
    return model_document(replace(model, metadata=metadata), 0, 0)


def component_document(component: ComponentEntity, model: ModelEntity, inside: Document) -> Document:
    """A component's file; `inside` is what `model_inside` made of its model."""
    schema_hash = hashlib.sha256(component.schema.encode()).hexdigest()
    component_id = names.component_id(_model_id(model), component.api_version, component.kind, schema_hash)
    return {
        "id": str(component_id),
        "schemaVersion": COMPONENT_VERSION,
        "version": component.definition_version,
        "displayName": component.display_name,
        "description": component.description,
        "format": "JSON",
        "model": inside,
        "modelReference": model_reference(model),
        "styles": {**_NO_LOOKS, "primaryColor": "", **component.styles},
        "capabilities": [dict(one) for one in component.capabilities],
        "status": one_of(component.status, COMPONENT_STATUSES, "enabled"),
        "metadata": {
            **PLAIN_METADATA,
            **component.metadata,
            "isAnnotation": component.annotation,
            "isNamespaced": component.namespaced,
            "isCustomResource": component.custom,
        },
        "configuration": dict(component.configuration),
        "component": {
            "version": component.api_version,
            "kind": component.kind,
            "schema": component.schema,
        },
        "createdAt": NO_TIME,
        "updatedAt": NO_TIME,
    }


def relationship_document(relationship: RelationshipEntity, model: ModelEntity) -> Document:
    """A relationship's file."""
    written = {
        "metadata": {},
        "capabilities": [],
        "evaluationQuery": "",
        "version": names.DEFINITION_VERSION,
        **relationship.definition,
    }
    return {
        **written,
        "id": str(uuid5(_model_id(model), relationship_digest(relationship))),
        "schemaVersion": RELATIONSHIP_VERSION,
        "kind": relationship.kind,
        "type": relationship.type,
        "subType": relationship.sub_type,
        "status": one_of(relationship.status, RELATIONSHIP_STATUSES, "enabled"),
        "model": model_reference(model),
    }


def relationship_digest(relationship: RelationshipEntity) -> str:
    """What tells relationships of one class apart: a digest of all that it says."""
    told = (relationship.kind, relationship.type, relationship.sub_type, relationship.definition)
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def policy_document(policy: PolicyEntity) -> Document:
    """The file of a policy that is more than its text."""
    written: Document = {"source": policy.source} if policy.source else {}
    if "schemaVersion" not in policy.definition:
        written |= {"schemaVersion": POLICY_VERSION, "name": policy.name, "language": policy.language}
    return {**written, **policy.definition}


def connection_document(connection: ConnectionEntity, model: ModelEntity) -> Document:
    """A connection definition's file."""
    return {
        "name": connection.kind,
        **PLAIN_CONNECTION,
        **connection.definition,
        "schemaVersion": CONNECTION_VERSION,
        "kind": connection.kind,
        "modelReference": model_reference(model),
    }


def in_older_words(document: Document) -> Document:
    """A component or relationship in the generation before, which differs in a few names.

    Meshery's registry takes definitions by the text of `schemaVersion`, and knows `v1beta2` of these two.
    """
    older = {COMPONENT_VERSION: _OLDER_COMPONENT, RELATIONSHIP_VERSION: _OLDER_RELATIONSHIP}
    if document["schemaVersion"] not in older:
        return document
    written = {_OLDER_KEYS.get(key, key): one for key, one in document.items()}
    return {**written, "schemaVersion": older[document["schemaVersion"]]}


def _model_id(model: ModelEntity) -> UUID:
    return names.model_id(model.registrant_kind, model.name, model.version)


def _registrant_id(model: ModelEntity) -> UUID:
    return uuid5(NAMESPACE_URL, f"registrant:{model.registrant_kind}/{model.registrant_name}")
