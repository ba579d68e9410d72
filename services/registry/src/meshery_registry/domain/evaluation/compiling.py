"""Relationship definitions of every generation, compiled once for all evaluations.

A definition whose paths, kinds or strategies cannot be read is refused with the reason; the others go on. The class
of a definition follows from its shape: what it compares decides how it is evaluated, its names only where two
classes look alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from meshery_registry.domain.evaluation import namespaces, patterns, strategies
from meshery_registry.domain.evaluation.definitions import (
    ALIAS,
    ALIAS_CLASS,
    BINDING,
    EDGE,
    INVENTORY,
    POLICIES,
    SELF,
    SIBLING,
    WALLET,
    WRITABLE,
    Alias,
    Binding,
    Definition,
    Document,
    Pairing,
    Siblings,
    class_key,
    value_of,
)
from meshery_registry.domain.evaluation.paths import EVERY, BadPath, Path, path_of
from meshery_registry.domain.evaluation.sides import Selector, Side, Use
from meshery_registry.domain.evaluation.strategies import Strategies

SCHEMA_VERSION: Final = "relationships.meshery.io/v1beta3"
_DEFAULT: Final = (strategies.EQUAL,)


class BadDefinition(ValueError):
    """A definition that is not evaluated; the text says why."""


@dataclass(frozen=True)
class Compiled:
    """Definitions ready to be evaluated, and one text for each that is not."""

    definitions: tuple[Definition, ...] = ()
    refused: tuple[str, ...] = field(default=())


def compiled(documents: Iterable[Document]) -> Compiled:
    """Compile definitions; equal ones (of several versions of a model) are one. The order is by content."""
    found: dict[str, Definition] = {}
    refused = []
    for document in documents:
        try:
            for one in _definitions(document):
                found.setdefault(one.key, one)
        except (BadDefinition, BadPath, patterns.BadPattern) as error:
            refused.append(f"{_name(document)}: {error}")
    ordered = sorted(found.values(), key=_order)
    return Compiled(tuple(ordered), tuple(sorted(set(refused))))


def kinds_to_add(documents: Iterable[Document]) -> list[str]:
    """The kinds of components that an evaluation may add: parents that are missing, and aliases."""
    kinds = set()
    for one in compiled(documents).definitions:
        if isinstance(one, Alias):
            kinds.add(one.from_selector.kind)
        elif isinstance(one, Pairing) and one.policy == INVENTORY:
            kinds.add((one.from_selector if one.mutator_is_from else one.to_selector).kind)
    return sorted(kind for kind in kinds if patterns.is_plain(kind))


def _order(one: Definition) -> tuple[int, int, str]:
    # Who compares more comes first: a parent that is missing is then made with all that is known of it.
    compared = len(one.strategies) if isinstance(one, Pairing) else 0
    return POLICIES.index(one.policy), -compared, one.key


def _name(document: Any) -> str:
    parts = [
        value_of(document, "kind"),
        value_of(document, "type"),
        value_of(document, "subType", "sub_type"),
    ]
    return " ".join(str(one)[:60] for one in parts if one) or "a definition"


def _definitions(document: Document) -> Iterable[Definition]:
    kind, type_ = str(value_of(document, "kind") or ""), str(value_of(document, "type") or "")
    sub_type = str(value_of(document, "subType", "sub_type") or "")
    for selector_set in _list(value_of(document, "selectors"), "selectors"):
        allow, deny = value_of(selector_set, "allow"), value_of(selector_set, "deny")
        denied = tuple(
            (_selector(a), _selector(b))
            for a in _list(value_of(deny, "from"), "deny.from")
            for b in _list(value_of(deny, "to"), "deny.to")
        )
        for from_item in _list(value_of(allow, "from"), "allow.from"):
            for to_item in _list(value_of(allow, "to"), "allow.to"):
                one = _definition(_Raw(document, kind, type_, sub_type, from_item, to_item, denied))
                if one is not None:
                    yield one


@dataclass(frozen=True)
class _Raw:
    """One pair of selectors of a document."""

    document: Document
    kind: str
    type: str
    sub_type: str
    from_item: Document
    to_item: Document
    denied: tuple[tuple[Selector, Selector], ...]

    def common(self, policy: str, *compared: object) -> dict[str, Any]:
        """What every class of definition has."""
        from_selector, to_selector = _selector(self.from_item), _selector(self.to_item)
        content = [
            class_key(self.kind, self.type, self.sub_type),
            [[one.kind, one.model] for one in (from_selector, to_selector)],
            [[a.kind, a.model, b.kind, b.model] for a, b in self.denied],
            compared,
        ]
        return {
            "key": hashlib.blake2b(orjson.dumps(content), digest_size=16).hexdigest(),
            "policy": policy,
            "kind": self.kind,
            "type": self.type,
            "sub_type": self.sub_type,
            "from_selector": from_selector,
            "to_selector": to_selector,
            "shared": _shared(self),
            "from_shared": _shared_selector(self.from_item),
            "to_shared": _shared_selector(self.to_item),
            "denied": self.denied,
        }


def _definition(raw: _Raw) -> Definition | None:
    """The definition of one pair of selectors; none when it compares nothing, and people draw it themselves."""
    if "sibling" in (raw.kind.lower(), raw.type.lower()):
        refs = tuple(_paths(raw.from_item, "refs") or _paths(raw.to_item, "refs"))
        return Siblings(**raw.common(SIBLING, refs), refs=refs) if refs else None
    if class_key(raw.kind, raw.type, raw.sub_type) == ALIAS_CLASS:
        paths = _patch_paths(raw.from_item, "mutatorRef", "mutator_ref")
        if paths and (len(paths[0]) < 2 or paths[0][0] != "configuration"):
            raise BadDefinition(
                "an alias is a part of a configuration: its reference begins with it and goes on"
            )
        return Alias(**raw.common(ALIAS, paths[0]), path=paths[0]) if paths else None
    if value_of(value_of(raw.from_item, "match"), "to"):
        return _binding(raw)
    return _pairing(raw)


def _pairing(raw: _Raw) -> Pairing | None:
    mutator = _patch_paths(raw.from_item, "mutatorRef", "mutator_ref")
    mutated = _patch_paths(raw.to_item, "mutatedRef", "mutated_ref")
    mutator_is_from = bool(mutator and mutated)
    if not mutator_is_from:
        mutator = _patch_paths(raw.to_item, "mutatorRef", "mutator_ref")
        mutated = _patch_paths(raw.from_item, "mutatedRef", "mutated_ref")
    count = min(len(mutator), len(mutated))
    if not count:
        return None
    for path in mutated[:count]:
        if path[0] not in WRITABLE:
            raise BadDefinition(f"it may write only under {', '.join(WRITABLE)}, not {'.'.join(path)}")
    froms, tos = (mutator, mutated) if mutator_is_from else (mutated, mutator)
    held = tuple(_strategies(raw.from_item, number) for number in range(count))
    compared = [_compared(*one) for one in zip(held, froms, tos, strict=False)]
    from_side, to_side = (
        _side(paths, [one[at] for one in compared]) for at, paths in enumerate((froms, tos))
    )
    inner = {"inventory": INVENTORY, "wallet": WALLET}.get(raw.sub_type.lower(), EDGE)
    policy = inner if raw.kind.lower() == "hierarchical" else EDGE
    return Pairing(
        **raw.common(policy, froms[:count], tos[:count], held, mutator_is_from),
        from_side=from_side,
        to_side=to_side,
        strategies=held,
        mutator_is_from=mutator_is_from,
    )


def _binding(raw: _Raw) -> Binding:
    from_match, to_match = value_of(raw.from_item, "match"), value_of(raw.to_item, "match")
    own_from, third_from = _match(from_match, "from.match")
    third_to, own_to = _match(to_match, "to.match", self_first=False)
    through = _selector(third_from)
    if _selector(third_to).kind != through.kind:
        raise BadDefinition("both of its matches must name the same third kind")
    sides = []
    for own, third in ((own_from, third_from), (own_to, third_to)):
        ours, theirs = _refs(own), _refs(third)
        count = min(len(ours), len(theirs))
        if not count:
            raise BadDefinition("a match needs references on both sides")
        compared = [_compared(_DEFAULT, *one) for one in zip(ours, theirs, strict=False)]
        sides += [_side(paths, [one[at] for one in compared]) for at, paths in enumerate((ours, theirs))]
    return Binding(
        **raw.common(BINDING, through.kind, through.model, [one.paths for one in sides]),
        through=through,
        from_side=sides[0],
        through_from_side=sides[1],
        to_side=sides[2],
        through_to_side=sides[3],
    )


def _match(match: Any, name: str, *, self_first: bool = True) -> tuple[Document, Document]:
    """The own and the third party's half of a match, in the order in which the match lists them."""
    items = [one for part in ("from", "to") for one in _list(value_of(match, part), f"{name}.{part}")]
    own = [one for one in items if str(value_of(one, "kind")).lower() == SELF]
    third = [one for one in items if str(value_of(one, "kind")).lower() != SELF]
    if len(own) != 1 or len(third) != 1:
        raise BadDefinition(f"{name} names `self` once and one other kind once")
    return (own[0], third[0]) if self_first else (third[0], own[0])


