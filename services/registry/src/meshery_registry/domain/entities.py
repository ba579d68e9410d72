"""What every source of definitions hands over: one model with all that belongs to it, in one form.

A reader (package, CRD, chart, registrant, what ships with us) makes a `Package`; the registrations store it. Nothing
in here knows where a definition came from or how it is stored. Documents keep every key that their author wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from meshery_registry.domain.names import DEFINITION_VERSION

EntityType = Literal["model", "component", "relationship", "policy", "connection"]


@dataclass(frozen=True, slots=True)
class ModelEntity:
    """What a set of components belongs to. `version` is of the software, `definition_version` of this description.

    `metadata` has colours, shape and icons; an icon is SVG text or a URL, under `svgColor`, `svgWhite`, `svgComplete`.
    """

    name: str
    version: str
    display_name: str = ""
    description: str = ""
    definition_version: str = DEFINITION_VERSION
    category: str = "Uncategorized"
    sub_category: str = "Uncategorized"
    status: str = "enabled"
    annotation: bool = False
    registrant_kind: str = "meshery"
    registrant_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComponentEntity:
    """A kind that designs may use. `schema` is JSON Schema text, empty for an annotation.

    `styles` are Cytoscape names in camelCase with icons as in `ModelEntity`; `configuration` is what a new component
    of this kind begins with.
    """

    kind: str
    api_version: str
    display_name: str = ""
    description: str = ""
    definition_version: str = DEFINITION_VERSION
    schema: str = ""
    namespaced: bool = True
    custom: bool = False
    status: str = "enabled"
    annotation: bool = False
    styles: Mapping[str, Any] = field(default_factory=dict)
    capabilities: tuple[Mapping[str, Any], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RelationshipEntity:
    """How components may relate.

    `definition` is the document in the newest shape (`relationships.meshery.io/v1beta3`, camelCase), without ids,
    times and model: selectors, metadata, capabilities, evaluationQuery.
    """

    kind: str
    type: str
    sub_type: str
    definition: Mapping[str, Any]
    status: str = "enabled"


@dataclass(frozen=True, slots=True)
class PolicyEntity:
    """A rule over designs that came with a model. `source` is its text, in `language`."""

    name: str
    language: Literal["rego", "cel"]
    source: str
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectionEntity:
    """A connection definition of a model, kept as its document."""

    kind: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not taken, where it stood, why, and what to do about it."""

    entity_type: EntityType | Literal["file"]
    name: str
    reason: str
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """One model with what belongs to it, as one source gives it."""

    model: ModelEntity
    components: tuple[ComponentEntity, ...] = ()
    relationships: tuple[RelationshipEntity, ...] = ()
    policies: tuple[PolicyEntity, ...] = ()
    connections: tuple[ConnectionEntity, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Readings:
    """All packages that one source held; `refused` is what belongs to none of them."""

    packages: tuple[Package, ...] = ()
    refused: tuple[Refusal, ...] = ()
