"""Who somebody is: the user, preferences, organisations, keys and tokens."""

from __future__ import annotations

from aiohttp import web

from meshery_contracts import identity
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import Content

_TAG = "Identity"


async def get_user(call: Call) -> web.StreamResponse:
    """The caller's own profile."""
    return await call.pass_on(identity.GET_USER, identity.GetUser())


async def get_user_by_id(call: Call) -> web.StreamResponse:
    """A person's profile."""
    return await call.pass_on(identity.GET_USER, identity.GetUser(user_id=call.id()))


async def get_preferences(call: Call) -> web.StreamResponse:
    """The caller's preferences."""
    return await call.pass_on(identity.GET_PREFERENCES, Nothing())


async def save_preferences(call: Call) -> web.StreamResponse:
    """Merge into the caller's preferences."""
    request = identity.SavePreferences(preferences=await call.body())
    return await call.pass_on(identity.SAVE_PREFERENCES, request)


async def list_organizations(call: Call) -> web.StreamResponse:
    """The caller's organisations."""
    request = message_from(PageRequest, call.page(default_size=10))
    return await pass_on_page(call, identity.LIST_ORGANIZATIONS, request, "organizations")


async def list_keys(call: Call) -> web.StreamResponse:
    """The caller's permission keys in an organisation; the UI hides what they do not allow."""
    page = call.page(default_size=1000)
    return await call.pass_on(identity.LIST_KEYS, identity.ListKeys(organization_id=call.id("orgID"), **page))


async def list_workspaces(call: Call) -> web.StreamResponse:
    """The caller's workspaces."""
    request = message_from(PageRequest, call.page(default_size=20))
    return await pass_on_page(call, identity.LIST_WORKSPACES, request, "workspaces")


async def list_tokens(call: Call) -> web.StreamResponse:
    """The caller's tokens, without their secrets."""
    request = message_from(PageRequest, call.page(default_size=25))
    return await pass_on_page(call, identity.LIST_TOKENS, request, "tokens")


async def create_token(call: Call) -> web.StreamResponse:
    """A personal access token, shown this once; it opens REST, GraphQL and NATS."""
    body = await call.body()
    for name in ("name", "purpose"):
        if text := call.text(name):
            body.setdefault(name, text)
    request = message_from(identity.CreateToken, body)
    return await call.pass_on(identity.CREATE_TOKEN, request, status=201)


async def delete_token(call: Call) -> web.StreamResponse:
    """Revoke a token, named by the query parameter tokenId."""
    request = message_from(identity.TokenId, {"token_id": call.text("tokenId")})
    return await call.pass_on(identity.DELETE_TOKEN, request)


async def delete_token_by_id(call: Call) -> web.StreamResponse:
    """Revoke a token."""
    return await call.pass_on(identity.DELETE_TOKEN, identity.TokenId(token_id=call.id()))


ROUTES = (
    *(
        Route("GET", path, get_user, identity.GET_USER, "The caller's profile", _TAG)
        for path in ("/api/user", "/api/identity/users/profile")
    ),
    *(
        Route("GET", path, get_user_by_id, identity.GET_USER, "A person's profile", _TAG)
        for path in ("/api/user/profile/{id}", "/api/identity/users/profile/{id}")
    ),
    Route(
        "GET", "/api/user/prefs", get_preferences, identity.GET_PREFERENCES, "The caller's preferences", _TAG
    ),
    Route(
        "POST",
        "/api/user/prefs",
        save_preferences,
        identity.SAVE_PREFERENCES,
        "Change preferences",
        _TAG,
        body=Content(identity.Preferences),
    ),
    Route(
        "GET",
        "/api/identity/orgs",
        list_organizations,
        identity.LIST_ORGANIZATIONS,
        "The caller's organisations",
        _TAG,
        PAGE_QUERY,
    ),
    Route(
        "GET",
        "/api/identity/orgs/{orgID}/users/keys",
        list_keys,
        identity.LIST_KEYS,
        "The caller's permission keys",
        _TAG,
        PAGE_QUERY,
    ),
    Route(
        "GET", "/api/workspaces", list_workspaces, identity.LIST_WORKSPACES, "Workspaces", _TAG, PAGE_QUERY
    ),
    Route(
        "GET",
        "/api/identity/tokens",
        list_tokens,
        identity.LIST_TOKENS,
        "The caller's tokens",
        _TAG,
        PAGE_QUERY,
    ),
    Route(
        "POST",
        "/api/identity/tokens",
        create_token,
        identity.CREATE_TOKEN,
        "Make a token",
        _TAG,
        body=Content(identity.CreateToken),
        answer=Content(identity.NewToken, status=201),
    ),
    Route(
        "DELETE",
        "/api/identity/tokens",
        delete_token,
        identity.DELETE_TOKEN,
        "Revoke a token",
        _TAG,
        ("tokenId",),
    ),
    Route(
        "DELETE",
        "/api/identity/tokens/{id}",
        delete_token_by_id,
        identity.DELETE_TOKEN,
        "Revoke a token",
        _TAG,
    ),
)
