"""The auth callout's JWTs, checked against NATS's own key library."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import nkeys as official
import pytest

from meshery_identity.domain import nats_logins, nkeys
from meshery_identity.domain.nats_logins import NotFromServerError

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def pair(prefix: int) -> Any:
    return official.from_seed(official.encode_seed(os.urandom(32), prefix))


def public(keys: Any) -> str:
    return str(keys.public_key.decode())


SERVER = pair(official.PREFIX_BYTE_SERVER)
USER = pair(official.PREFIX_BYTE_USER)
ACCOUNT = pair(official.PREFIX_BYTE_ACCOUNT)
ISSUER = nkeys.signer_of(ACCOUNT.seed.decode(), nkeys.ACCOUNT)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def asked(signer: Any = SERVER, *, shown: dict[str, str] | None = None, **claims: object) -> str:
    """What a server asks, with single claims changed."""
    nats = {
        "server_id": {"id": public(SERVER)},
        "user_nkey": public(USER),
        "connect_opts": {"pass": "secret"} if shown is None else shown,
    }
    body = {"iss": public(signer), "aud": "nats-authorization-request", "nats": nats, **claims}
    text = f"{part({'typ': 'jwt', 'alg': 'ed25519-nkey'})}.{part(body)}"
    return f"{text}.{base64.urlsafe_b64encode(signer.sign(text.encode())).rstrip(b'=').decode()}"


def claims_of(jwt: str, signer: Any) -> dict[str, Any]:
    """The claims of a JWT after checking its signature with the official library."""
    text, _, signature = jwt.rpartition(".")
    signer.verify(text.encode(), base64.urlsafe_b64decode(signature + "=="))
    body = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _mistyped(seed: str) -> str:
    """The seed with another letter in its middle; of the last one some bits mean nothing."""
    return seed[:30] + ("B" if seed[30] == "A" else "A") + seed[31:]


def test_keys_are_those_of_the_official_library() -> None:
    assert ISSUER.public == public(ACCOUNT)
    assert ISSUER.sign(b"x") == ACCOUNT.sign(b"x")
    nkeys.public_key(public(SERVER), nkeys.SERVER).verify(SERVER.sign(b"x"), b"x")
    for seed in (USER.seed.decode(), public(ACCOUNT), "SA", "", "SAAA!!", _mistyped(ACCOUNT.seed.decode())):
        with pytest.raises(ValueError, match="no"):
            nkeys.signer_of(seed, nkeys.ACCOUNT)


@pytest.mark.parametrize(
    ("shown", "token"),
    [
        ({"pass": "a", "user": "b"}, "a"),
        ({"auth_token": "a"}, "a"),
        ({"auth_token": "a", "pass": "b"}, "a"),
        ({}, ""),
        ({"user": "b"}, ""),
    ],
)
def test_the_token_is_taken_from_where_clients_put_it(shown: dict[str, str], token: str) -> None:
    login = nats_logins.read_login(asked(shown=shown), NOW)
    assert (login.token, login.user_nkey, login.server_id) == (token, public(USER), public(SERVER))


def test_what_no_server_asked_is_refused() -> None:
    good = asked()
    head, body, signature = good.split(".")
    elsewhere = pair(official.PREFIX_BYTE_SERVER)
    for text in (
        asked(USER),  # signed by somebody who is no server
        asked(elsewhere, iss=public(SERVER)),
        asked(aud="something else"),
        asked(exp=int(NOW.timestamp()) - 10),
        asked(nats={"user_nkey": "x", "connect_opts": {}}),
        asked(nats={"user_nkey": public(SERVER), "connect_opts": {}}),
        asked(nats="text"),
        f"{part({'typ': 'jwt', 'alg': 'none'})}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        "",
        "...",
        "a.b.c",
        f"{part([])}.{part([])}.{signature}",
    ):
        with pytest.raises(NotFromServerError):
            nats_logins.read_login(text, NOW)
    assert nats_logins.read_login(good, NOW).token == "secret"


def test_admitting_says_who_where_and_until_when() -> None:
    login = nats_logins.read_login(asked(), NOW)
    answer = nats_logins.admit(
        login,
        ISSUER,
        account="APP",
        name="ci",
        permissions={"pub": {"allow": ["a"]}, "sub": {"allow": ["b"]}},
        expires_at=NOW + timedelta(days=3),
        now=NOW,
    )
    claims = claims_of(answer, ACCOUNT)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (public(ACCOUNT), public(USER), public(SERVER))
    assert claims["nats"]["type"] == "authorization_response"
    user = claims_of(claims["nats"]["jwt"], ACCOUNT)
    assert (user["aud"], user["sub"], user["name"]) == ("APP", public(USER), "ci")
    assert user["exp"] == int((NOW + timedelta(days=3)).timestamp())
    assert user["nats"]["pub"] == {"allow": ["a"]}
    assert user["nats"]["sub"] == {"allow": ["b"]}


def test_turning_away_says_why_and_nothing_else() -> None:
    login = nats_logins.read_login(asked(), NOW)
    claims = claims_of(nats_logins.turn_away(login, ISSUER, "The token was revoked.", NOW), ACCOUNT)
    assert claims["nats"] == {
        "type": "authorization_response",
        "version": 2,
        "error": "The token was revoked.",
    }


def test_the_inbox_is_the_tokens_own() -> None:
    assert nats_logins.inbox_of(UUID(int=1)) == "_INBOX_00000000-0000-0000-0000-000000000001"
