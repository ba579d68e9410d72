"""Personal access tokens as text: `mpy_<environment>_<id>_<secret><checksum>`.

The prefix lets secret scanners find a leaked token, the checksum lets them and us drop a mistyped one without
looking it up. The secret has 256 random bits, so one round of SHA-256 is all that is kept of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from meshery_contracts.errors import Unauthenticated

PREFIX = "mpy_"
SECRET_BYTES = 32
_FORM = re.compile(r"(mpy_([a-z0-9]{1,16})_([a-z2-7]{26})_([A-Za-z0-9_-]{43}))([0-9A-Za-z]{6})")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REMEDY = "Make a new token, and use it as bearer token, as cookie `token`, or as password at NATS."


@dataclass(frozen=True)
class PresentedToken:
    """What somebody presents: which token it says it is, and the proof."""

    token_id: UUID
    secret: str


@dataclass(frozen=True)
class KnownToken:
    """What is kept of a token."""

    token_id: UUID
    organization_id: UUID
    user_id: UUID
    name: str
    secret_sha256: bytes
    #: The keys it may use at most; None: all of its owner's.
    key_ids: tuple[UUID, ...] | None
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def write(environment: str, token_id: UUID, secret: bytes) -> str:
    """The text of a token; `secret` are `SECRET_BYTES` random bytes."""
    identifier = base64.b32encode(token_id.bytes).decode().rstrip("=").lower()
    proof = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    body = f"{PREFIX}{environment}_{identifier}_{proof}"
    return body + _checksum(body)


def read(text: str) -> PresentedToken:
    """Take a token apart. Raises `Unauthenticated` when it is none of ours or mistyped."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise Unauthenticated(
            "This is no token of Meshery.",
            code="token_malformed",
            cause="It is cut off, or was issued by another system.",
            remedy=_REMEDY,
        )
    if not hmac.compare_digest(_checksum(form[1]), form[5]):
        raise Unauthenticated(
            "The token is mistyped: its checksum does not fit.",
            code="token_malformed",
            remedy="Copy it again, whole.",
        )
    return PresentedToken(UUID(bytes=base64.b32decode(form[3].upper() + "======")), form[4])


def secret_of(text: str) -> str:
    """The secret part of a token that `write` made."""
    return read(text).secret


def sha256(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def check(presented: PresentedToken, known: KnownToken | None, now: datetime) -> KnownToken:
    """The token, when the proof fits and it is still valid; raises `Unauthenticated`.

    Why a token is not valid is told only to who holds its secret.
    """
    kept = known.secret_sha256 if known is not None else bytes(32)
    if not hmac.compare_digest(sha256(presented.secret), kept) or known is None:
        raise Unauthenticated(
            "The token is not known.",
            code="token_unknown",
            cause="It was deleted, or belongs to another installation.",
            remedy=_REMEDY,
        )
    if known.revoked_at is not None:
        raise Unauthenticated("The token was revoked.", code="token_revoked", remedy=_REMEDY)
    if known.expires_at <= now:
        raise Unauthenticated(
            f"The token expired on {known.expires_at:%Y-%m-%d at %H:%M} UTC.",
            code="token_expired",
            remedy=_REMEDY,
        )
    return known


def minute(now: datetime) -> datetime:
    """The beginning of this minute: finer is nobody's business."""
    return now.replace(second=0, microsecond=0)


def needs_note(known: KnownToken, now: datetime) -> bool:
    """Whether its last use should be written down: at most once a minute."""
    return known.last_used_at is None or known.last_used_at < minute(now)


def _checksum(text: str) -> str:
    rest = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _BASE62[digit] + digits
    return digits
