"""Designs' contract: designs and their versions, import and validation. Deploying them is in `deployments`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import FieldProblem, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, Nothing, PublicMessage, VersionNumber
from meshery_contracts.paging import PageReply, PageRequest
from meshery_contracts.policies import Finding

#: The longest design text that is accepted, in characters.
MAX_FILE_CHARACTERS = 8 * 1024 * 1024
#: The same in base64.
MAX_ENCODED_CHARACTERS = -(-MAX_FILE_CHARACTERS // 3) * 4

# --- designs ------------------------------------------------------------------------------------------------


class Visibility(StrEnum):
    """Who may read a design beside its owner and those it was shared with."""

    PRIVATE = "private"
    PUBLIC = "public"
    PUBLISHED = "published"


class DesignType(StrEnum):
    """What a design was made from, in Meshery's words."""

    HELM_CHART = "Helm Chart"
    DOCKER_COMPOSE = "Docker Compose"
    KUBERNETES_MANIFEST = "Kubernetes Manifest"
    DESIGN = "Design"


class NullString(Message):
    """Go's way of writing a text that may be absent; the capitals are part of the wire format."""

    string: str = Field(default="", alias="String")
    valid: bool = Field(default=False, alias="Valid")


class Design(PublicMessage):
    """A design as Meshery's clients read one. `pattern_file` is the design file as JSON text."""

    id: UUID
    name: str
    pattern_file: str = ""
    user_id: UUID
    organization_id: UUID
    visibility: Visibility
    type: NullString
    source_content: str | None = Field(
        default=None, description="What was imported, base64; only when asked for."
    )
    location: dict[str, Any] = Field(default_factory=dict)
    catalog_data: dict[str, Any] = Field(default_factory=dict)
    version: int = Field(description="Counts saves, from 1: name it as `baseVersion` of the next save.")
    created_at: datetime
    updated_at: datetime
    view_count: int = 0
    share_count: int = 0
    download_count: int = 0
    clone_count: int = 0
    deployment_count: int = 0


class GetDesign(Message):
    """One design, in its newest or in a named version."""

    design_id: UUID
    version: VersionNumber | None = None
    with_source: bool = Field(default=False, description="Whether to give what was imported, too.")


class ListDesigns(PageRequest):
    """Designs that the caller may read."""

    visibility: list[Visibility] = Field(default_factory=list, description="Empty means all.")
    with_files: bool = True
    updated_after: datetime | None = None


class DesignPage(PageReply):
    """A part of the designs. Meshery calls them patterns."""

    patterns: list[Design]


class CreateDesign(Message):
    """A new design from a design file (JSON or YAML text)."""

    name: Annotated[str, Field(max_length=255)] = ""
    file: Annotated[str, Field(max_length=MAX_FILE_CHARACTERS)] = ""
    visibility: Visibility = Visibility.PRIVATE
    location: dict[str, Any] = Field(default_factory=dict)


class ComponentChanges(Message):
    """What a save changes: whole components by id, and ids of those that are gone."""

    changed: list[dict[str, Any]] = Field(default_factory=list)
    removed: list[UUID] = Field(default_factory=list)


class UpdateDesign(Message):
    """A new version: either the whole file, or only the components that changed. What changes nothing makes none."""

    design_id: UUID
    base_version: VersionNumber | None = Field(
        default=None, description="The version the edit began with; a newer one in between is a conflict."
    )
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    file: Annotated[str, Field(max_length=MAX_FILE_CHARACTERS)] | None = None
    changes: ComponentChanges | None = None
    visibility: Visibility | None = None


class DesignId(Message):
    """Which design."""

    design_id: UUID


class CloneDesign(Message):
    """A private design of the caller with the file of one that he may read."""

    design_id: UUID
    name: Annotated[str, Field(max_length=255, description="Empty makes one from the original's.")] = ""


class ExportDesign(Message):
    """A design as a Kubernetes manifest, in its newest or in a named version."""

    design_id: UUID
    version: VersionNumber | None = None


class DesignManifest(PublicMessage):
    """The objects that a deployment would bring, without the marks that it leaves on them."""

    name: str
    manifest: str = Field(description="YAML, a document for each object, in the order of deployment.")
    objects: int


class DesignVersion(PublicMessage):
    """One saved version."""

    version: int
    name: str
    components: int
    user_id: UUID
    created_at: datetime


class DesignVersionPage(PageReply):
    """Versions, newest first."""

    versions: list[DesignVersion]


class ListVersions(PageRequest):
    """The versions of a design."""

    design_id: UUID


class ImportDesign(Message):
    """A new design from a document of any supported kind; its kind is found out from its content."""

    name: Annotated[str, Field(max_length=255)] = ""
    file_name: Annotated[str, Field(max_length=255)] = ""
    file: str = Field(max_length=MAX_ENCODED_CHARACTERS, description="The document, base64.")
    save: bool = Field(default=True, description="Whether the design is kept, or only shown.")