def _side(paths: Sequence[Path], compared: Sequence[tuple[Use, bool]]) -> Side:
    uses, needed = zip(*compared, strict=True)
    return Side(tuple(paths[: len(compared)]), uses, needed)


def _compared(held: Strategies, from_path: Path, to_path: Path) -> tuple[tuple[Use, bool], tuple[Use, bool]]:
    """What each side's value is compared for, and whether it must be there."""
    needed = strategies.NOT_NULL in held
    from_implied, to_implied = namespaces.implied(held, from_path, to_path)
    from_use, to_use = _uses(held)
    return (
        (Use.NAMESPACE if from_implied and from_use is Use.KEY else from_use, needed and not from_implied),
        (Use.NAMESPACE if to_implied and to_use is Use.KEY else to_use, needed and not to_implied),
    )


def _uses(held: Strategies) -> tuple[Use, Use]:
    if strategies.EQUAL in held:
        return Use.KEY, Use.KEY
    if strategies.AS_TEXT in held:
        return Use.TEXT, Use.TEXT
    if strategies.CONTAINED in held:
        return Use.SMALL, Use.LARGE
    return Use.PRESENT, Use.PRESENT


def _strategies(item: Document, number: int) -> Strategies:
    matrix = value_of(item, "matchStrategyMatrix", "match_strategy_matrix")
    row = matrix[number] if isinstance(matrix, list) and number < len(matrix) else None
    if not isinstance(row, list) or not row:
        return _DEFAULT
    unknown = [str(one)[:40] for one in row if one not in strategies.ALL]
    if unknown:
        raise BadDefinition(
            f"the strategy {unknown[0]!r} is unknown; there are {', '.join(sorted(strategies.ALL))}"
        )
    return tuple(sorted(set(row)))


