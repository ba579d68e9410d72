"""Choosing a provider, what it can do, and browsers that come with somebody else's cookies."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession

from meshery_contracts import identity
from meshery_testkit.nats import People
from meshery_testkit.stubs import Stubs

PROVIDERS = identity.Providers(
    providers={
        "None": identity.Provider(
            provider_name="None", capabilities=[{"feature": "persist", "endpoint": ""}]
        ),
        "Elsewhere": identity.Provider(
            provider_type="remote", provider_name="Elsewhere", provider_url="https://elsewhere.example"
        ),
    }
)


@pytest.mark.parametrize(
    ("wish", "name", "location"),
    [
        ("None", "None", "/"),
        ("none", "None", "/"),
        ("Local", "None", "/"),
        ("Elsewhere", "Elsewhere", "/user/login"),
    ],
)
async def test_a_provider_is_remembered(
    http: ClientSession, stubs: Stubs, wish: str, name: str, location: str
) -> None:
    await stubs.answer(identity.LIST_PROVIDERS, PROVIDERS)
    async with http.get(f"/api/provider?provider={wish}", allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (302, location)
        assert reply.cookies["meshery-provider"].value == name


@pytest.mark.parametrize("wish", ["Nowhere", ""])
async def test_a_provider_that_is_not_there_is_not(http: ClientSession, stubs: Stubs, wish: str) -> None:
    """Its cookie would keep the browser out of every page."""
    await stubs.answer(identity.LIST_PROVIDERS, PROVIDERS)
    async with http.post(f"/api/provider?provider={wish}", allow_redirects=False) as reply:
        assert reply.status == 404
        assert not reply.cookies
        problem = await reply.json()
    assert (problem["code"], problem["suggestedRemediation"]) == (
        "provider_unknown",
        ["Choose one of: None, Elsewhere."],
    )


@pytest.mark.parametrize(("cookie", "name"), [("", "None"), ("elsewhere", "Elsewhere"), ("x", "None")])
async def test_capabilities_are_those_of_one_provider(
    http: ClientSession, stubs: Stubs, cookie: str, name: str
) -> None:
    await stubs.answer(identity.LIST_PROVIDERS, PROVIDERS)
    async with http.get("/api/provider/capabilities", cookies={"meshery-provider": cookie}) as reply:
        found = await reply.json()
    async with http.get("/api/providers") as reply:
        assert found == (await reply.json())[name]
    assert found["provider_name"] == name


async def test_a_cookie_that_keeps_somebody_out_is_dropped(http: ClientSession, people: People) -> None:
    """Of Meshery, say, that ran on this very host before: its token is none of ours."""
    del people
    async with http.get("/api/token", headers={"Cookie": "token=eyJhY2Nlc3NfdG9rZW4i"}) as reply:
        assert reply.status == 401
        dropped = reply.cookies["token"]
        assert (dropped.value, dropped["max-age"], dropped["path"]) == ("", "0", "/")
    # Nothing to drop: no browser sends these.
    for header in ({"Authorization": "Bearer x"}, {"meshery-token": "x"}):
        async with http.get("/api/token", headers=header) as reply:
            assert reply.status == 401
            assert not reply.cookies


@pytest.mark.parametrize(
    ("name", "code"), [("token", "token_malformed"), ("meshery-provider", "provider_unknown")]
)
async def test_a_cookie_of_other_letters_is_dropped_like_any_other(
    http: ClientSession, name: str, code: str
) -> None:
    async with http.get("/api/token", headers={"Cookie": f"{name}=caf\u00e9"}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (401, code)
        assert (reply.cookies[name].value, reply.cookies[name]["max-age"]) == ("", "0")


@pytest.mark.parametrize("name", ["Authorization", "meshery-token"])
async def test_a_token_of_other_letters_is_no_token(http: ClientSession, name: str) -> None:
    value = "Bearer caf\u00e9" if name == "Authorization" else "caf\u00e9"
    async with http.get("/api/token", headers={name: value}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (401, "token_malformed")
