"""Every relationship that ships finds what belongs together, and nothing else, in a small design of its own.

A file of `examples/` has the name of the file of the relationship, a design in short, what the relationship relates in
it (exactly), and near misses that it must not relate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib.resources import files
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
import yaml

from meshery_registry.domain.entities import Package, RelationshipEntity
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.session import Session

_EXAMPLES = Path(__file__).parent / "examples"
_FILES = files("meshery_registry") / "content" / "kubernetes" / "relationships"
#: In the order in which they are read.
_NAMES = [name.removesuffix(".yaml") for name in sorted(one.name for one in _FILES.iterdir())]
#: Of an example's component: what stands beside the configuration, and what stands in its metadata.
_BESIDE = frozenset({"kind", "apiVersion", "name", "id", "model"})
_METADATA = ("namespace", "labels", "annotations", "ownerReferences")


def _document(one: RelationshipEntity) -> dict[str, Any]:
    model = {"name": "kubernetes"}
    return {**one.definition, "kind": one.kind, "type": one.type, "subType": one.sub_type, "model": model}


@pytest.fixture(scope="session")
def definitions(newest: Package) -> dict[str, dict[str, Any]]:
    """Each definition by the name of its file."""
    return {name: _document(one) for name, one in zip(_NAMES, newest.relationships, strict=True)}


@pytest.fixture(scope="session")
def everything(definitions: dict[str, dict[str, Any]]) -> Catalogue:
    """All definitions together."""
    return Catalogue(definitions.values())


def component(short: Mapping[str, Any]) -> dict[str, Any]:
    """A component of a design, out of the short form of the examples."""
    name = f"{short['kind']}/{short.get('id', short['name'])}"
    configuration = {key: value for key, value in short.items() if key not in (*_BESIDE, *_METADATA)}
    metadata = {key: short[key] for key in _METADATA if key in short}
    return {
        "id": str(uuid5(NAMESPACE_DNS, name)),
        "displayName": short["name"],
        "component": {"kind": short["kind"], "version": short.get("apiVersion", "v1")},
        "model": {"name": short.get("model", "kubernetes")},
        "metadata": {"calledInExample": name},
        "configuration": {**configuration, **({"metadata": metadata} if metadata else {})},
    }


def design(example: Mapping[str, Any]) -> dict[str, Any]:
    """The design of an example."""
    return {
        "name": "example",
        "version": "0.0.1",
        "components": [component(one) for one in example["components"]],
        "relationships": [],
    }


def related(evaluated: Mapping[str, Any], definition: Mapping[str, Any]) -> list[str]:
    """What an evaluated design relates in the class of a definition, as the examples write it."""
    names = {
        one["id"]: one.get("metadata", {}).get("calledInExample")
        or f"{one['component']['kind']}/{one['displayName']}"
        for one in evaluated["components"]
    }
    found = []
    for one in evaluated["relationships"]:
        if any(one[key] != definition[key] for key in ("kind", "type", "subType")):
            continue
        allowed = one["selectors"][0]["allow"]
        sides = (sorted(names[item["id"]] for item in allowed[side]) for side in ("from", "to"))
        found.append(" -> ".join(", ".join(side) for side in sides))
    return sorted(found)


@pytest.mark.parametrize("name", _NAMES)
def test_what_belongs_together_is_found_and_near_misses_are_not(
    definitions: dict[str, dict[str, Any]], everything: Catalogue, name: str
) -> None:
    file = _EXAMPLES / f"{name}.yaml"
    assert file.is_file(), f"write {file.name}: a design, what is related in it, and near misses"
    example = yaml.safe_load(file.read_text())
    drawn = definitions[name]["metadata"]["isAnnotation"]
    assert drawn or example["related"]
    assert example["unrelated"]
    session = Session(Catalogue([definitions[name]]), design(example))
    found = related(session.design(), definitions[name])
    assert found == sorted(example["related"])
    assert not set(found) & set(example["unrelated"])
    # Together with all others it finds the same, and a second look finds nothing more.
    evaluated = Session(everything, design(example)).design()
    assert set(related(evaluated, definitions[name])) >= set(found)
    again = Session(everything, evaluated)
    assert again.first.actions == []


def test_no_example_is_left_of_a_relationship_that_is_gone() -> None:
    assert {file.stem for file in _EXAMPLES.glob("*.yaml")} == set(_NAMES)


_KIND = ["component", "kind"]
_NAMESPACE = ["configuration", "metadata", "namespace"]


@pytest.mark.parametrize("name", _NAMES)
def test_each_pair_of_selectors_relates_equal_values_and_no_others(
    definitions: dict[str, dict[str, Any]], name: str
) -> None:
    """All the ways in which a file relates two kinds, also those that its example leaves out."""
    catalogue = Catalogue([definitions[name]])
    for first, second in _pairs(definitions[name]):
        values = _values(first, second)
        for left, right in product(_filled("from", first, values), _filled("to", second, values)):
            _name_kinds(left, _references(first), right, _references(second))
            assert _relates(catalogue, left, right), (left, right)
            for number, path in enumerate(_references(second)):
                if values[number] is None:
                    # What was left out says something else now.
                    assert not any(
                        _relates(catalogue, *pair) for pair in _said(left, first, right, second, number)
                    )
                elif path != _KIND:
                    other = deepcopy(right)
                    _put(other, path, {"other": "value"} if isinstance(values[number], dict) else "another")
                    assert not _relates(catalogue, left, other), (left, other)


def _pairs(definition: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The selectors that are compared with each other; an alias compares nothing, a binding has a third party."""
    for selectors in definition["selectors"] if definition["subType"] != "alias" else ():
        for first, second in product(selectors["allow"]["from"], selectors["allow"]["to"]):
            if "patch" in first and "patch" in second:
                yield first, second


