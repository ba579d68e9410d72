"""The bare baseline of the evaluation: a hash join by hand over the same components and definitions.

It finds the same pairs (and triples, groups and aliases) and makes one dict per match, and nothing else: no ids, no
relationship documents, no actions, no trace, no second pass, no patches, no limits, nothing kept for a change. What
can be prepared from the definitions alone is prepared before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

Match = dict[str, Any]
Path = list[str]
Row = tuple[Any, ...]


@dataclass
class Rule:
    """One pair of selectors of a definition."""

    kind: str
    from_item: dict[str, Any]
    to_item: dict[str, Any]
    deny: dict[str, Any]
    from_paths: list[Path]
    to_paths: list[Path]
    mutator_is_from: bool
    maps: list[int]


def prepared(definitions: list[dict[str, Any]]) -> list[Rule]:
    """Definitions as the join wants them, apart from its time."""
    rules = []
    for one in definitions:
        for chosen in one["selectors"]:
            allow, deny = chosen["allow"], chosen.get("deny", {})
            for from_item in allow["from"]:
                for to_item in allow["to"]:
                    rules.append(_rule(one, from_item, to_item, deny))
    return [one for one in rules if one is not None]


def _rule(one: dict[str, Any], from_item: Any, to_item: Any, deny: Any) -> Rule | None:
    kind = "alias" if one["subType"] == "alias" else "sibling" if one["type"] == "sibling" else "pair"
    if "to" in from_item.get("match", {}):
        kind = "binding"
    patch_from, patch_to = from_item.get("patch", {}), to_item.get("patch", {})
    mutator_is_from = "mutatorRef" in patch_from
    names = ("mutatorRef", "mutatedRef") if mutator_is_from else ("mutatedRef", "mutatorRef")
    from_paths, to_paths = patch_from.get(names[0], []), patch_to.get(names[1], [])
    if kind == "pair" and not (from_paths and to_paths):
        return None
    matrix = from_item.get("matchStrategyMatrix", [])
    maps = [place for place, row in enumerate(matrix) if "to_contains_from" in row]
    return Rule(kind, from_item, to_item, deny, from_paths, to_paths, mutator_is_from, maps)


def joined(components: list[dict[str, Any]], rules: list[Rule]) -> list[Match]:
    """All matches."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for component in components:
        by_kind[component["component"]["kind"]].append(component)
    found: list[Match] = []
    for rule in rules:
        froms, tos = _members(by_kind, rule.from_item["kind"]), _members(by_kind, rule.to_item["kind"])
        if rule.kind == "alias":
            found += [
                {"to": component["id"], "at": at}
                for component in tos
                for at, _ in enumerate(_value(component, rule.from_paths[0][:-1]) or ())
            ]
        elif not froms or not tos:
            continue
        elif rule.kind == "pair":
            found += _maps_join(froms, tos, rule) if rule.maps else _join(froms, tos, rule)
        elif rule.kind == "binding":
            found += _binding(by_kind, froms, tos, rule)
        else:
            found += _siblings(froms, rule)
    return found


def _join(froms: list[dict[str, Any]], tos: list[dict[str, Any]], rule: Rule) -> Iterator[Match]:
    table: dict[Row, list[str]] = defaultdict(list)
    sources, source_paths = (froms, rule.from_paths) if rule.mutator_is_from else (tos, rule.to_paths)
    targets, target_paths = (tos, rule.to_paths) if rule.mutator_is_from else (froms, rule.from_paths)
    for source in sources:
        for row in _rows(source, source_paths):
            table[row].append(source["id"])
    denied = _denied(rule)
    kinds = {one["id"]: one["component"]["kind"] for one in sources} if denied else {}
    for target in targets:
        seen = set()
        target_id = target["id"]
        for row in _rows(target, target_paths):
            for source_id in table.get(row, ()):
                if source_id == target_id or source_id in seen:
                    continue
                if denied:
                    own, other = target["component"]["kind"], kinds[source_id]
                    if any(
                        a(other) and b(own) if rule.mutator_is_from else a(own) and b(other)
                        for a, b in denied
                    ):
                        continue
                seen.add(source_id)
                yield (
                    {"from": source_id, "to": target_id}
                    if rule.mutator_is_from
                    else {"from": target_id, "to": source_id}
                )


def _maps_join(froms: list[dict[str, Any]], tos: list[dict[str, Any]], rule: Rule) -> Iterator[Match]:
    """The from-side's mapping is inside of the to-side's; the other values are equal."""
    (place,) = rule.maps
    table: dict[Any, set[str]] = defaultdict(set)
    for one in tos:
        for row in _rows(one, rule.to_paths, place):
            for item in row[place].items():
                table[row[:place] + row[place + 1 :], item].add(one["id"])
    for one in froms:
        seen: set[str] = set()
        for row in _rows(one, rule.from_paths, place):
            rest = row[:place] + row[place + 1 :]
            sets = [table.get((rest, item)) for item in row[place].items()]
            if all(sets):
                seen |= set.intersection(*sets)  # type: ignore[arg-type]
        for to_id in seen:
            yield {"from": one["id"], "to": to_id}


