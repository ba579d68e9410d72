"""What a NATS server asks about somebody who connects, and the answer it takes (ADR-26, auth callout).

Both are JWTs of NATS's own making: algorithm `ed25519-nkey`, issuer and subject are NKeys. The server signs what
it asks with its own key; the answer is signed with the key of the account that the server was told to trust.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature

from meshery_identity.domain import nkeys

SUBJECT = "$SYS.REQ.USER.AUTH"
_AUDIENCE = "nats-authorization-request"
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_UNLIMITED = -1
#: Subscriptions of one connection: an integrator needs an inbox, and a few streams of events.
_MOST_SUBSCRIPTIONS = 1000


class NotFromServerError(ValueError):
    """This was not asked by a NATS server."""


@dataclass(frozen=True)
class Login:
    """Somebody who connects: the key that the server made for the connection, and the token he shows."""

    user_nkey: str
    server_id: str
    token: str


def inbox_of(token_id: UUID) -> str:
    """The only inbox prefix that the holder of a token may use."""
    return f"_INBOX_{token_id}"


def read_login(text: str, now: datetime) -> Login:
    """What the server asks. Raises NotFromServerError when no server signed it, or when it is too old."""
    try:
        signed, _, signature = text.rpartition(".")
        header, body = (json.loads(_bytes_of(part)) for part in signed.split("."))
        if header["alg"] != _HEADER["alg"] or body["aud"] != _AUDIENCE:
            raise NotFromServerError("another kind of statement")
        server = nkeys.public_key(body["iss"], nkeys.SERVER)
        server.verify(_bytes_of(signature), signed.encode())
        if body.get("exp", now.timestamp()) < now.timestamp():
            raise NotFromServerError("the server waits no longer")
        asked = body["nats"]
        nkeys.public_key(asked["user_nkey"], nkeys.USER)
        shown = asked["connect_opts"]
        token = str(shown.get("auth_token") or shown.get("pass") or "")
        return Login(asked["user_nkey"], body["iss"], token)
    except NotFromServerError:
        raise
    except (InvalidSignature, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotFromServerError("malformed, or signed by somebody else") from error


def admit(
    login: Login,
    issuer: nkeys.Signer,
    *,
    account: str,
    name: str,
    permissions: dict[str, Any],
    expires_at: datetime,
    now: datetime,
) -> str:
    """The answer that lets somebody in, into an account, with these permissions (as NATS claims) until then."""
    user = {
        "type": "user",
        "version": 2,
        "subs": _MOST_SUBSCRIPTIONS,
        "data": _UNLIMITED,
        "payload": _UNLIMITED,
        **permissions,
    }
    claims = {"name": name, "aud": account, "exp": int(expires_at.timestamp()), "nats": user}
    jwt = _signed(issuer, login.user_nkey, claims, now)
    return _answer(login, issuer, {"jwt": jwt}, now)


def turn_away(login: Login, issuer: nkeys.Signer, why: str, now: datetime) -> str:
    """The answer that refuses somebody; the server logs why, he himself reads `Authorization Violation`."""
    return _answer(login, issuer, {"error": why}, now)


def _answer(login: Login, issuer: nkeys.Signer, verdict: dict[str, str], now: datetime) -> str:
    body = {"type": "authorization_response", "version": 2, **verdict}
    return _signed(issuer, login.user_nkey, {"aud": login.server_id, "nats": body}, now)


def _signed(issuer: nkeys.Signer, subject: str, claims: dict[str, Any], now: datetime) -> str:
    whole = {"iss": issuer.public, "sub": subject, "iat": int(now.timestamp()), **claims}
    whole["jti"] = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    text = f"{_text_of(_HEADER)}.{_text_of(whole)}"
    signature = base64.urlsafe_b64encode(issuer.sign(text.encode())).rstrip(b"=").decode()
    return f"{text}.{signature}"


def _text_of(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
