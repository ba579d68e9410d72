"""What is shown to a private source, and to which servers."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from meshery_contracts.imports import ImportDefinitions, SourceCredentials
from meshery_registry.domain import logins


def test_what_credentials_look_like_to_a_server() -> None:
    url = "https://example.com/a.yaml"
    basic = SourceCredentials(user="ali", password=SecretStr("ä:b"))
    assert logins.authorization_of(ImportDefinitions(url=url, credentials=basic)) == "Basic YWxpOsOkOmI="
    token = SourceCredentials(token=SecretStr("abc.def"))
    assert logins.authorization_of(ImportDefinitions(url=url, credentials=token)) == "Bearer abc.def"
    assert logins.authorization_of(ImportDefinitions(url=url)) == ""
    for one in (basic, token):
        assert "abc" not in repr(one)
        assert "ä" not in repr(one)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://A.example:443/y?z", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("https://a.example/x", "https://b.a.example/x", False),
        ("https://a.example/x", "https://a.example@evil.example/x", False),
        ("/x", "/x", False),
        ("https://[::1", "https://[::1", False),
        ("https://a.example:none/x", "https://a.example:none/x", False),
    ],
)
def test_one_origin(one: str, other: str, same: bool) -> None:
    assert logins.same_origin(one, other) is same


@pytest.mark.parametrize(
    ("realm", "registry", "may"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/x", True),
        ("https://gitlab.com/jwt/auth", "https://registry.gitlab.com/v2/x", True),
        ("https://ghcr.io/token", "https://ghcr.io/v2/x", True),
        ("https://registry.example:8443/token", "https://registry.example/v2/x", True),
        ("http://127.0.0.1:1/token", "http://127.0.0.1:2/v2/x", True),
        ("http://auth.docker.io/token", "https://registry-1.docker.io/v2/x", False),
        ("https://evil.io/token", "https://ghcr.io/v2/x", False),
        ("https://evildocker.io/token", "https://registry-1.docker.io/v2/x", False),
        ("https://docker.io.evil.example/token", "https://registry-1.docker.io/v2/x", False),
        ("https://8.0.0.1/token", "https://127.0.0.1/v2/x", False),
        ("/token", "https://ghcr.io/v2/x", False),
    ],
)
def test_who_may_give_tokens_for_a_registry(realm: str, registry: str, may: bool) -> None:
    assert logins.may_log_in(realm, registry) is may
