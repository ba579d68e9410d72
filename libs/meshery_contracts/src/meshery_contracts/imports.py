"""Bringing definitions into the registry from files and addresses, and taking models out. Answered by registry.

An import is a durable operation: it is answered with its id at once, goes on when a process dies, and tells how far
it is. What became of each entity is asked for with `LIST_IMPORT_ENTRIES`, during the import and after it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr, field_serializer

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Problem, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest

#: The largest file that is uploaded, in bytes.
MAX_FILE_BYTES = 50_000_000
#: The same in base64, which with what is around it is the largest request there is.
MAX_CONTENT_CHARACTERS = -(-MAX_FILE_BYTES // 3) * 4
MAX_URL_CHARACTERS = 2048
#: Tokens that carry claims are long.
MAX_SECRET_CHARACTERS = 16_384


class UploadedFile(Message):
    """A file that the caller sends along: a model package, an archive, CRDs, a chart or one definition."""

    file_name: Annotated[str, Field(min_length=1, max_length=255)]
    content: Annotated[str, Field(max_length=MAX_CONTENT_CHARACTERS)] = Field(
        default="", description="Base64; or send the next field."
    )
    content_gzip: Annotated[str, Field(max_length=MAX_CONTENT_CHARACTERS)] = Field(
        default="", description="The same file, gzip and base64: some are large."
    )


class SourceCredentials(Message):
    """What a private source wants to see: a user name with a password, or a token.

    They go over https, unless the installation fetches over http, to the host that the source names and to no other;
    an OCI registry may want a password at a token server of its own domain. They are kept encrypted until the source
    is fetched, and shown to nobody.
    """

    user: Annotated[str, Field(max_length=255, pattern="^[^:\\x00-\\x1f\\x7f]*$")] = Field(
        default="",
        description="With `password`; servers that take a personal access token as one often want any.",
    )
    password: Annotated[SecretStr, Field(max_length=MAX_SECRET_CHARACTERS)] = SecretStr("")
    token: Annotated[SecretStr, Field(max_length=MAX_SECRET_CHARACTERS)] = Field(
        default=SecretStr(""), description="Instead of both: sent as a bearer token."
    )

    @field_serializer("password", "token", when_used="json")
    def _disclosed(self, value: SecretStr) -> str:
        # On its way to the registry; `repr` and `model_dump` do not tell.
        return value.get_secret_value()


class RepositoryChart(Message):
    """A chart of a Helm repository."""

    repository: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARACTERS)] = Field(
        description="Where its index.yaml is: http(s)://…, or oci://registry/path."
    )
    name: Annotated[str, Field(min_length=1, max_length=253)]
    version: Annotated[str, Field(max_length=128)] = Field(default="", description="Empty: the newest.")


class Sheets(Message):
    """The sheets of Meshery's integrations spreadsheet, as CSV text with their two header rows."""

    models: Annotated[str, Field(max_length=MAX_CONTENT_CHARACTERS)] = ""
    components: Annotated[str, Field(max_length=MAX_CONTENT_CHARACTERS)] = ""
    relationships: Annotated[str, Field(max_length=MAX_CONTENT_CHARACTERS)] = ""


class ModelNaming(Message):
    """What a source of one model does not say of it; an empty field leaves what the source says."""

    name: Annotated[str, Field(max_length=253)] = ""
    version: Annotated[str, Field(max_length=128)] = ""
    display_name: Annotated[str, Field(max_length=255)] = ""
    description: Annotated[str, Field(max_length=4096)] = ""
    category: Annotated[str, Field(max_length=255)] = ""
    sub_category: Annotated[str, Field(max_length=255)] = ""


class ImportDefinitions(Message):
    """Bring definitions in from exactly one of `file`, `url`, `chart`, `artifact_hub` and `sheets`."""

    file: UploadedFile | None = None
    url: Annotated[str, Field(max_length=MAX_URL_CHARACTERS)] = Field(
        default="",
        description=(
            "http(s)://… of a file, an archive or a chart; a repository as https://github.com/<owner>/<name>, with "
            "/tree/<ref>/<path> if need be, as git+https://host/name.git//<path>?ref=<ref>, or as "
            "git://github.com/<owner>/<name>/<ref>/<path>; oci://registry/name, with :<tag> or @<digest>. "
            "Credentials are a field of their own."
        ),
    )
    chart: RepositoryChart | None = None
    artifact_hub: Annotated[str, Field(max_length=253)] = Field(
        default="", description="Name of a Helm package: found on Artifact Hub, the best match is taken."
    )
    sheets: Sheets | None = None
    credentials: SourceCredentials | None = Field(default=None, description="For a private `url` or `chart`.")
    model: ModelNaming = Field(default_factory=ModelNaming)
    dry_run: bool = Field(
        default=False, description="Report what would change and change nothing (`register: false`)."
    )


class SourceKind(StrEnum):
    """Where definitions come from."""

    FILE = "file"
    WEB = "web"
    GIT = "git"
    OCI = "oci"
    CHART = "chart"
    ARTIFACT_HUB = "artifact_hub"
    SHEETS = "sheets"


