"""How somebody comes in and goes: the choice of a provider, its login, the token that a browser keeps.

Pages among them are files of `pages/` without scripts; what is put into them is escaped.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlencode

from aiohttp import web

from meshery_contracts import identity
from meshery_contracts.endpoints import public
from meshery_contracts.errors import Forbidden, NotFound, ProblemError, Unauthenticated
from meshery_contracts.messages import Nothing
from meshery_gateway.http.calls import Call
from meshery_gateway.http.routes import Route
from meshery_gateway.http.sessions import (
    PROVIDER_COOKIE,
    TOKEN_COOKIE,
    checked_token,
    forget_cookies,
    printable,
    provider_of,
)
from meshery_gateway.http.shapes import TEXT, Content, by_name, fields

_TAG = "Identity"
_CHOOSER = public("A client chooses a provider before anybody is known.")
_OWN = public("Only tells the caller about his own session; identity has authenticated him.")
_YEAR_SECONDS = 365 * 24 * 3600
#: A path of ours, query and all: neither `//host` nor `/\host`, which browsers take for another site.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_FORM = "application/x-www-form-urlencoded"


# --- the choice ---------------------------------------------------------------------------------------------


async def list_providers(call: Call) -> web.StreamResponse:
    """Every provider by its name, as the chooser and mesheryctl read them."""
    known = await _known(call)
    return call.answer({name: one.model_dump(mode="json") for name, one in known.items()})


async def get_capabilities(call: Call) -> web.StreamResponse:
    """What the chosen provider can do, in the shape that the list of providers has it; the only one by default."""
    known = await _known(call)
    chosen = _named(provider_of(call.request), known)
    return call.answer(chosen or next(iter(known.values())))


async def choose_provider(call: Call) -> web.StreamResponse:
    """Remember the provider in a cookie and go on to its login; the local one has none."""
    known = await _known(call)
    wish = printable("provider", call.text("provider"))
    chosen = _named(wish, known)
    if chosen is None:
        raise NotFound(
            f"There is no provider {wish[:100]!r} here.",
            code="provider_unknown",
            remedy=f"Choose one of: {', '.join(known)}.",
        )
    local = chosen.provider_type == "local"
    return _remembered(call, chosen, _asked_for(call.text("ref")) if local else _login(call))


async def show_providers(call: Call) -> web.StreamResponse:
    """The page on which a provider is chosen; where there is but one, on to its login."""
    known = await _known(call)
    if len(known) == 1:
        return _remembered(call, next(iter(known.values())), _login(call))
    lines = []
    for name, one in known.items():
        query = urlencode({"provider": name, "ref": call.text("ref")})
        about = "".join(f"<p>{escape(line)}</p>" for line in one.provider_description)
        lines.append(f'<li><a href="/api/provider?{escape(query)}">{escape(name)}</a>{about}</li>')
    return _page("choose.html", providers="".join(lines))


async def _known(call: Call) -> Mapping[str, identity.Provider]:
    return (await call.bus.request(identity.LIST_PROVIDERS, Nothing(), assertion="")).providers


def _named(wish: str, known: Mapping[str, identity.Provider]) -> identity.Provider | None:
    """The provider of that name, in whatever letters; newer clients call the local one `Local`."""
    if wish.lower() == "local":
        return next((one for one in known.values() if one.provider_type == "local"), None)
    return next((one for name, one in known.items() if name.lower() == wish.lower()), None)


def _remembered(call: Call, provider: identity.Provider, location: str) -> web.Response:
    response = call.redirect(location)
    _set_cookie(call, response, PROVIDER_COOKIE, provider.provider_name, _YEAR_SECONDS)
    return response


def _login(call: Call) -> str:
    ref = call.text("ref")
    return f"/user/login?{urlencode({'ref': ref})}" if ref else "/user/login"


# --- the session --------------------------------------------------------------------------------------------


async def login(call: Call) -> web.StreamResponse:
    """On to the page that was asked for. The local provider has no login: who is not on this machine needs a token."""
    try:
        await call.session()
    except Unauthenticated as error:
        tried = TOKEN_COOKIE in call.request.cookies
        page = _login_page(call, error, call.text("ref"), tried=tried)
        forget_cookies(call.request, page, error.problem)
        return page
    return call.redirect(_asked_for(call.text("ref")))


async def receive_token(call: Call) -> web.StreamResponse:
    """Keep a token in a cookie, when it is a good one, and go on to the page that was asked for."""
    if call.request.method != "POST" and not _opened_by_hand(call.request):
        raise Forbidden(
            "A link on a page cannot log anybody in.",
            code="origin_foreign",
            cause="It led here with a token that need not be the visitor's own.",
            remedy="Open /user/login, and enter your token there.",
        )
    sent = await call.form() if call.request.method == "POST" else {}
    ref = sent.get("ref", "") or call.text("ref")
    token = sent.get("token", "") or call.text("token")
    if not token:
        return call.redirect(_asked_for(ref))
    try:
        await call.session_of(checked_token(token.strip()))
    except Unauthenticated as error:
        return _login_page(call, error, ref, tried=True)
    response = call.redirect(_asked_for(ref))
    _set_cookie(call, response, TOKEN_COOKIE, token.strip(), None)
    return response


def _opened_by_hand(request: web.Request) -> bool:
    """Whether no page led to this link, and no login that `ref` leads on from; of a form the guard has seen to it.

    Over plain HTTP browsers do not say so: then none is believed. A program, which asks for no page, may send it.
    """
    site = request.headers.get("Sec-Fetch-Site", "").lower()
    return site == "none" or (not site and not _wants_page(request))


def _wants_page(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


async def logout(call: Call) -> web.StreamResponse:
    """Forget the token and the provider."""
    response = call.redirect("/provider")
    for name in (TOKEN_COOKIE, PROVIDER_COOKIE):
        response.del_cookie(name, path="/")
    return response


async def get_token(call: Call) -> web.StreamResponse:
    """What mesheryctl writes into its auth.json, letter by letter: only texts, nothing else."""
    session = await call.session()
    return call.answer({PROVIDER_COOKIE: session.provider, "token": session.token})


def _login_page(call: Call, error: ProblemError, ref: str, *, tried: bool) -> web.Response:
    """A form for the token, to a person, with what was wrong with the one he tried; a program gets the error.

    Raises it.
    """
    if not _wants_page(call.request):
        raise error
    problem = error.problem
    told = f'<p role="alert">{escape(problem.title)}</p>' if tried else ""
    response = _page("login.html", problem=told, ref=escape(ref))
    response.set_status(401)
    return response


def _asked_for(ref: str) -> str:
    """The page that somebody wanted before he was sent to the login: only a path of ours, the home page otherwise."""
    try:
        path = base64.b64decode(ref + "=" * (-len(ref) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return "/"
    return path if _OWN_PATH.fullmatch(path) else "/"


def _set_cookie(call: Call, response: web.Response, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=call.secure_cookies,
    )


# --- pages --------------------------------------------------------------------------------------------------


_PAGES = files("meshery_gateway.http") / "pages"
_NOT_KEPT = {"Cache-Control": "no-store"}


def _page(name: str, **values: str) -> web.Response:
    """A page with these values, which are HTML already."""
    text = Template((_PAGES / name).read_text()).substitute(values)
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=_NOT_KEPT)


async def _style(_call: Call) -> web.StreamResponse:
    """The style of these pages."""
    text = (_PAGES / "pages.css").read_text()
    return web.Response(
        text=text, content_type="text/css", charset="utf-8", headers={"Cache-Control": "no-cache"}
    )


_HTML = Content(TEXT, "text/html")
_REDIRECT = Content(TEXT, "text/html", status=302)

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
        Route(
            method,
            "/api/provider",
            choose_provider,
            _CHOOSER,
            "Choose a provider",
            _TAG,
            ("provider", "ref"),
            answer=_REDIRECT,
        )
        for method in ("GET", "POST")
    ),
    *(
        Route(
            "GET", path, show_providers, _CHOOSER, "Where a provider is chosen", _TAG, ("ref",), answer=_HTML
        )
        for path in ("/provider", "/auth/login")
    ),
    Route(
        "GET", "/provider/pages.css", _style, _CHOOSER, "Its style", _TAG, answer=Content(TEXT, "text/css")
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
    Route("GET", "/user/login", login, _OWN, "Log in", _TAG, ("ref",), answer=_REDIRECT),
    Route("GET", "/user/logout", logout, _OWN, "Log out", _TAG, answer=_REDIRECT),
    Route(
        "GET",
        "/api/user/token",
        receive_token,
        _OWN,
        "Log in with a token",
        _TAG,
        ("token", "ref"),
        answer=_REDIRECT,
    ),
    Route(
        "POST",
        "/api/user/token",
        receive_token,
        _OWN,
        "Log in with a token",
        _TAG,
        body=Content(fields(token=TEXT, ref=TEXT), _FORM),
        answer=_REDIRECT,
    ),
    Route(
        "GET",
        "/api/token",
        get_token,
        _OWN,
        "The caller's token file",
        _TAG,
        answer=Content(fields("meshery-provider", "token", **{"meshery-provider": TEXT, "token": TEXT})),
    ),
)
