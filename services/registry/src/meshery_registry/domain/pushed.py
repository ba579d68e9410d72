"""One definition as a registrant pushes it: base64 of JSON of any generation, with its model inside or named.

Old adapters write no `schemaVersion`, and a model that only has a name and a version: both are filled in.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from meshery_common.documents import read_documents
from meshery_contracts.errors import Invalid
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    PolicyEntity,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.packages.documents import embedded_model, entity_type, name_of, read_entity
from meshery_registry.domain.packages.fields import mapping, text
from meshery_registry.domain.prepared import PreparedPackage, prepared

#: The generation of definitions that do not say theirs.
_OLDEST: Final = {
    "model": "models.meshery.io/v1alpha1",
    "component": "components.meshery.io/v1alpha1",
    "relationship": "relationships.meshery.io/v1alpha2",
    "policy": "policies.meshery.io/v1alpha1",
    "connection": "connections.meshery.io/v1beta1",
}
_WHERE = "entity"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A definition, prepared: `text` is its JSON; `whole_model` tells whether it describes its model as well."""

    text: str
    entity_type: str
    name: str
    kind: str
    api_version: str
    package: PreparedPackage
    entity_id: UUID
    whole_model: bool


def decoded(entity: str) -> str:
    """The JSON of a pushed definition. Raises Invalid."""
    try:
        return base64.b64decode(entity, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Invalid(
            "`entity` is not base64 of text in UTF-8.",
            code="definition_encoding",
            remedy="Encode the JSON of the definition in base64.",
        ) from None


def read_pushed(
    document: str, wanted_type: str, registrant_kind: str, registrant_name: str, organization_id: UUID
) -> Pushed:
    """A pushed definition, ready to be stored for an organisation. Raises Invalid."""
    wanted = wanted_type.lower().removesuffix("s")
    if wanted not in _OLDEST:
        raise Invalid(
            f"`entityType` is {wanted_type[:50]!r}.",
            code="definition_type",
            remedy=f"Write one of {', '.join(_OLDEST)}.",
        )
    found = _completed(_document(document), wanted, registrant_kind, registrant_name)
    if entity_type(found) != wanted:
        raise Invalid(
            f"The definition is no {wanted}: its schemaVersion is {text(found, 'schemaVersion')[:100]!r}.",
            code="definition_type",
            remedy="Make `entityType` say what the definition is.",
        )
    entity = read_entity(found, _WHERE)
    model = entity if isinstance(entity, ModelEntity) else embedded_model(found, _WHERE)
    for one in (entity, model):
        if isinstance(one, Refusal):
            raise _refused(one)
    assert isinstance(model, ModelEntity)  # noqa: S101 -- said to mypy: refusals are raised
    model = replace(model, registrant_kind=registrant_kind, registrant_name=registrant_name)
    package = Package(
        model=model,
        components=(entity,) if isinstance(entity, ComponentEntity) else (),
        relationships=(entity,) if isinstance(entity, RelationshipEntity) else (),
        policies=(entity,) if isinstance(entity, PolicyEntity) else (),
        connections=(entity,) if isinstance(entity, ConnectionEntity) else (),
    )
    made = prepared(package, organization_id)
    if isinstance(made, Refusal):
        raise _refused(made)
    entity_id = _id_of(made)
    if entity_id is None and wanted not in ("model", "policy"):
        raise _refused(next(one for one in made.refused if one.entity_type == wanted))
    return Pushed(
        text=document,
        entity_type=wanted,
        name=name_of(found)[:250],
        kind=getattr(entity, "kind", ""),
        api_version=getattr(entity, "api_version", ""),
        package=made,
        entity_id=entity_id or made.model.model_id,
        whole_model=wanted in ("model", "component"),
    )


def _document(document: str) -> Mapping[str, Any]:
    found = read_documents(document)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Invalid(
            "The definition is no JSON object.",
            code="definition_unreadable",
            remedy="Send one definition, an object.",
        )
    return found[0]


def _completed(
    document: Mapping[str, Any], wanted: str, registrant_kind: str, registrant_name: str
) -> dict[str, Any]:
    """The definition with what old registrants leave out."""
    full = dict(document)
    if not text(full, "schemaVersion"):
        full["schemaVersion"] = _OLDEST[wanted]
    registrant = {"kind": registrant_kind, "name": registrant_name}
    if wanted == "model":
        full["registrant"] = registrant
        return full
    model = mapping(full, "model") or mapping(full, "modelReference")
    if model:
        version = text(mapping(model, "model"), "version") or text(model, "version") or "v1.0.0"
        full["model"] = {**model, "model": {"version": version}, "registrant": registrant}
    return full


def _id_of(package: PreparedPackage) -> UUID | None:
    if package.components:
        return package.components[0].component_id
    if package.relationships:
        return package.relationships[0].relationship_id
    if package.connections:
        return package.connections[0].definition_id
    return None


def _refused(refusal: Refusal) -> Invalid:
    return Invalid(
        f"The {refusal.entity_type} {refusal.name!r} was refused: {refusal.reason}",
        code="definition_refused",
        remedy=refusal.remedy or "Mend the definition and send it again.",
    )