def _references(item: Mapping[str, Any]) -> list[list[str]]:
    patch = item["patch"]
    return list(patch.get("mutatorRef") or patch["mutatedRef"])


def _values(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Any]:
    """A value for each pair of references, the same where one of both is the same; None for what is left out."""
    pairs = list(zip(_references(first), _references(second), strict=True))
    strategies = first.get("matchStrategyMatrix", [["equal"]] * len(pairs))
    values: list[Any] = []
    for number, pair in enumerate(pairs):
        same = (at for at, other in enumerate(pairs[:number]) if pair[0] == other[0] or pair[1] == other[1])
        value = {"app": "web"} if "to_contains_from" in strategies[number] else f"value-{next(same, number)}"
        values.append(None if "one_null" in strategies[number] else value)
    return values


def _said(
    left: Mapping[str, Any],
    first: Mapping[str, Any],
    right: Mapping[str, Any],
    second: Mapping[str, Any],
    number: int,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pair with something at a reference that was left out, on whichever side that is."""
    for side, item in ((left, first), (right, second)):
        path = _references(item)[number]
        if path not in (_NAMESPACE, ["displayName"]):
            changed = deepcopy(dict(side))
            _put(changed, path, "another")
            yield (changed, dict(right)) if side is left else (dict(left), changed)


def _filled(side: str, item: Mapping[str, Any], values: list[Any]) -> Iterator[dict[str, Any]]:
    """A component of each kind of a selector with these values at its references."""
    for kind in item["kind"].replace("*", "Anything").split("|"):
        made: dict[str, Any] = {
            "id": str(uuid5(NAMESPACE_DNS, f"{side} {kind}")),
            "displayName": side,
            "component": {"kind": kind, "version": "v1"},
            "model": {"name": item.get("model", {}).get("name", "*").replace("*", "some")},
            "configuration": {},
        }
        for path, value in zip(_references(item), values, strict=True):
            if path != _KIND and value is not None:
                _put(made, path, value)
        yield made


def _name_kinds(
    left: dict[str, Any], of_left: list[list[str]], right: dict[str, Any], of_right: list[list[str]]
) -> None:
    """Where a kind is compared, the other side names it."""
    for own, other in zip(of_left, of_right, strict=True):
        if own == _KIND:
            _put(right, other, left["component"]["kind"])
        elif other == _KIND:
            _put(left, own, right["component"]["kind"])


def _put(node: dict[str, Any], path: list[str], value: Any) -> None:
    """Write a value; `_` is the first element of an array."""
    for segment, following in pairwise(path):
        if segment != "_":
            inner: Any = node.setdefault(segment, [{}] if following == "_" else {})
            node = inner[0] if isinstance(inner, list) else inner
    node[path[-1]] = value


def _relates(catalogue: Catalogue, left: dict[str, Any], right: dict[str, Any]) -> bool:
    session = Session(catalogue, {"name": "pair", "components": [left, right], "relationships": []})
    for one in session.design()["relationships"]:
        allowed = one["selectors"][0]["allow"]
        if [allowed[side][0]["id"] for side in ("from", "to")] == [left["id"], right["id"]]:
            return True
    return False