class ImportStatus(StrEnum):
    """The state of an import. One that took some entities and refused others has succeeded."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ImportStage(StrEnum):
    """What an import is at."""

    FETCH = "fetch"
    READ = "read"
    REGISTER = "register"
    DONE = "done"


class Outcome(StrEnum):
    """What became of an entity."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class OutcomeCounts(PublicMessage):
    """How many entities, by what became of them."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


class Import(PublicMessage):
    """An import and how far it is."""

    id: UUID
    source_kind: SourceKind
    source: str = Field(description="File name or address, without query.")
    dry_run: bool
    status: ImportStatus
    stage: ImportStage
    models_done: int = Field(default=0, description="Models (or parts of a large one) that are through.")
    models_total: int = 0
    models: OutcomeCounts = Field(default_factory=OutcomeCounts)
    components: OutcomeCounts = Field(default_factory=OutcomeCounts)
    relationships: OutcomeCounts = Field(default_factory=OutcomeCounts)
    policies: OutcomeCounts = Field(default_factory=OutcomeCounts)
    connections: OutcomeCounts = Field(default_factory=OutcomeCounts)
    files_refused: int = Field(default=0, description="Files that belong to no model that was understood.")
    notes: list[str] = Field(default_factory=list, description="What else the reader should know of it.")
    problem: Problem | None = None
    user_id: UUID
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class ImportEntry(PublicMessage):
    """What became of one entity, or of a file (`entity_type` is `file`) that was not understood."""

    position: int
    entity_type: str = Field(description="model, component, relationship, policy, connection or file.")
    name: str
    display_name: str = ""
    model: str = ""
    model_version: str = ""
    category: str = Field(default="", description="Of the model.")
    api_version: str = Field(default="", description="Of a component.")
    from_kinds: list[str] = Field(
        default_factory=list, description="The kinds that a relationship goes from."
    )
    to_kinds: list[str] = Field(default_factory=list, description="The kinds that a relationship goes to.")
    outcome: Outcome
    reason: str = Field(default="", description="Why it was refused.")
    where: str = Field(default="", description="File and place in the source.")
    remedy: str = ""


class ImportId(Message):
    """Which import."""

    import_id: UUID


class ListImports(PageRequest):
    """Imports of the organisation, newest first."""


class ImportPage(PageReply):
    """A part of the imports."""

    imports: list[Import]


class ListImportEntries(PageRequest):
    """The report of one import, in the order of the work."""

    import_id: UUID
    outcome: Outcome | None = None
    entity_type: Annotated[str, Field(max_length=32)] = ""


class ImportEntryPage(PageReply):
    """A part of a report."""

    entries: list[ImportEntry]


class ImportFact(Fact):
    """An import started, got on or ended."""

    import_id: UUID
    status: ImportStatus
    stage: ImportStage
    models_done: int = 0
    models_total: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


class PackageFormat(StrEnum):
    """How the documents of a package are written."""

    JSON = "json"
    YAML = "yaml"


class PackageFile(StrEnum):
    """What a package is packed into: an OCI image in a tar file, or the model's folder as tar.gz."""

    OCI = "oci"
    TAR = "tar"


class ExportModel(Message):
    """Take a model out as a package: named by id, or by name and version (empty: the newest)."""

    model_id: UUID | None = None
    name: Annotated[str, Field(max_length=253)] = ""
    version: Annotated[str, Field(max_length=128)] = ""
    format: PackageFormat = PackageFormat.JSON
    file_type: PackageFile = PackageFile.OCI
    components: bool = True
    relationships: bool = True
    older: bool = Field(
        default=False,
        description="Write components and relationships as `v1beta2`: Meshery's registry knows no `v1beta3` of them.",
    )


class ExportedModel(Message):
    """A package; what is over the limit of a message is refused as too large."""

    file_name: str
    media_type: str
    content: str = Field(description="Base64.")


IMPORT_DEFINITIONS = Endpoint(
    "meshery.rpc.registry.v1.import_definitions",
    ImportDefinitions,
    Import,
    key=Key.IMPORT_MODELS,
    command=True,
    timeout_seconds=30.0,
    large_requests=True,
    summary="Bring models in from a file, an address, a chart, Artifact Hub or sheets.",
)
GET_IMPORT = Endpoint(
    "meshery.rpc.registry.v1.get_import",
    ImportId,
    Import,
    key=Key.IMPORT_MODELS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="An import and how far it is.",
)
LIST_IMPORTS = Endpoint(
    "meshery.rpc.registry.v1.list_imports",
    ListImports,
    ImportPage,
    key=Key.IMPORT_MODELS,
    summary="Imports of the organisation, newest first.",
)
LIST_IMPORT_ENTRIES = Endpoint(
    "meshery.rpc.registry.v1.list_import_entries",
    ListImportEntries,
    ImportEntryPage,
    key=Key.IMPORT_MODELS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="What became of each entity of an import.",
)
CANCEL_IMPORT = Endpoint(
    "meshery.rpc.registry.v1.cancel_import",
    ImportId,
    Import,
    key=Key.IMPORT_MODELS,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Stop an import; models that it has registered stay.",
)
EXPORT_MODEL = Endpoint(
    "meshery.rpc.registry.v1.export_model",
    ExportModel,
    ExportedModel,
    key=Key.EXPORT_MODELS,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    summary="A model as a package that can be imported again.",
)
IMPORT_STARTED = Topic(
    "meshery.evt.registry.v1.{organization_id}.import_started.{id}", ImportFact, "An import was started."
)
IMPORT_PROGRESSED = Topic(
    "meshery.evt.registry.v1.{organization_id}.import_progressed.{id}", ImportFact, "An import got on."
)
IMPORT_FINISHED = Topic(
    "meshery.evt.registry.v1.{organization_id}.import_finished.{id}",
    ImportFact,
    "An import ended, however it did.",
)
