"""Reading the registry beyond its lists: one model whole, many by id, icons, counts, validation.

Answered by registry.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, Nothing, PublicMessage
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import Document, EntityPage

#: Where the gateway serves icons; styles hold this with the SHA-256 of the SVG text in place of `{hash}`.
ICON_PATH = "/api/registry/icons/{hash}.svg"


class GetModel(Message):
    """One model with what belongs to it: by id, or by name and version (empty: the newest)."""

    model_id: UUID | None = None
    name: str = ""
    version: str = Field(default="", description="Of the software that the model stands for.")
    with_components: bool = True
    with_relationships: bool = True
    with_schemas: bool = False


class GetModels(Message):
    """The models with these ids."""

    ids: Annotated[list[UUID], Field(max_length=1000)]


class GetComponents(Message):
    """The components with these ids; schemas as in `ListComponents`."""

    ids: Annotated[list[UUID], Field(max_length=1000)]
    with_schemas: bool = False


class ListConnectionDefinitions(PageRequest):
    """A part of the kinds of connections that models bring along."""

    definition_id: UUID | None = None
    model: str = ""
    kind: str = ""


class GetIcons(Message):
    """Icons by the SHA-256 of their text, as `styles.svgColor` and the like name them (`/<hash>.svg`)."""

    hashes: Annotated[list[str], Field(max_length=100)]


class Icons(Message):
    """SVG text by hash; a hash that is not known is left out. What a hash stands for never changes."""

    icons: dict[str, str]
    omitted: list[str] = Field(
        default_factory=list, description="Known, but too much for one answer: ask for these again."
    )


class NameCount(PublicMessage):
    """How many, of something with a name."""

    name: str
    count: int


class RegistrySummary(PublicMessage):
    """What the registry holds: totals, and enabled components and relationships by display name of the model."""

    models: int
    components: int
    relationships: int
    policies: int
    registrants: int
    categories: int
    components_by_model: list[NameCount]
    relationships_by_model: list[NameCount]
    generation: int


class ValidationItem(Message):
    """A value, and the schema that it should satisfy."""

    json_schema: Annotated[str, Field(alias="schema", max_length=2_000_000, description="JSON Schema text.")]
    value: Annotated[str, Field(max_length=2_000_000, description="Text of the value.")]
    value_type: str = Field(default="JSON", description="JSON, YAML or JSONSCHEMA (the value is a schema).")


class ValidateValues(Message):
    """Validate values against schemas that the caller sends along."""

    validation_items: Annotated[dict[str, ValidationItem], Field(max_length=100)]


class ValidationResult(PublicMessage):
    """Whether a value satisfies its schema, and if not, where and why: at most 50 of the errors."""

    is_valid: bool
    errors: list[str] = Field(default_factory=list)


class ValidationResults(PublicMessage):
    """One result for each item."""

    result: dict[str, ValidationResult]


LIST_CONNECTION_DEFINITIONS = Endpoint(
    "meshery.rpc.registry.v1.list_connection_definitions",
    ListConnectionDefinitions,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Kinds of connections that models bring along.",
)
GET_MODEL = Endpoint(
    "meshery.rpc.registry.v1.get_model",
    GetModel,
    Document,
    key=Key.VIEW_REGISTRY,
    errors=frozenset({Word.NOT_FOUND}),
    summary="A model with its components and relationships.",
)
GET_MODELS = Endpoint(
    "meshery.rpc.registry.v1.get_models",
    GetModels,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Models by ids, in that order; an id that is not known is left out.",
)
GET_COMPONENTS = Endpoint(
    "meshery.rpc.registry.v1.get_components",
    GetComponents,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Components by ids, in that order; an id that is not known is left out.",
)
GET_ICONS = Endpoint(
    "meshery.rpc.registry.v1.get_icons",
    GetIcons,
    Icons,
    key=Key.VIEW_REGISTRY,
    summary="Icons by content hash.",
)
SUMMARY = Endpoint(
    "meshery.rpc.registry.v1.summary",
    Nothing,
    RegistrySummary,
    key=Key.VIEW_REGISTRY,
    summary="How much the registry holds.",
)
VALIDATE = Endpoint(
    "meshery.rpc.registry.v1.validate_values",
    ValidateValues,
    ValidationResults,
    key=Key.VIEW_REGISTRY,
    timeout_seconds=15.0,
    summary="Validate values against given schemas.",
)
