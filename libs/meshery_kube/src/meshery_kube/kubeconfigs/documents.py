"""YAML text to plain dicts, lists and strings, without giving the text any power.

Built from the parser's events in a loop instead of PyYAML's composer, which recurses in C and can
exhaust the stack. Every scalar stays a string (`token: 12345` is a token, not a number), tags that
ask for other types, duplicate keys and, if so told, aliases are refused.

Messages give line and column only: the text may hold secrets, and so may PyYAML's own messages.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from meshery_kube.errors import KubeconfigMalformed, KubeconfigTooLarge

Node = dict[str, "Node"] | list["Node"] | str | None
"""What a document consists of; None stands for YAML's null and for nothing at all."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_TAGS = frozenset({"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_KEY = object()


@dataclass(frozen=True, slots=True)
class YAMLLimits:
    """How much a text may hold. Aliases share nodes here, so they cost nothing until walked."""

    max_bytes: int = 1 << 20
    max_events: int = 200_000
    max_depth: int = 50
    max_aliases: int = 0


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    node: dict[str, Node] | list[Node]
    anchor: str | None
    key: Any = _NO_KEY


def read_document(text: str | bytes, limits: YAMLLimits) -> Node:
    """The one document of `text`.

    Raises KubeconfigTooLarge, or KubeconfigMalformed with line and column.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > limits.max_bytes:
        raise KubeconfigTooLarge(f"the file has {len(raw)} bytes; {limits.max_bytes} are allowed")
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KubeconfigMalformed("the file is not UTF-8 text") from None
    try:
        return _build(source, limits)
    except yaml.MarkedYAMLError as error:
        where = _where(error.problem_mark or error.context_mark)
        # `from None`: the original quotes the text, and the text holds secrets.
        raise KubeconfigMalformed(f"the file is not valid YAML{where}") from None
    except (yaml.YAMLError, ValueError):
        # libyaml's reader refuses control characters; some broken escapes end as ValueError.
        raise KubeconfigMalformed("the file holds characters that YAML does not allow") from None


def _build(source: str, limits: YAMLLimits) -> Node:
    root: list[Node] = []
    stack = [_Open(root, None)]
    anchors: dict[str, Node] = {}
    aliases = 0
    documents = 0
    for count, event in enumerate(yaml.parse(source, Loader=_Loader)):
        if count > limits.max_events:
            raise KubeconfigTooLarge(f"the file has more than {limits.max_events} parts")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _malformed("a second document begins", event)
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > limits.max_aliases:
                raise _malformed("YAML aliases (*name) are not accepted", event)
            if event.anchor not in anchors:
                raise _malformed("an alias has no finished anchor", event)
            _put(stack[-1], anchors[event.anchor], event)
        elif isinstance(event, yaml.ScalarEvent):
            _check_tag(event)
            null = not event.style and event.value in _NULLS  # quoted, it is a text
            _finish(stack[-1], None if null else event.value, event.anchor, anchors, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            _check_tag(event)
            if len(stack) > limits.max_depth:
                raise _malformed("the nesting is too deep", event)
            mapping = isinstance(event, yaml.MappingStartEvent)
            stack.append(_Open({} if mapping else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = stack.pop()
            _finish(stack[-1], done.node, done.anchor, anchors, event)
    return root[0] if root else None


def _finish(
    parent: _Open, node: Node, anchor: str | None, anchors: dict[str, Node], event: yaml.Event
) -> None:
    if anchor is not None:
        anchors[anchor] = node
    _put(parent, node, event)


def _put(parent: _Open, node: Node, event: yaml.Event) -> None:
    if isinstance(parent.node, list):
        parent.node.append(node)
    elif parent.key is _NO_KEY:
        if not isinstance(node, str):
            raise _malformed("a key is not text", event)
        if node in parent.node:
            raise _malformed("a key stands twice in one mapping", event)
        parent.key = node
    else:
        parent.node[parent.key] = node
        parent.key = _NO_KEY


def _check_tag(event: Any) -> None:
    if event.tag is not None and event.tag not in _PLAIN_TAGS:
        raise _malformed("a tag asks for a special type", event)


def _malformed(problem: str, event: yaml.Event) -> KubeconfigMalformed:
    return KubeconfigMalformed(f"{problem}{_where(event.start_mark)}")


def _where(mark: Any) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
