"""What is selected of a kind, and lists as pages of undecoded objects."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import orjson

from meshery_kube.errors import ManifestRefused, ProtocolError
from meshery_kube.kinds import Kind
from meshery_kube.transports import Query

T = TypeVar("T")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind. Selectors are in the API's own syntax; None means all."""

    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None
    shard_selector: str | None = None
    metadata_only: bool = False

    def query(self) -> Query:
        """The selectors as query parameters."""
        pairs = (
            ("labelSelector", self.label_selector),
            ("fieldSelector", self.field_selector),
            ("shardSelector", self.shard_selector),
        )
        return tuple((name, value) for name, value in pairs if value)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. Every item is a whole object with `apiVersion` and `kind`.

    `remaining` is the server's estimate of what follows, None when it does not say.
    `consistent` turns False when the list outlived the server's history and went on newer data.
    """

    items: tuple[bytes, ...] = field(repr=False)
    resource_version: str
    continue_token: str = field(default="", repr=False)
    remaining: int | None = None
    consistent: bool = True


class Header(msgspec.Struct):
    """Which kind a document is."""

    apiVersion: str = ""
    kind: str = ""


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""
    continue_: str = msgspec.field(name="continue", default="")
    remainingItemCount: int | None = None


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


def decode_page(body: bytes, kind: Kind) -> Page:
    """The body of a list, its items cut out unparsed. Raises ProtocolError."""
    listed = decode(_List, body)
    return Page(
        items=tuple(_with_type(bytes(item), kind) for item in listed.items or ()),
        resource_version=listed.metadata.resourceVersion,
        continue_token=listed.metadata.continue_,
        remaining=listed.metadata.remainingItemCount,
    )


def _with_type(item: bytes, kind: Kind) -> bytes:
    """Built-in kinds leave apiVersion and kind out of list items, as they stand in the list."""
    if not item.startswith(b'{"metadata"'):
        header = decode(Header, item)
        if header.apiVersion and header.kind:
            return item
    prefix = orjson.dumps({"apiVersion": kind.api_version, "kind": kind.kind})
    rest = item[1:].lstrip()
    return prefix[:-1] + (b"" if rest.startswith(b"}") else b",") + rest


def decode(kind: type[T], body: bytes) -> T:
    """`body` as a `kind`. Raises ProtocolError."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:  # the latter for deep nesting
        raise ProtocolError("the answer is not the JSON of an API server") from error


def decode_object(raw: bytes) -> Object:
    """`raw` as a dict. Raises ProtocolError."""
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("the answer is not JSON") from error
    if not isinstance(decoded, dict):
        raise ProtocolError("the answer is not a JSON object")
    return decoded


def encode(manifest: object) -> bytes:
    """`manifest` as JSON. Raises ManifestRefused for what JSON, or the API, cannot hold."""
    try:
        return orjson.dumps(manifest)
    except (TypeError, RecursionError) as error:  # orjson's own error is a TypeError
        raise ManifestRefused(f"the manifest cannot be written as JSON: {error}") from error
