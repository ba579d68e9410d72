"""Registry's contract: what can be designed, and where it was learned from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic, services_only
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest


class KindName(Message):
    """A Kubernetes kind as a manifest names it."""

    api_version: str
    kind: str


class ResolveKinds(Message):
    """Which components stand for these kinds?"""

    kinds: Annotated[list[KindName], Field(max_length=5000)]


class ModelReference(PublicMessage):
    """The model that a component belongs to, as a design stores it."""

    id: UUID
    name: str
    display_name: str = ""
    version: str = ""
    model: dict[str, str] = Field(default_factory=dict)
    registrant: dict[str, str] = Field(default_factory=dict)


class ResolvedKind(Message):
    """A kind with the component that stands for it; none when the registry does not know it."""

    kind: KindName
    component_id: UUID | None = None
    display_name: str = ""
    model: ModelReference | None = None
    namespaced: bool = True
    custom: bool = Field(default=False, description="Whether the kind comes from a CRD.")
    schema_hash: str = Field(default="", description="Names the schema in `GET_SCHEMAS`; empty without one.")


class ResolvedKinds(Message):
    """One answer for each kind asked for, in that order."""

    kinds: list[ResolvedKind]
    generation: int = Field(default=0, description="Grows whenever the organisation's registry changes.")


class GetSchemas(Message):
    """The JSON schemas with these hashes."""

    hashes: Annotated[list[str], Field(max_length=1000)]


class Schemas(Message):
    """JSON schema text by hash; a hash that is not known is left out."""

    schemas: dict[str, str]
    omitted: list[str] = Field(
        default_factory=list, description="Known, but too much for one answer: ask for these again."
    )


class RegisterOpenAPI(Message):
    """Learn the kinds of one API group version from a cluster's own OpenAPI v3 document."""

    connection_id: UUID
    cluster_name: str
    cluster_version: str = Field(description="gitVersion of the API server, e.g. v1.36.3.")
    group_version: str = Field(description="`v1` or `apps/v1`.")
    document: str = Field(
        default="", description="The OpenAPI v3 document, JSON text; or send the next field."
    )
    document_gzip: str = Field(
        default="",
        description="The same document, gzip and base64: some group versions are larger than a message.",
    )
    namespaced_kinds: list[str] = Field(description="Kinds of this group version that live in a namespace.")
    cluster_kinds: list[str] = Field(description="Kinds of this group version that do not.")
    custom: bool = Field(default=False, description="Whether the kinds come from CRDs.")


class RegistrationReport(Message):
    """What a registration changed."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = Field(default=0, description="Kinds that no cluster serves any longer.")
    refused: list[str] = Field(default_factory=list, description="Kind and reason, one text each.")
    generation: int = Field(default=0, description="Of the organisation's registry, after this.")


class ListModels(PageRequest):
    """A part of the models."""

    name: str = ""
    greedy: bool = Field(default=False, description="Whether `name` may be a part of the name.")
    registrant: str = ""
    model_id: UUID | None = None
    version: str = Field(default="", description="Of the software that the model stands for.")
    category: str = ""
    status: str = Field(default="", description="`enabled`, `ignored` or `duplicate`; empty lists all.")
    annotations: bool | None = Field(default=None, description="Only annotations, or none of them.")
    sub_category: str = ""
    with_components: bool = False
    with_relationships: bool = False
    with_schemas: bool = False
    trim: bool = Field(default=False, description="Only ids, names, `metadata` and counts of each model.")
    facets: bool = Field(default=False, description="Also count by `category`, `registrant` and `status`.")


class ListComponents(PageRequest):
    """A part of the components.

    With schemas, only as many of them as fit into an answer are given: a component whose own is left out has an
    empty `component.schema` and `metadata.schemaOmitted`. Ask for it by its name or id.
    """

    model: str = ""
    model_id: UUID | None = None
    model_version: str = Field(default="", description="Of the software that the model stands for.")
    registrant: str = Field(default="", description="Kind or name of who registered the model.")
    component_id: UUID | None = None
    name: str = Field(default="", description="The kind, or a part of it when `greedy`.")
    greedy: bool = False
    category: str = ""
    api_version: str = ""
    status: str = Field(default="enabled", description="Empty lists all.")
    annotations: bool | None = Field(default=None, description="Only annotations, or none of them.")
    namespaced: bool | None = None
    custom: bool | None = Field(default=None, description="Only kinds of CRDs, or none of them.")
    with_schemas: bool = False
    facets: bool = Field(
        default=False,
        description="Also count by `category`, `model`, `registrant`, `status` and `apiVersion`.",
    )


class Document(PublicMessage):
    """A registry entity as Meshery's schemas describe it; the registry writes it once, as it is served."""

    entity: dict[str, Any]


