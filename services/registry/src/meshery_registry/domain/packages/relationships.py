"""Relationship definitions of every generation (`relationships.meshery.io/v1alpha2` to `/v1beta3`), in one shape.

Selectors come out in the newest spelling, without ids and without what says nothing; a key that no schema knows
stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from meshery_registry.domain.entities import RelationshipEntity
from meshery_registry.domain.names import DEFINITION_VERSION
from meshery_registry.domain.packages import oldest
from meshery_registry.domain.packages.fields import (
    OF_ONE_SERVER,
    Document,
    Unreadable,
    mapping,
    mappings,
    named,
    one_of,
    text,
    value,
    without,
)

STATUSES = ("enabled", "ignored", "deleted", "approved", "pending")

#: Told by the entity, or newly made when it is written.
_NOT_KEPT: Final = frozenset(
    {
        *OF_ONE_SERVER,
        *("schemaVersion", "schema_version", "kind", "type", "subType", "sub_type", "status"),
        *("model", "modelReference", "model_reference", "evaluation_query", "apiVersion"),
    }
)
_SPELLED: Final = {
    "match_strategy_matrix": "matchStrategyMatrix",
    "patch_strategy": "patchStrategy",
    "mutator_ref": "mutatorRef",
    "mutated_ref": "mutatedRef",
    "display_name": "displayName",
}


def relationship_entity(document: Document) -> RelationshipEntity:
    """A relationship. Raises Unreadable."""
    if text(document, "schemaVersion") == oldest.RELATIONSHIP and not text(document, "type"):
        document = {**document, "type": oldest.type_of(document)}
    kind, type_, sub_type = (_word(document, key) for key in ("kind", "type", "subType"))
    selectors = [_selector_set(one) for one in mappings(document, "selectors")]
    if not selectors:
        raise Unreadable("It has no selectors: it would relate nothing.", "Give it at least one `allow`.")
    definition = without(document, _NOT_KEPT)
    if definition.get("version") == DEFINITION_VERSION:
        del definition["version"]
    definition |= {
        "metadata": without(mapping(document, "metadata"), ()),
        "capabilities": list(mappings(document, "capabilities")),
        "evaluationQuery": text(document, "evaluationQuery"),
        "selectors": selectors,
    }
    status = one_of(text(document, "status"), STATUSES, "enabled")
    return RelationshipEntity(kind=kind, type=type_, sub_type=sub_type, definition=definition, status=status)


def _word(document: Document, key: str) -> str:
    """One of the three words of a class, which are compared in small letters."""
    return named(document, key, key).lower().replace(" ", "-")


def _selector_set(found: Document) -> dict[str, Any]:
    allow = _selector(mapping(found, "allow"))
    if not allow.get("from") or not allow.get("to"):
        raise Unreadable(
            "A selector allows nothing: `allow` has no `from` or no `to`.",
            "Name at least one kind on both sides; `*` is any.",
        )
    written = {**without(found, ("allow", "deny")), "allow": allow}
    if deny := _selector(mapping(found, "deny")):
        written["deny"] = deny
    return written


def _selector(found: Document) -> dict[str, Any]:
    sides = {side: [_item(one) for one in mappings(found, side)] for side in ("from", "to")}
    return {**without(found, sides), **{side: items for side, items in sides.items() if items}}


def _item(found: Document) -> dict[str, Any]:
    """One kind on one side: what it is compared with, and what is written into it."""
    item = _spelled(without(found, OF_ONE_SERVER))
    if "model" in item:
        model = item["model"]
        item["model"] = _model_reference(
            {"name": model} if isinstance(model, str) else mapping(item, "model")
        )
    if "matchStrategyMatrix" in item:
        item["matchStrategyMatrix"] = _matrix(item["matchStrategyMatrix"])
    if "patch" in item:
        item["patch"] = _references(mapping(item, "patch"))
    if "match" in item:
        item["match"] = _match(item["match"])
    return {key: one for key, one in item.items() if one or key not in ("model", "patch", "match")}


def _match(found: Any) -> dict[str, Any]:
    if isinstance(found, list):
        return {"refs": _paths(found)}
    match = without(found, OF_ONE_SERVER) if isinstance(found, dict) else {}
    if "refs" in match:
        match["refs"] = _paths(match["refs"])
    for side in ("from", "to"):
        if side in match:
            match[side] = [_references(without(one, OF_ONE_SERVER)) for one in mappings(match, side)]
    return match


def _references(found: Document) -> dict[str, Any]:
    written = _spelled(without(found, ()))
    for key in ("mutatorRef", "mutatedRef"):
        if key in written:
            written[key] = _paths(written[key])
    return written


def _paths(found: Any) -> list[list[str]]:
    """Paths as lists of segments; one that stands alone is a list of one."""
    if not isinstance(found, list):
        return []
    if found and not any(isinstance(one, list) for one in found):
        found = [found]
    return [[str(segment) for segment in path] for path in found if isinstance(path, list)]


def _matrix(found: Any) -> list[list[str]]:
    """Strategies by position; a single one may stand without its list."""
    rows: Iterable[Any] = found if isinstance(found, list) else ()
    return [[str(one) for one in row] if isinstance(row, list) else [str(row)] for row in rows]


def _model_reference(found: Document) -> dict[str, Any]:
    reference = _spelled(without(found, OF_ONE_SERVER))
    registrant = mapping(found, "registrant")
    reference.pop("registrant", None)
    if text(registrant, "kind"):
        reference["registrant"] = {"kind": text(registrant, "kind")}
    if value(found, "model") is not None:
        reference["model"] = without(mapping(found, "model"), ())
    return reference


def _spelled(found: Document) -> dict[str, Any]:
    return {_SPELLED.get(key, key): one for key, one in found.items()}