def _selector(item: Any) -> Selector:
    kind = str(value_of(item, "kind") or patterns.ANY)
    patterns.check(kind)
    model = value_of(item, "model") or value_of(item, "modelReference", "model_reference")
    name = str(value_of(model, "name") or "")
    return Selector(kind, "" if name == patterns.ANY else name)


def _patch_paths(item: Document, camel: str, snake: str) -> list[Path]:
    return [path_of(one) for one in _list(value_of(value_of(item, "patch"), camel, snake), camel)]


def _refs(item: Document) -> list[Path]:
    refs = value_of(item, "mutatorRef", "mutator_ref") or value_of(item, "mutatedRef", "mutated_ref")
    return [path_of(one) for one in _list(refs, "match")]


def _paths(item: Document, name: str) -> list[Path]:
    match = value_of(item, "match")
    refs = match if isinstance(match, list) else value_of(match, name)
    found = [path_of(one) for one in _list(refs, name)]
    if any(EVERY in path for path in found):
        raise BadDefinition("siblings share an entry of a mapping: `_` has no meaning there")
    return found


def _list(value: Any, name: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadDefinition(f"{name} must be a list")
    return value


def _shared(raw: _Raw) -> Document:
    """What every instance has of its definition: who made it and how it looks, without texts and drawings."""
    document = raw.document
    metadata = value_of(document, "metadata")
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    metadata.pop("description", None)
    styles = metadata.get("styles")
    if isinstance(styles, Mapping):
        metadata["styles"] = {key: one for key, one in styles.items() if not str(key).startswith("svg")}
    model = value_of(document, "model") or value_of(document, "modelReference", "model_reference")
    return {
        "schemaVersion": SCHEMA_VERSION,
        "version": str(value_of(document, "version") or "v1.0.0"),
        "kind": raw.kind,
        "type": raw.type,
        "subType": raw.sub_type,
        "status": "approved",
        "model": model if isinstance(model, Mapping) else {},
        "metadata": metadata,
    }


def _shared_selector(item: Document) -> Document:
    model = value_of(item, "model") or value_of(item, "modelReference", "model_reference")
    shared: dict[str, Any] = {"kind": str(value_of(item, "kind") or patterns.ANY)}
    if isinstance(model, Mapping):
        shared["model"] = model
    for camel, snake in (("patch", ""), ("match", ""), ("matchStrategyMatrix", "match_strategy_matrix")):
        value = value_of(item, camel, snake)
        if value is not None:
            shared[camel] = value
    return shared