#: Clients take a list that is null for an error: the plurals that a route does not name are not there.
_Rows = Annotated[list[dict[str, Any]] | None, Field(exclude_if=lambda rows: rows is None)]


class EntityPage(PageReply):
    """Entities under the plural that the route names; written by the registry, passed on by the gateway."""

    models: _Rows = None
    components: _Rows = None
    relationships: _Rows = None
    policies: _Rows = None
    categories: _Rows = None
    registrants: _Rows = None
    connection_definitions: _Rows = None
    facets: dict[str, dict[str, int]] | None = Field(
        default=None,
        description="When asked for: how many of all that match, by facet and value. The filter of a facet itself "
        "counts, too.",
    )
    generation: int = Field(
        default=0, description="Of the organisation's registry: the key of a cached answer."
    )


class ListCategories(PageRequest):
    """A part of the categories."""

    name: str = ""
    greedy: bool = Field(default=False, description="Whether `name` may be a part of the name.")


class ListPolicies(PageRequest):
    """A part of the policies."""

    model: str = ""
    name: str = ""
    greedy: bool = Field(default=False, description="Whether `name` may be a part of the name.")


class ListRelationships(PageRequest):
    """A part of the relationships."""

    relationship_id: UUID | None = None
    model: str = ""
    model_id: UUID | None = None
    model_version: str = ""
    kind: str = Field(default="", description="In small or capital letters, as `type` and `sub_type`.")
    greedy: bool = Field(default=False, description="Whether `kind` may be a part of the kind.")
    type: str = ""
    sub_type: str = ""
    status: str = Field(default="enabled", description="Empty lists all.")
    facets: bool = Field(default=False, description="Also count by `kind`, `type`, `subType`, `model`.")


class ModelsRegistered(Fact):
    """Definitions were learned, changed, removed or switched on or off: caches of them drop what they hold.

    What ships with us has the nil organisation: then caches of all organisations drop what they hold.
    """

    connection_id: UUID | None = None
    models: list[str] = Field(default_factory=list)
    generation: int = 0
    registered_at: datetime


RESOLVE_KINDS = Endpoint(
    "meshery.rpc.registry.v1.resolve_kinds",
    ResolveKinds,
    ResolvedKinds,
    key=Key.VIEW_REGISTRY,
    summary="Components for kinds, in bulk.",
)
GET_SCHEMAS = Endpoint(
    "meshery.rpc.registry.v1.get_schemas",
    GetSchemas,
    Schemas,
    key=Key.VIEW_REGISTRY,
    summary="JSON schemas by content hash.",
)
REGISTER_OPENAPI = Endpoint(
    "meshery.svc.registry.v1.register_openapi",
    RegisterOpenAPI,
    RegistrationReport,
    key=services_only("connections", key=Key.ADD_CLUSTER, reason="Only connections has seen the cluster."),
    command=True,
    timeout_seconds=30.0,
    summary="Learn the kinds of one API group version of a cluster.",
)
LIST_MODELS = Endpoint(
    "meshery.rpc.registry.v1.list_models", ListModels, EntityPage, key=Key.VIEW_REGISTRY, summary="Models."
)
LIST_COMPONENTS = Endpoint(
    "meshery.rpc.registry.v1.list_components",
    ListComponents,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Components.",
)
LIST_RELATIONSHIPS = Endpoint(
    "meshery.rpc.registry.v1.list_relationships",
    ListRelationships,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Relationships.",
)
LIST_POLICIES = Endpoint(
    "meshery.rpc.registry.v1.list_policies",
    ListPolicies,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Policies.",
)
LIST_CATEGORIES = Endpoint(
    "meshery.rpc.registry.v1.list_categories",
    ListCategories,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    summary="Categories.",
)
LIST_REGISTRANTS = Endpoint(
    "meshery.rpc.registry.v1.list_registrants",
    PageRequest,
    EntityPage,
    key=Key.VIEW_REGISTRY,
    errors=frozenset({Word.NOT_FOUND}),
    summary="Who registered what.",
)
MODELS_REGISTERED = Topic(
    "meshery.evt.registry.v1.{organization_id}.models_registered.{id}", ModelsRegistered
)