def _binding(
    by_kind: dict[str, list[dict[str, Any]]],
    froms: list[dict[str, Any]],
    tos: list[dict[str, Any]],
    rule: Rule,
) -> Iterator[Match]:
    sides = []
    for item, parties in ((rule.from_item, froms), (rule.to_item, tos)):
        halves = [*item["match"]["from"], *item["match"]["to"]]
        own = next(one for one in halves if one["kind"] == "self")
        third = next(one for one in halves if one["kind"] != "self")
        paths = [one.get("mutatorRef") or one["mutatedRef"] for one in (own, third)]
        table: dict[Row, list[str]] = defaultdict(list)
        for party in parties:
            for row in _rows(party, paths[0]):
                table[row].append(party["id"])
        sides.append((table, paths[1], third["kind"]))
    (from_table, from_paths, kind), (to_table, to_paths, _) = sides
    for through in _members(by_kind, kind):
        first = {one for row in _rows(through, from_paths) for one in from_table.get(row, ())}
        if first:
            second = {one for row in _rows(through, to_paths) for one in to_table.get(row, ())}
            for from_id in first:
                for to_id in second:
                    yield {"from": from_id, "through": through["id"], "to": to_id}


def _siblings(members: list[dict[str, Any]], rule: Rule) -> list[Match]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in members:
        for item in (_value(one, rule.from_item["match"]["refs"][0]) or {}).items():
            groups[item].append(one["id"])
    shown = sorted(key for key, ids in groups.items() if len(ids) > 1)[:20]
    return [{"group": key, "members": groups[key][:500]} for key in shown]


def _members(by_kind: dict[str, list[dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    if kind == "*":
        return [one for group in by_kind.values() for one in group]
    return [one for name, group in by_kind.items() if re.fullmatch(kind, name) for one in group]


def _denied(rule: Rule) -> list[Any]:
    def test(kind: str) -> Any:
        return (lambda _: True) if kind == "*" else re.compile(kind).fullmatch

    return [
        (test(a["kind"]), test(b["kind"])) for a in rule.deny.get("from", []) for b in rule.deny.get("to", [])
    ]


def _rows(component: dict[str, Any], paths: list[Path], mapping: int = -1) -> list[Row]:
    """All ways in which the paths are filled; paths with the same prefix before `_` go through it together."""
    for path in paths:
        if "_" in path:
            break
    else:
        row = tuple([_value(component, path) for path in paths])
        return [_plain(row, mapping)] if _kept(row, mapping) else []
    if not _value(component, path[: path.index("_")]):
        return []
    found: list[Row] = []
    _walk(component, paths, [None] * len(paths), range(len(paths)), found)
    return [_plain(row, mapping) for row in found if _kept(row, mapping)]


def _kept(row: Row, mapping: int) -> bool:
    if mapping >= 0:
        return isinstance(row[mapping], dict) and bool(row[mapping])
    return any(one is not None for one in row)


def _plain(row: Row, mapping: int) -> Row:
    """A row that can be looked up: what is no scalar as JSON, but for the mapping that is compared by its entries."""
    for place, value in enumerate(row):
        if type(value) in (dict, list) and place != mapping:
            found = list(row)
            found[place] = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
            return _plain(tuple(found), mapping)
    return row


def _walk(node: Any, paths: list[Path], row: list[Any], places: Any, found: list[Row]) -> None:
    arrays: dict[tuple[str, ...], list[int]] = {}
    for place in places:
        path = paths[place]
        if "_" in path:
            arrays.setdefault(tuple(path[: path.index("_")]), []).append(place)
        else:
            row[place] = _value(node, path)
    if not arrays:
        found.append(tuple(row))
        return
    rows = [tuple(row)]
    for prefix, inner in arrays.items():
        elements = _value(node, list(prefix))
        next_rows = []
        rests = [path[len(prefix) + 1 :] for path in paths]
        for element in elements if type(elements) is list else ():
            for start in rows:
                part: list[Row] = []
                _walk(element, rests, list(start), inner, part)
                next_rows += [one for one in part if any(one[place] is not None for place in inner)]
        rows = next_rows
    found.extend(rows)


def _value(node: Any, path: Path) -> Any:
    for segment in path:
        if type(node) is not dict:
            return None
        node = node.get(segment)
    return node
