"""What is shown to a private source, and to which servers."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from meshery_contracts.errors import FieldProblem, Invalid
from meshery_contracts.imports import ImportDefinitions, SourceCredentials

BASIC = "Basic "
BEARER = "Bearer "
_PORTS = {"http": 80, "https": 443}


def authorization_of(request: ImportDefinitions) -> str:
    """The value of the `Authorization` header that a request's credentials make; empty without any.

    Raises Invalid, which quotes nothing, for what cannot be sent and for a source that has no host of its own.
    """
    if request.credentials is None:
        return ""
    if not request.url and request.chart is None:
        raise _unusable("Only `url` and `chart` are fetched with credentials.")
    user, password, token = _parts(request.credentials)
    if bool(token) == bool(user or password):
        raise _unusable("They are neither a user name with a password nor a token, or both.")
    if token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise _unusable("A token has neither spaces nor letters beyond ASCII.")
        return BEARER + token
    return BASIC + base64.b64encode(f"{user}:{password}".encode()).decode()


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port."""
    origin = _origin(one)
    return origin is not None and origin == _origin(other)


def may_log_in(realm: str, registry: str) -> bool:
    """Whether a registry's token server may see what is meant for the registry (its URL).

    It is the registry's own host or in its domain, as auth.docker.io is, and not asked with less protection.
    """
    server, asked = _origin(realm), _origin(registry)
    if server is None or asked is None or (server[0] != "https" and asked[0] == "https"):
        return False
    domain = asked[1].partition(".")[2]
    named = "." in domain and not domain.replace(".", "").isdigit()
    return server[1] == asked[1] or (named and f".{server[1]}".endswith(f".{domain}"))


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return (
            (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)) if parts.hostname else None
        )
    except ValueError:
        return None


def _parts(credentials: SourceCredentials) -> tuple[str, str, str]:
    return credentials.user, credentials.password.get_secret_value(), credentials.token.get_secret_value()


def _unusable(why: str) -> Invalid:
    return Invalid(
        "The credentials cannot be used.",
        code="source_credentials",
        cause=why,
        fields=(FieldProblem(path="credentials", message="cannot be used"),),
        remedy="Send `user` and `password`, or `token`, with the `url` or `chart` that they are for.",
    )
