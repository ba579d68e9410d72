"""How values cross between Python and PostgreSQL.

- `jsonb`: Python objects both ways (orjson). A `bytes` argument is taken as finished JSON and passed through.
- `json`: as an argument like jsonb; as a result the undecoded `bytes`. So `select document::json` hands a
  stored document on without decoding it, and `select document` decodes it.
- `uuid`: plain `uuid.UUID`. The driver's own subclass is unknown to orjson.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def _encode_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else orjson.dumps(value)


def _encode_jsonb(value: Any) -> bytes:
    # The binary form of jsonb is a version byte and the text.
    return b"\x01" + _encode_json(value)


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(memoryview(data)[1:])


def _encode_uuid(value: UUID | str) -> bytes:
    return value.bytes if isinstance(value, UUID) else UUID(value).bytes


def _decode_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


async def register_codecs(raw: Any) -> None:
    """Teach a new connection our types; costs no round trip."""
    for name, encoder, decoder in (
        ("jsonb", _encode_jsonb, _decode_jsonb),
        ("json", _encode_json, bytes),
        ("uuid", _encode_uuid, _decode_uuid),
    ):
        await raw.set_type_codec(name, encoder=encoder, decoder=decoder, schema="pg_catalog", format="binary")
