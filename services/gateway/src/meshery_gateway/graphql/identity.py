"""The caller: who he is, where he belongs, what he may do, his tokens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ariadne import MutationType, QueryType

from meshery_contracts import identity as contract
from meshery_contracts.identity import (
    CreateToken,
    GetUser,
    ListKeys,
    NewToken,
    OrganizationPage,
    PermissionKeyPage,
    Preferences,
    SavePreferences,
    Token,
    TokenId,
    TokenPage,
    User,
)
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()

BINDABLES = (_query, _mutation)


@_query.field("me")
async def get_me(_: object, info: Info) -> User:
    """The caller."""
    return await info.context.ask(contract.GET_USER, GetUser())


@_query.field("organizations")
async def list_organizations(
    _: object, info: Info, page: int, page_size: int, **filters: Any
) -> OrganizationPage:
    """His organisations."""
    request = message_from(PageRequest, page_of(page, page_size, **filters))
    return await info.context.ask(contract.LIST_ORGANIZATIONS, request)


@_query.field("keys")
async def list_keys(
    _: object, info: Info, page: int, page_size: int, organization_id: UUID | None = None
) -> PermissionKeyPage:
    """What he may do."""
    context = info.context
    values = page_of(page, page_size, organization_id=organization_id or context.session.organization_id)
    return await context.ask(contract.LIST_KEYS, message_from(ListKeys, values))


@_query.field("tokens")
async def list_tokens(_: object, info: Info, page: int, page_size: int) -> TokenPage:
    """His tokens."""
    request = message_from(PageRequest, page_of(page, page_size))
    return await info.context.ask(contract.LIST_TOKENS, request)


@_query.field("preferences")
async def get_preferences(_: object, info: Info) -> dict[str, Any]:
    """His preferences."""
    return _shown(await info.context.ask(contract.GET_PREFERENCES, Nothing()))


@_mutation.field("savePreferences")
async def save_preferences(_: object, info: Info, preferences: Any) -> dict[str, Any]:
    """Change some of them."""
    request = message_from(SavePreferences, {"preferences": preferences})
    return _shown(await info.context.ask(contract.SAVE_PREFERENCES, request))


def _shown(preferences: Preferences) -> dict[str, Any]:
    return preferences.model_dump(mode="json")


@_mutation.field("createToken")
async def create_token(_: object, info: Info, input: dict[str, Any]) -> NewToken:
    """Make a token."""
    return await info.context.ask(contract.CREATE_TOKEN, message_from(CreateToken, input))


@_mutation.field("deleteToken")
async def delete_token(_: object, info: Info, id: UUID) -> Token:
    """Revoke a token."""
    return await info.context.ask(contract.DELETE_TOKEN, TokenId(token_id=id))
