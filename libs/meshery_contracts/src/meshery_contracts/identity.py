"""Identity's contract: who somebody is, what he may do, and the assertions that say so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_snake

from meshery_contracts.endpoints import Endpoint, Topic, public, services_only
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, Nothing, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest

# --- assertions ---------------------------------------------------------------------------------------------


class ListSigningKeys(Message):
    """Ask for the public keys that assertions are verified with."""


class SigningKeys(Message):
    """Public keys as JSON Web Keys, the current one first."""

    keys: list[dict[str, Any]]


class Authenticate(Message):
    """Who is behind this credential?"""

    token: str = Field(
        default="", repr=False, description="A personal access token or session; empty for none at all."
    )
    provider: str = Field(default="", description="The provider that was chosen; empty for the default one.")
    organization_id: UUID | None = Field(default=None, description="The organisation to act in.")
    from_loopback: bool = Field(
        default=False,
        description="Whether the request came over loopback: nobody else gets in without token.",
    )


class ExchangeToken(Message):
    """An integrator's token for an assertion."""

    token: Annotated[str, Field(min_length=1, max_length=4096, repr=False)]
    organization_id: UUID | None = None


class Assertion(Message):
    """A signed statement who is asking, to be sent in the header Meshery-Caller."""

    assertion: str = Field(repr=False)
    expires_at: datetime
    user_id: UUID
    organization_id: UUID
    provider: str = ""
    key_ids: list[UUID] = Field(default_factory=list)


class Delegate(Message):
    """A service asks for an assertion to act for a person, or on its own."""

    organization_id: UUID
    user_id: UUID | None = Field(default=None, description="The person; none for the service on its own.")
    actor: str = Field(description="The service that will act.")


ANYONE = public("The request carries its own credential, or asks for public keys.")
LIST_SIGNING_KEYS = Endpoint(
    "meshery.rpc.identity.v1.list_signing_keys",
    ListSigningKeys,
    SigningKeys,
    key=ANYONE,
    summary="The public keys that assertions are verified with.",
)
EXCHANGE_TOKEN = Endpoint(
    "meshery.rpc.identity.v1.exchange_token",
    ExchangeToken,
    Assertion,
    key=ANYONE,
    summary="Exchange a personal access token for an assertion.",
)
AUTHENTICATE = Endpoint(
    "meshery.svc.identity.v1.authenticate",
    Authenticate,
    Assertion,
    key=services_only("gateway", reason="Turns the credential of an HTTP request into an assertion."),
    summary="Find out who is behind an HTTP request.",
)
DELEGATE = Endpoint(
    "meshery.svc.identity.v1.delegate",
    Delegate,
    Assertion,
    key=services_only(
        "designs",
        "connections",
        "inventory",
        "registry",
        "events",
        "gateway",
        reason="A durable run gets a fresh assertion before each step, so that revoked rights stop it.",
    ),
    errors=frozenset({Word.NOT_FOUND}),
    summary="An assertion for a service that acts for a person or on its own.",
)

# --- people -------------------------------------------------------------------------------------------------


class Provider(PublicMessage):
    """A provider of identities, as the chooser shows it."""

    provider_type: str = "local"
    provider_name: str
    provider_url: str = ""
    provider_description: list[str] = Field(default_factory=list)
    capabilities: list[dict[str, str]] = Field(default_factory=list)
    extensions: dict[str, Any] = Field(default_factory=dict)


class Providers(Message):
    """All providers by name."""

    providers: dict[str, Provider]


class GetUser(Message):
    """A person by id; without an id the caller."""

    user_id: UUID | None = None


class User(PublicMessage):
    """A person, as Meshery's clients read one."""

    id: UUID
    user_id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    avatar_url: str = ""
    provider: str = ""
    status: str = "active"
    bio: str = ""
    role_names: list[str] = Field(default_factory=list)
    created_at: datetime
    updated_at: datetime


