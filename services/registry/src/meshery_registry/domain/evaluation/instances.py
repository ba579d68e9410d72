"""Relationships of a design: how they are named, made of a definition, and read.

Ids are made from what is related, so that the same design gives the same relationships everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_DNS

import orjson

from meshery_registry.domain.evaluation.definitions import (
    SELF,
    Binding,
    Definition,
    Document,
    Pairing,
    class_key,
    general,
    value_of,
)
from meshery_registry.domain.evaluation.paths import BadPath, Path, path_of
from meshery_registry.domain.evaluation.sides import Row, Selector

APPROVED: Final = "approved"
DELETED: Final = "deleted"
PENDING: Final = "pending"
IGNORED: Final = "ignored"
IDENTIFIED: Final = "identified"

_NAMESPACE: Final = NAMESPACE_DNS.bytes
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_MAX_PARTS: Final = 1000
#: The hexadecimal digit that tells the variant of a UUID.
_VARIANT: Final = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}

#: The two rows by which a pair was found.
Pair = tuple[Row, Row]


class Related(NamedTuple):
    """Whom a relationship relates."""

    class_key: str
    from_id: str
    to_id: str
    #: All components that it names.
    ends: tuple[str, ...]


def stable_id(*content: Any) -> str:
    """The UUID (version 5, DNS) of some JSON."""
    try:
        text = orjson.dumps(content, option=_CANONICAL)
    except TypeError:  # nested too deeply, or a number that JSON does not have
        text = repr(content).encode()
    digits = hashlib.sha1(_NAMESPACE + text, usedforsecurity=False).hexdigest()
    return (
        f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"
    )


def of_pair(
    definition: Pairing,
    relationship_id: str,
    ends: tuple[str, str],
    kinds: tuple[str, str],
    pairs: Sequence[Pair],
) -> Document:
    """The relationship of two components, from and to, of these kinds."""
    from_part, to_part = definition.from_shared, definition.to_shared
    if definition.wild or definition.patterned:
        from_part, to_part = _parts(definition, kinds, pairs)
    return _instance(
        definition, relationship_id, [{**from_part, "id": ends[0]}], [{**to_part, "id": ends[1]}]
    )


def _parts(definition: Pairing, kinds: tuple[str, str], pairs: Sequence[Pair]) -> tuple[Document, Document]:
    """Both selectors of an instance without its ids: the elements of arrays are the same ones most of the time."""
    where = kinds, tuple([(from_row[1], to_row[1]) for from_row, to_row in pairs])
    known = definition.parts.get(where)
    if known is None:
        known = (
            _of_kind(definition.from_shared, definition.from_selector, kinds[0]),
            _of_kind(definition.to_shared, definition.to_selector, kinds[1]),
        )
        if definition.wild:
            known = _anchored(definition, known, pairs)
        if len(definition.parts) < _MAX_PARTS:
            definition.parts[where] = known
    return known


def _anchored(
    definition: Pairing, parts: tuple[Document, Document], pairs: Sequence[Pair]
) -> tuple[Document, Document]:
    from_refs, to_refs, matrix = concrete(definition, pairs)
    names = ("mutatorRef", "mutatedRef") if definition.mutator_is_from else ("mutatedRef", "mutatorRef")
    from_item, to_item = parts
    return (
        {**from_item, "matchStrategyMatrix": matrix, "patch": {**from_item["patch"], names[0]: from_refs}},
        {**to_item, "patch": {**to_item["patch"], names[1]: to_refs}},
    )


def _of_kind(shared: Document, selector: Selector, kind: str) -> Document:
    """A selector that names the kind which its pattern has meant."""
    return {**shared, "kind": kind} if selector.is_pattern else shared


def concrete(
    definition: Pairing, pairs: Sequence[Pair]
) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    """The references of both sides with the elements that were found, and the strategies of each."""
    found: dict[tuple[Path, Path], list[str]] = {}
    from_walk, to_walk = definition.from_side.walk, definition.to_side.walk
    for number, held in enumerate(definition.strategies):
        for from_row, to_row in pairs:
            refs = from_walk.concrete(number, from_row[1]), to_walk.concrete(number, to_row[1])
            found.setdefault(refs, list(held))
    ordered = sorted(found)
    return (
        [list(one) for one, _ in ordered],
        [list(one) for _, one in ordered],
        [found[one] for one in ordered],
    )


def of_binding(
    definition: Binding, relationship_id: str, from_id: str, through_id: str, to_id: str
) -> Document:
    """The relationship of two components through a third."""
    return _instance(
        definition,
        relationship_id,
        [_matched(definition.from_shared, from_id, through_id)],
        [_matched(definition.to_shared, to_id, through_id)],
    )


def of_group(
    definition: Definition, relationship_id: str, from_ids: Sequence[str], to_ids: Sequence[str]
) -> Document:
    """The relationship of a group of components."""
    return _instance(
        definition,
        relationship_id,
        [{**definition.from_shared, "id": one} for one in from_ids],
        [{**definition.to_shared, "id": one} for one in to_ids],
    )


def of_alias(
    definition: Definition, relationship_id: str, alias_id: str, parent_id: str, path: Path
) -> Document:
    """The relationship of an alias to what it is a part of."""
    return _instance(
        definition,
        relationship_id,
        [
            {
                **definition.from_shared,
                "id": alias_id,
                "patch": {"patchStrategy": "replace", "mutatorRef": [list(path)]},
            }
        ],
        [
            {
                **definition.to_shared,
                "id": parent_id,
                "patch": {"patchStrategy": "replace", "mutatedRef": [list(path)]},
            }
        ],
    )


def _instance(
    definition: Definition,
    relationship_id: str,
    from_items: list[dict[str, Any]],
    to_items: list[dict[str, Any]],
) -> Document:
    return {
        **definition.shared,
        "id": relationship_id,
        "selectors": [{"allow": {"from": from_items, "to": to_items}}],
    }


def _matched(shared: Document, own_id: str, through_id: str) -> dict[str, Any]:
    """A selector of a binding with the ids of both in its match."""
    match = {
        part: [{**one, "id": own_id if str(one.get("kind")).lower() == SELF else through_id} for one in items]
        for part, items in shared["match"].items()
        if part in ("from", "to")
    }
    return {**shared, "id": own_id, "match": match}


def selector_items(relationship: Document, part: str) -> list[Document]:
    """The selectors of one part (`from` or `to`) of a relationship."""
    sets = relationship.get("selectors")
    if not isinstance(sets, list) or not sets:
        return []
    items = value_of(value_of(sets[0], "allow"), part)
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []


def related(relationship: Document) -> Related:
    """Whom a relationship of a design relates; ids are empty where it does not say."""
    froms, tos = selector_items(relationship, "from"), selector_items(relationship, "to")
    ends: dict[str, None] = {}
    for item in (*froms, *tos):
        ends[_id(item)] = None
        match = item.get("match")
        for part in ("from", "to"):
            matched = value_of(match, part)
            for one in matched if isinstance(matched, list) else ():
                ends[_id(one)] = None
    ends.pop("", None)
    return Related(
        class_of(relationship), _id(froms[0]) if froms else "", _id(tos[0]) if tos else "", tuple(ends)
    )


def class_of(relationship: Document) -> str:
    """The class of a relationship of a design."""
    return class_key(
        str(value_of(relationship, "kind") or ""),
        str(value_of(relationship, "type") or ""),
        str(value_of(relationship, "subType", "sub_type") or ""),
    )


def status_of(relationship: Document) -> str:
    """The status of a relationship in lower case."""
    return str(relationship.get("status") or "").lower()


def refs(item: Document, camel: str, snake: str) -> list[Path]:
    """The references of a selector's patch; none when one cannot be read."""
    found = value_of(value_of(item, "patch"), camel, snake)
    try:
        return [path_of(one) for one in found] if isinstance(found, list) else []
    except BadPath:
        return []


def signature(relationship: Document) -> frozenset[tuple[Path, Path]]:
    """Which values a relationship compares, whatever elements of arrays it means."""
    froms, tos = selector_items(relationship, "from"), selector_items(relationship, "to")
    if not froms or not tos:
        return frozenset()
    from_refs = refs(froms[0], "mutatorRef", "mutator_ref") or refs(froms[0], "mutatedRef", "mutated_ref")
    to_refs = refs(tos[0], "mutatedRef", "mutated_ref") or refs(tos[0], "mutatorRef", "mutator_ref")
    return general(zip(from_refs, to_refs, strict=False))


def patches(relationship: Document) -> list[Any]:
    """The patches of both selectors of a two-party relationship."""
    items = (*selector_items(relationship, "from")[:1], *selector_items(relationship, "to")[:1])
    return [item.get("patch") for item in items]


def _id(item: Any) -> str:
    value = value_of(item, "id")
    return value if isinstance(value, str) else ""
