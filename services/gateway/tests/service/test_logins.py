"""Coming in by a browser: the choice of a provider, the form for a token, and where one is sent afterwards."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, CookieJar

from meshery_contracts import identity
from meshery_testkit.nats import People
from meshery_testkit.stubs import Stubs

ONE = identity.Providers(providers={"None": identity.Provider(provider_name="None")})
TWO = identity.Providers(
    providers={
        "None": identity.Provider(provider_name="None", provider_description=["Here & <b>now</b>"]),
        "<i>": identity.Provider(provider_type="remote", provider_name="<i>"),
    }
)
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
#: What a proxy adds: then the client counts as coming from elsewhere.
ELSEWHERE = {**BROWSER, "X-Forwarded-For": "192.0.2.7"}
HOSTILE = [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "designs",
    "/a\r\nSet-Cookie: token=x",
    "/a\\b",
    "/\t/evil.example",
    "/caf\u00e9",
    "",
]


def ref(path: str) -> str:
    """A path as clients carry it through the login."""
    return base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


@pytest.mark.parametrize("path", ["/provider", "/auth/login"])
async def test_the_only_provider_is_chosen(http: ClientSession, stubs: Stubs, path: str) -> None:
    await stubs.answer(identity.LIST_PROVIDERS, ONE)
    async with http.get(path, allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (302, "/user/login")
        assert reply.cookies["meshery-provider"].value == "None"
        assert reply.cookies["meshery-provider"]["httponly"]
    async with http.get(path, params={"ref": ref("/x?y=1")}) as reply:
        assert [(one.status, one.headers["Location"]) for one in reply.history] == [
            (302, f"/user/login?ref={ref('/x?y=1')}"),
            (302, "/x?y=1"),
        ]


async def test_among_several_one_chooses(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(identity.LIST_PROVIDERS, TWO)
    hostile = '"><script>alert(1)</script>'
    async with http.get("/provider", params={"ref": hostile}) as reply:
        assert (reply.status, reply.content_type) == (200, "text/html")
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["X-Frame-Options"] == "DENY"
        page = await reply.text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    query = urlencode({"provider": "<i>", "ref": hostile}).replace("&", "&amp;")
    assert f'<a href="/api/provider?{query}">&lt;i&gt;</a>' in page
    assert "Here &amp; &lt;b&gt;now&lt;/b&gt;" in page
    async with http.get("/provider/pages.css") as reply:
        assert (reply.status, reply.content_type) == (200, "text/css")


@pytest.mark.parametrize("path", HOSTILE)
async def test_a_login_leads_to_paths_of_ours_alone(http: ClientSession, stubs: Stubs, path: str) -> None:
    await stubs.answer(identity.LIST_PROVIDERS, ONE)
    for entrance in ("/user/login", "/api/user/token"):
        async with http.get(entrance, params={"ref": ref(path)}, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (302, "/"), entrance
    query = {"provider": "None", "ref": ref(path)}
    async with http.get("/api/provider", params=query, allow_redirects=False) as reply:
        assert reply.headers["Location"] == "/"
    async with http.get("/user/login", params={"ref": "%%%"}, allow_redirects=False) as reply:
        assert reply.headers["Location"] == "/"


async def test_who_is_elsewhere_is_asked_for_a_token(http: ClientSession, people: People) -> None:
    del people.tokens[""]
    hostile = '"><img src=x>'
    async with http.get("/user/login", params={"ref": hostile}, headers=ELSEWHERE) as reply:
        assert (reply.status, reply.content_type) == (401, "text/html")
        assert reply.headers["Cache-Control"] == "no-store"
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        page = await reply.text()
    assert "<img" not in page
    assert 'action="/api/user/token"' in page
    assert "alert" not in page
    # A program gets the error as everywhere.
    async with http.get("/user/login", headers={**ELSEWHERE, "Accept": "*/*"}) as reply:
        assert (reply.status, reply.content_type) == (401, "application/json")


async def test_a_token_is_kept_by_the_browser(address: str, people: People) -> None:
    del people.tokens[""]
    people.tokens["good"] = people.caller()
    async with ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as browser:
        form = {"token": " good ", "ref": ref("/openapi.json")}
        async with browser.post("/api/user/token", data=form, headers=ELSEWHERE) as reply:
            assert (reply.status, reply.url.path) == (200, "/openapi.json")
            kept = reply.history[0].cookies["token"]
        assert (kept.value, kept["httponly"], kept["samesite"], kept["path"]) == ("good", True, "Lax", "/")
        async with browser.get("/api/token", headers=ELSEWHERE) as reply:
            assert (await reply.json())["token"] == "good"
        async with browser.get("/user/logout", headers=ELSEWHERE, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (302, "/provider")
        async with browser.get("/api/token", headers=ELSEWHERE) as reply:
            assert reply.status == 401


@pytest.mark.parametrize("token", ["bad", "caf\u00e9"])
async def test_a_bad_token_is_not_kept(http: ClientSession, token: str) -> None:
    async with http.post("/api/user/token", data={"token": token}, headers=BROWSER) as reply:
        assert (reply.status, reply.content_type) == (401, "text/html")
        assert not reply.cookies
        assert 'role="alert"' in await reply.text()
    async with http.post("/api/user/token", data={"token": token}) as reply:
        assert (reply.status, reply.content_type) == (401, "application/json")


async def test_a_bad_token_leaves_the_good_one_alone(http: ClientSession, people: People) -> None:
    """Who mistypes another one is still who he was."""
    people.tokens["good"] = people.caller()
    headers = {**BROWSER, "Cookie": "token=good"}
    async with http.post("/api/user/token", data={"token": "bad"}, headers=headers) as reply:
        assert reply.status == 401
        assert not reply.cookies


async def test_a_login_form_is_short(http: ClientSession) -> None:
    """Anybody may send one: taking a megabyte of fields apart would hold up everybody else."""
    async with http.post("/api/user/token", data=b"a=&" * 30_000) as reply:
        assert (reply.status, (await reply.json())["code"]) == (413, "body_too_large")


async def test_no_other_site_logs_anybody_in(http: ClientSession, people: People) -> None:
    """With the token of whoever made the page or the link: what is then saved would be his."""
    people.tokens["good"] = people.caller()
    # Of the same origin is what a login leads on to: `ref` may have come from elsewhere, too.
    for site in ("cross-site", "same-site", "same-origin"):
        async with http.get("/api/user/token?token=good", headers={"Sec-Fetch-Site": site}) as reply:
            assert (reply.status, (await reply.json())["code"]) == (403, "origin_foreign")
            assert not reply.cookies
    # Over plain HTTP a browser does not say from where a link was followed; a program never does.
    async with http.get("/api/user/token?token=good", headers=BROWSER) as reply:
        assert (reply.status, (await reply.json())["code"]) == (403, "origin_foreign")
        assert not reply.cookies
    for headers in ({**BROWSER, "Sec-Fetch-Site": "none"}, {}):
        async with http.get("/api/user/token?token=good", headers=headers, allow_redirects=False) as reply:
            assert (reply.status, reply.cookies["token"].value) == (302, "good")