class ImportNote(PublicMessage):
    """Something that a person should know about one imported document."""

    document: int = Field(description="Which document of the file, from 1.")
    reference: str = Field(description="Kind and name as the document gives them.")
    message: str


class ImportedDesign(PublicMessage):
    """The saved design, and what was found on the way."""

    design: Design
    notes: list[ImportNote] = Field(default_factory=list)


class SupportedType(PublicMessage):
    """A document kind that can be imported."""

    design_type: str
    supported_extensions: list[str]


class SupportedTypes(Message):
    """All of them, in Meshery's order."""

    types: list[SupportedType]


class ValidateDesign(Message):
    """Check a stored design, or a file, against the schemas of its components."""

    design_id: UUID | None = None
    file: Annotated[str, Field(max_length=MAX_FILE_CHARACTERS)] | None = None


class ComponentReport(PublicMessage):
    """What is wrong with one component."""

    component_id: UUID
    name: str
    kind: str
    known: bool = Field(description="Whether the registry knows the kind, and a usable schema of it.")
    problems: list[FieldProblem] = Field(default_factory=list)


class ValidationReport(PublicMessage):
    """The outcome of a validation; only components with something to say are listed."""

    valid: bool
    checked: int
    components: list[ComponentReport] = Field(default_factory=list)
    policies: list[Finding] = Field(
        default_factory=list, description="What the policies in force say; a deny makes it invalid."
    )


class DesignSaved(Fact):
    """A design was created or got a new version."""

    design_id: UUID
    name: str
    version: int


class DesignCloned(Fact):
    """A design was made from the file of another one."""

    design_id: UUID = Field(description="The new one.")
    original_id: UUID
    name: str


class DesignDeleted(Fact):
    """A design was deleted."""

    design_id: UUID
    name: str


GET = Endpoint(
    "meshery.rpc.designs.v1.get_design",
    GetDesign,
    Design,
    key=Key.VIEW_DESIGNS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="One design with its file.",
)
LIST = Endpoint(
    "meshery.rpc.designs.v1.list_designs",
    ListDesigns,
    DesignPage,
    key=Key.VIEW_DESIGNS,
    summary="Designs that the caller may read.",
)
CREATE = Endpoint(
    "meshery.rpc.designs.v1.create_design",
    CreateDesign,
    Design,
    key=Key.CREATE_NEW_DESIGN,
    command=True,
    timeout_seconds=30.0,
    large_requests=True,
    summary="Save a new design.",
)
UPDATE = Endpoint(
    "meshery.rpc.designs.v1.update_design",
    UpdateDesign,
    Design,
    key=Key.EDIT_DESIGN,
    command=True,
    timeout_seconds=30.0,
    large_requests=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Save a new version of a design; one that changes nothing is answered with the newest.",
)
DELETE = Endpoint(
    "meshery.rpc.designs.v1.delete_design",
    DesignId,
    Design,
    key=Key.DELETE_A_DESIGN,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Delete a design.",
)
EXPORT = Endpoint(
    "meshery.rpc.designs.v1.export_design",
    ExportDesign,
    DesignManifest,
    key=Key.DOWNLOAD_A_DESIGN,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    summary="A design as a Kubernetes manifest.",
)
CLONE = Endpoint(
    "meshery.rpc.designs.v1.clone_design",
    CloneDesign,
    Design,
    key=Key.CLONE_DESIGN,
    command=True,
    errors=frozenset({Word.NOT_FOUND}),
    summary="Make a private design of the caller with the file of another one.",
)
LIST_VERSIONS = Endpoint(
    "meshery.rpc.designs.v1.list_versions",
    ListVersions,
    DesignVersionPage,
    key=Key.DETAILS_OF_DESIGN,
    errors=frozenset({Word.NOT_FOUND}),
    summary="The saved versions of a design.",
)
IMPORT = Endpoint(
    "meshery.rpc.designs.v1.import_design",
    ImportDesign,
    ImportedDesign,
    key=Key.IMPORT_DESIGN,
    command=True,
    timeout_seconds=30.0,
    large_requests=True,
    summary="Turn a Kubernetes manifest or a design file into a saved design.",
)
TYPES = Endpoint(
    "meshery.rpc.designs.v1.list_types",
    Nothing,
    SupportedTypes,
    key=Key.VIEW_DESIGNS,
    summary="The document kinds that can be imported.",
)
VALIDATE = Endpoint(
    "meshery.rpc.designs.v1.validate_design",
    ValidateDesign,
    ValidationReport,
    key=Key.VALIDATE_DESIGN,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="Check a design against the schemas of its components.",
)
SAVED = Topic("meshery.evt.designs.v1.{organization_id}.design_saved.{id}", DesignSaved)
CLONED = Topic("meshery.evt.designs.v1.{organization_id}.design_cloned.{id}", DesignCloned)
DELETED = Topic("meshery.evt.designs.v1.{organization_id}.design_deleted.{id}", DesignDeleted)
