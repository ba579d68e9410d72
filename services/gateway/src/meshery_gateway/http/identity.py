"""Who somebody is: providers, sessions, the user, preferences, organisations, keys and tokens."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from meshery_contracts import identity
from meshery_contracts.endpoints import public
from meshery_contracts.errors import NotFound
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.sessions import PROVIDER_COOKIE, TOKEN_COOKIE, printable, provider_of
from meshery_gateway.http.shapes import TEXT, Content, by_name, fields

_TAG = "Identity"
_CHOOSER = public("A client chooses a provider before anybody is known.")
_YEAR_SECONDS = 365 * 24 * 3600


async def list_providers(call: Call) -> web.StreamResponse:
    """Every provider by its name, as the chooser and mesheryctl read them."""
    reply = await call.bus.request(identity.LIST_PROVIDERS, Nothing(), assertion="")
    return call.answer({name: one.model_dump(mode="json") for name, one in reply.providers.items()})


async def get_capabilities(call: Call) -> web.StreamResponse:
    """What the chosen provider can do, in the shape that the list of providers has it; the only one by default."""
    known = (await call.bus.request(identity.LIST_PROVIDERS, Nothing(), assertion="")).providers
    chosen = _named(provider_of(call.request), known)
    return call.answer(chosen or next(iter(known.values())))


async def choose_provider(call: Call) -> web.StreamResponse:
    """Remember the provider in a cookie and go on to its login; the local one has none."""
    known = (await call.bus.request(identity.LIST_PROVIDERS, Nothing(), assertion="")).providers
    wish = printable("provider", call.text("provider"))
    chosen = _named(wish, known)
    if chosen is None:
        raise NotFound(
            f"There is no provider {wish[:100]!r} here.",
            code="provider_unknown",
            remedy=f"Choose one of: {', '.join(known)}.",
        )
    response = call.redirect("/")
    response.set_cookie(
        PROVIDER_COOKIE, chosen.provider_name, max_age=_YEAR_SECONDS, path="/", httponly=True, samesite="Lax"
    )
    return response


def _named(wish: str, known: Mapping[str, identity.Provider]) -> identity.Provider | None:
    """The provider of that name, in whatever letters."""
    return next((one for name, one in known.items() if name.lower() == wish.lower()), None)


async def login(call: Call) -> web.StreamResponse:
    """The local provider has no login: whoever comes here is sent home."""
    await call.session()
    return call.redirect("/")


async def logout(call: Call) -> web.StreamResponse:
    """Forget the token and the provider."""
    response = call.redirect("/")
    for name in (TOKEN_COOKIE, PROVIDER_COOKIE):
        response.del_cookie(name, path="/")
    return response


async def get_token(call: Call) -> web.StreamResponse:
    """What mesheryctl writes into its auth.json, letter by letter: only texts, nothing else."""
    session = await call.session()
    return call.answer({PROVIDER_COOKIE: session.provider, "token": session.token})


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


_OWN = public("Only tells the caller about his own session; identity has authenticated him.")

ROUTES = (
    Route(
        "GET",
        "/api/providers",
        list_providers,
        _CHOOSER,
        "Providers by name",
        _TAG,
        answer=Content(by_name(identity.Provider)),
    ),
    *(
        Route(method, "/api/provider", choose_provider, _CHOOSER, "Choose a provider", _TAG, ("provider",))
        for method in ("GET", "POST")
    ),
    Route(
        "GET",
        "/api/provider/capabilities",
        get_capabilities,
        _CHOOSER,
        "What the provider can do",
        _TAG,
        answer=Content(identity.Provider),
    ),
    Route("GET", "/user/login", login, _OWN, "Log in", _TAG),
    Route("GET", "/user/logout", logout, _OWN, "Log out", _TAG),
    Route(
        "GET",
        "/api/token",
        get_token,
        _OWN,
        "The caller's token file",
        _TAG,
        answer=Content(fields("meshery-provider", "token", **{"meshery-provider": TEXT, "token": TEXT})),
    ),
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
