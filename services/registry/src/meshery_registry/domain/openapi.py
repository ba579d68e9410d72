"""Kinds out of a cluster's own OpenAPI v3 document. Plain and picklable: it runs in a worker process."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from meshery_contracts.errors import Invalid
from meshery_registry.domain.schemas import Inliner, Schema, SchemaRefused, without, without_patterns

#: Part of every fingerprint: raise it when the same document would be read differently, so that it is read again.
READER_VERSION = 1
#: The longest schema that is kept, in bytes of JSON text; two must fit into one answer.
MAX_SCHEMA_BYTES = 1_500_000

_KIND_KEY = "x-kubernetes-group-version-kind"
#: Every manifest has these, or may not have them; a design holds them apart from the configuration.
_NOT_CONFIGURED = ("apiVersion", "kind", "metadata", "status")
#: Lists of a thousand components must fit into one answer.
_MAX_DESCRIPTION = 500
_ANYTHING = b'{"type":"object"}'


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A schema as it is stored: deflated, under the hash of its text. `bytes` is what it takes as text inside JSON."""

    hash: str
    body: bytes
    bytes: int


@dataclass(frozen=True, slots=True)
class LearnedKind:
    """A kind with its schema, deflated. `usable` is False when a schema that allows all stands in.

    `schema_bytes` is what the schema takes as a text inside of JSON.
    """

    kind: str
    namespaced: bool
    description: str
    schema_hash: str
    schema_body: bytes
    schema_bytes: int
    usable: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What one document taught; `refused` are sentences about kinds that it did not."""

    kinds: list[LearnedKind]
    refused: list[str]


def learned_from(document: bytes, group_version: str, scopes: Mapping[str, bool]) -> Learned:
    """The kinds of a group version that `scopes` names (True: namespaced). Raises Invalid."""
    named = _schemas_of(document)
    found = dict(_kinds_of(named, group_version))
    inliner = Inliner(named)
    kinds: list[LearnedKind] = []
    refused: list[str] = []
    for kind in sorted(scopes):
        if kind not in found:
            refused.append(f"{kind}: the document has no schema for it.")
            continue
        try:
            kinds.append(_learned(kind, scopes[kind], found[kind], inliner))
        except SchemaRefused as error:
            refused.append(f"{kind}: its schema was not taken: {error}.")
    return Learned(kinds, refused)


def schema_text(body: bytes) -> str:
    """The JSON text of a stored schema."""
    return zlib.decompress(body).decode()


def stored_schema(text: bytes) -> StoredSchema:
    """The stored form of a schema's text. Raises SchemaRefused."""
    if len(text) > MAX_SCHEMA_BYTES:
        raise SchemaRefused(f"it has {len(text):,} bytes, {MAX_SCHEMA_BYTES:,} are allowed")
    return StoredSchema(
        hashlib.sha256(text).hexdigest(), zlib.compress(text, 6), len(orjson.dumps(text.decode()))
    )


def checked_schema(text: str) -> tuple[str, bool]:
    """An author's schema in the form that all are stored in, and whether it still says what he said.

    Raises SchemaRefused.
    """
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SchemaRefused(f"its schema is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise SchemaRefused("its schema is no JSON object")
    written, usable = _checked(schema)
    if b"\\u0000" in written:
        raise SchemaRefused("its schema holds the character NUL")
    return written.decode(), usable


def _schemas_of(document: bytes) -> Mapping[str, Any]:
    try:
        read = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise Invalid(
            "The OpenAPI document is no JSON.",
            code="openapi_unreadable",
            detail=str(error)[:300],
            remedy="Send the document as the API server gave it.",
        ) from None
    components = read.get("components") if isinstance(read, dict) else None
    schemas = components.get("schemas") if isinstance(components, dict) else None
    if schemas is None and isinstance(read, dict) and str(read.get("openapi", "")).startswith("3"):
        return {}
    if not isinstance(schemas, dict):
        raise Invalid(
            "The document is no OpenAPI v3 document.",
            code="openapi_unknown",
            cause="It has neither schemas nor says `openapi: 3`.",
            remedy="Send one document of the API server's /openapi/v3, not the index and not version 2.",
        )
    return schemas


def _kinds_of(schemas: Mapping[str, Any], group_version: str) -> Iterator[tuple[str, Schema]]:
    group, _, version = group_version.rpartition("/")
    for schema in schemas.values():
        kinds = schema.get(_KIND_KEY) if isinstance(schema, dict) else None
        for one in kinds if isinstance(kinds, list) else ():
            if isinstance(one, dict) and (one.get("group") or "", one.get("version")) == (group, version):
                yield str(one.get("kind")), schema


def written_out(schema: Schema, inliner: Inliner) -> tuple[bytes, bool]:
    """The text of a kind's JSON Schema, and whether it still says what was given. Raises SchemaRefused."""
    # Dropped before references are written out: ObjectMeta alone is larger than most kinds.
    own = without(schema, _NOT_CONFIGURED)
    own.pop(_KIND_KEY, None)
    own.setdefault("type", "object")
    return _checked(inliner.inlined(own))


def description_of(schema: Schema) -> str:
    """What a schema says of its kind."""
    return str(schema.get("description") or "").replace("\0", "")[:_MAX_DESCRIPTION]


def _learned(kind: str, namespaced: bool, schema: Schema, inliner: Inliner) -> LearnedKind:
    text, usable = written_out(schema, inliner)
    stored = stored_schema(text)
    return LearnedKind(
        kind=kind,
        namespaced=namespaced,
        description=description_of(schema),
        schema_hash=stored.hash,
        schema_body=stored.body,
        schema_bytes=stored.bytes,
        usable=usable,
    )


def _checked(schema: Schema) -> tuple[bytes, bool]:
    """The schema as text that a validator takes, and whether it still says what the cluster said."""
    if _compiles(schema):
        return _text(schema), True
    mended = without_patterns(schema, _is_usable_pattern)
    if _compiles(mended):
        return _text(mended), True
    return _ANYTHING, False


def _text(schema: Schema) -> bytes:
    # Sorted, so that the order in which a server happens to write keys does not make another schema.
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)


def _compiles(schema: Schema) -> bool:
    try:
        # Offline: a schema of strangers must not make us fetch addresses or read files.
        jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False
    return True


@lru_cache(maxsize=10_000)
def _is_usable_pattern(pattern: str) -> bool:
    return _compiles({"pattern": pattern})