class Preferences(PublicMessage):
    """A person's preferences; top-level keys of newer clients are kept and given back as they came."""

    model_config = ConfigDict(extra="allow")

    mesh_adapters: list[dict[str, Any]] = Field(default_factory=list)
    grafana: dict[str, Any] = Field(default_factory=dict)
    prometheus: dict[str, Any] = Field(default_factory=dict)
    load_test_prefs: dict[str, Any] = Field(default_factory=dict)
    anonymous_usage_stats: bool = False
    anonymous_perf_results: bool = False
    users_extension_preferences: dict[str, Any] = Field(default_factory=dict)
    remote_provider_preferences: dict[str, Any] = Field(default_factory=dict)
    dashboard_preferences: dict[str, Any] = Field(default_factory=dict)
    selected_organization_id: str = ""
    selected_workspace_for_organizations: dict[str, str] = Field(default_factory=dict)
    updated_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, given: Any) -> Any:
        # Replies carry both spellings of a name: without this the second would count as an unknown key.
        return cls.named(given) if isinstance(given, dict) else given

    @classmethod
    def named(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a client wrote, under the names of the fields; a name that is no field stays as it is."""
        return {
            to_snake(name) if to_snake(name) in cls.model_fields else name: value
            for name, value in given.items()
        }


class SavePreferences(Message):
    """Merge these preferences into the caller's."""

    preferences: dict[str, Any]


class Organization(PublicMessage):
    """An organisation."""

    id: UUID
    name: str
    country: str = ""
    region: str = ""
    description: str = ""
    owner: UUID | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class OrganizationPage(PageReply):
    """Organisations of the caller."""

    organizations: list[Organization]


class Workspace(PublicMessage):
    """A workspace: groups designs, environments and teams of an organisation."""

    id: UUID
    name: str
    description: str = ""
    organization_id: UUID
    owner: UUID | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class WorkspacePage(PageReply):
    """Workspaces that the caller is a member of."""

    workspaces: list[Workspace]


class PermissionKey(PublicMessage):
    """A permission key that somebody holds. Meshery's UI compares `id` and `function`."""

    id: UUID
    function: str
    category: str
    subcategory: str = ""
    description: str = ""
    owner: UUID | None = None


class ListKeys(PageRequest):
    """The caller's keys in an organisation."""

    organization_id: UUID


class PermissionKeyPage(PageReply):
    """Permission keys."""

    keys: list[PermissionKey]


LIST_PROVIDERS = Endpoint(
    "meshery.rpc.identity.v1.list_providers",
    Nothing,
    Providers,
    key=public("The chooser is shown before anybody is known."),
    summary="The providers that people can come from.",
)
GET_USER = Endpoint(
    "meshery.rpc.identity.v1.get_user",
    GetUser,
    User,
    key=Key.VIEW_PROFILE,
    errors=frozenset({Word.NOT_FOUND}),
    summary="A person's profile.",
)
GET_PREFERENCES = Endpoint(
    "meshery.rpc.identity.v1.get_preferences",
    Nothing,
    Preferences,
    key=Key.VIEW_MESHERY_USER_PREFERENCES,
    summary="The caller's preferences.",
)
SAVE_PREFERENCES = Endpoint(
    "meshery.rpc.identity.v1.save_preferences",
    SavePreferences,
    Preferences,
    key=Key.EDIT_ACCOUNT,
    command=True,
    summary="Change the caller's preferences.",
)
LIST_ORGANIZATIONS = Endpoint(
    "meshery.rpc.identity.v1.list_organizations",
    PageRequest,
    OrganizationPage,
    key=Key.VIEW_ORGANIZATIONS,
    summary="Organisations of the caller.",
)
LIST_WORKSPACES = Endpoint(
    "meshery.rpc.identity.v1.list_workspaces",
    PageRequest,
    WorkspacePage,
    key=Key.VIEW_WORKSPACE,
    summary="Workspaces that the caller is a member of.",
)
LIST_KEYS = Endpoint(
    "meshery.rpc.identity.v1.list_keys",
    ListKeys,
    PermissionKeyPage,
    key=Key.VIEW_PROFILE,
    errors=frozenset({Word.NOT_FOUND}),
    summary="The caller's permission keys in an organisation.",
)

# --- tokens -------------------------------------------------------------------------------------------------


class CreateToken(Message):
    """A personal access token for REST, GraphQL and NATS."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    purpose: Annotated[str, Field(max_length=1000)] = ""
    days: Annotated[int, Field(ge=1, le=365, description="How long it is valid, in days.")] = 90
    keys: list[UUID] | None = Field(
        default=None, description="A subset of the caller's keys; none means all."
    )


class Token(PublicMessage):
    """A token without its secret."""

    id: UUID
    name: str
    purpose: str = ""
    owner: UUID
    organization_id: UUID
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


class NewToken(Token):
    """A token with its secret, shown this once, and the NATS user that goes with it."""

    token: str = Field(repr=False)
    nats_url: str = ""
    nats_user: str = Field(default="", description="User name at NATS; the password is the token.")
    nats_inbox_prefix: str = Field(
        default="", description="The only inbox prefix that the NATS user may use."
    )
    nats_body_prefix: str = Field(
        default="", description="Below this subject the NATS user may give out parts of large requests."
    )


class TokenId(Message):
    """Which token."""

    token_id: UUID


class TokenPage(PageReply):
    """The caller's tokens."""

    tokens: list[Token]


class TokenRevoked(Fact):
    """A token stopped being valid: caches drop what they know of it."""

    token_id: UUID


class TokenCreated(Fact):
    """A token was made."""

    token_id: UUID


CREATE_TOKEN = Endpoint(
    "meshery.rpc.identity.v1.create_token",
    CreateToken,
    NewToken,
    key=Key.CREATE_TOKEN,
    command=True,
    summary="Make a personal access token; its secret is shown this once.",
)
LIST_TOKENS = Endpoint(
    "meshery.rpc.identity.v1.list_tokens",
    PageRequest,
    TokenPage,
    key=Key.VIEW_TOKENS,
    summary="The caller's tokens.",
)
DELETE_TOKEN = Endpoint(
    "meshery.rpc.identity.v1.delete_token",
    TokenId,
    Token,
    key=Key.DELETE_TOKEN,
    command=True,
    errors=frozenset({Word.NOT_FOUND}),
    summary="Revoke a token.",
)
TOKEN_CREATED = Topic("meshery.evt.identity.v1.{organization_id}.token_created.{id}", TokenCreated)
TOKEN_REVOKED = Topic("meshery.evt.identity.v1.{organization_id}.token_revoked.{id}", TokenRevoked)
