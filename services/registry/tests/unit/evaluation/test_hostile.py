"""Designs and definitions that mean no good: an error that says where, or a result within the limits, in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from meshery_contracts.errors import Invalid, TooLarge
from meshery_registry.domain.evaluation import pairings, patterns, siblings
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.paths import MAX_WAYS, BadPath, value_at, with_value, without
from meshery_registry.domain.evaluation.session import Change, Session

#: Far more than any of these takes on a busy machine; without the limits they take minutes.
SECONDS = 20.0
LABELS, SELECTOR = ["configuration", "labels"], ["configuration", "selector"]


@contextmanager
def in_time() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS


def component(component_id: str, kind: str, configuration: Any = None, name: str = "x") -> dict[str, Any]:
    return {
        "id": component_id,
        "displayName": name,
        "component": {"kind": kind},
        "configuration": {} if configuration is None else configuration,
    }


def pairing(from_: dict[str, Any], to: dict[str, Any], **more: Any) -> dict[str, Any]:
    selectors = [{"allow": {"from": [from_], "to": [to]}, **more}]
    return {"kind": "edge", "type": "non-binding", "subType": "network", "selectors": selectors}


def mutator(kind: str, *paths: list[str], matrix: list[list[str]] | None = None) -> dict[str, Any]:
    return {"kind": kind, "patch": {"mutatorRef": list(paths)}, "matchStrategyMatrix": matrix or []}


def mutated(kind: str, *paths: list[str]) -> dict[str, Any]:
    return {"kind": kind, "patch": {"mutatedRef": list(paths)}}


def evaluated(
    definitions: list[Any], components: list[Any], relationships: list[Any] | None = None
) -> Session:
    catalogue = Catalogue(definitions)
    assert not catalogue.refused
    return Session(catalogue, {"components": components, "relationships": relationships or []})


NETWORK = pairing(mutator("Service", SELECTOR, matrix=[["to_contains_from"]]), mutated("Pod", LABELS))


def test_empty_selectors_select_nothing() -> None:
    services = [component(f"s{n}", "Service", {"selector": {}}) for n in range(1000)]
    pods = [component(f"p{n}", "Pod", {"labels": {"app": "x"}}) for n in range(1000)]
    with in_time():
        assert evaluated([NETWORK], services + pods).first.actions == []


@pytest.mark.parametrize("strategy", ["to_contains_from", "equal", "not_null"])
def test_a_thousand_times_a_thousand_is_cut_off_and_told(strategy: str) -> None:
    definition = pairing(mutator("Service", SELECTOR, matrix=[[strategy]]), mutated("Pod", LABELS))
    services = [component(f"s{n}", "Service", {"selector": {"app": "x"}}) for n in range(1000)]
    pods = [component(f"p{n}", "Pod", {"labels": {"app": "x"}}) for n in range(1000)]
    with in_time():
        session = evaluated([definition], services + pods)
        design = session.design()
        assert len(design["relationships"]) == pairings.MAX_PER_DEFINITION
        assert "too many components" in session.first.trace["warnings"][0]
        again = evaluated([definition], design["components"][::-1], design["relationships"])
        assert again.first.actions == []
        change = Change(components=(component("p7", "Pod", {"labels": {"app": "y"}}, "renamed"),))
        assert session.change(change).trace["warnings"] != []


def test_selectors_that_share_every_entry_but_not_together() -> None:
    bits = range(12)
    services = [
        component(f"s{n}", "Service", {"selector": {f"k{bit}": "v" for bit in bits if n >> bit & 1}})
        for n in range(1, 2500)
    ]
    pods = [
        component(f"p{n}", "Pod", {"labels": {f"k{bit}": "v" for bit in bits if n >> bit & 1}})
        for n in range(1, 2500)
    ]
    with in_time():
        session = evaluated([NETWORK], services + pods)
        assert len(session.design()["relationships"]) == pairings.MAX_PER_DEFINITION


def test_everything_is_denied() -> None:
    anything = {"kind": "*"}
    definition = pairing(
        mutator("*", ["displayName"]), mutated("*", SELECTOR), deny={"from": [anything], "to": [anything]}
    )
    components = [component(f"c{n}", f"Kind{n % 7}", {"selector": "x"}) for n in range(5000)]
    with in_time():
        assert not evaluated([definition], components).design()["relationships"]


def test_thousands_with_the_same_label() -> None:
    item = {"kind": "*", "match": {"refs": [LABELS]}}
    definition = {**pairing(item, item), "type": "sibling"}
    components = [component(f"c{n:04}", "Pod", {"labels": {"app": "x"}}) for n in range(4000)]
    with in_time():
        session = evaluated([definition], components)
        (group,) = session.design()["relationships"]
        assert len(group["selectors"][0]["allow"]["from"]) == siblings.MAX_MEMBERS
        assert "more than" in session.first.trace["warnings"][0]


def test_arrays_in_arrays_are_walked_through_to_a_limit() -> None:
    path = ["configuration", *["_"] * 6, "name"]
    inside: Any = [{"name": "x"}] * 8
    for _ in range(5):
        inside = [inside] * 8
    definition = pairing(mutator("A", ["displayName"]), mutated("B", path))
    with in_time():
        session = evaluated([definition], [component("a", "A"), component("b", "B", inside)])
        (related,) = session.design()["relationships"]
        refs = related["selectors"][0]["allow"]["to"][0]["patch"]["mutatedRef"]
        assert len(refs) == MAX_WAYS


def test_two_arrays_side_by_side() -> None:
    paths = [["configuration", name, "_"] for name in ("one", "two", "three")]
    definition = pairing(mutator("A", *[["displayName"]] * 3), mutated("B", *paths))
    configuration = {name: ["x"] * 1000 for name in ("one", "two", "three")}
    with in_time():
        session = evaluated([definition], [component("a", "A"), component("b", "B", configuration)])
        assert len(session.design()["relationships"]) == 1


def test_parents_that_are_missing_stay_within_the_design_s_limit() -> None:
    definition = {
        **pairing(mutated("*", ["configuration", "in"]), mutator("Folder", ["displayName"])),
        "kind": "hierarchical", "type": "parent", "subType": "inventory",
    }  # fmt: skip
    components = [component(f"c{n}", "File", {"in": f"folder-{n}"}) for n in range(4990)]
    with in_time():
        session = evaluated([definition], components)
        assert len(session.design()["components"]) == 5000
        assert any("5,000 components" in one for one in session.first.trace["warnings"])


def test_values_that_go_round_in_a_circle_come_to_an_end() -> None:
    kinds = "ABCDE"
    path = ["configuration", "v"]
    definitions = [
        {**pairing(mutator(kind, path), mutated(kinds[number - 1], path)), "subType": kind}
        for number, kind in enumerate(kinds)
    ]
    components = [component(kind, kind, {"v": 0}) for kind in kinds]
    session = evaluated(definitions, components)
    assert len(session.design()["relationships"]) == len(kinds)
    differing = tuple(component(kind, kind, {"v": number}) for number, kind in enumerate(kinds))
    with in_time():
        session.change(Change(components=differing))
        assert len({one["configuration"]["v"] for one in session.design()["components"]}) == 1
        assert session.change(Change()).actions == []


@pytest.mark.parametrize("holds", [0, 2000])
def test_thousands_want_the_same_place(holds: int) -> None:
    """Relationships that were approved before, all of which write to one value."""
    sources = [component(f"s{n:04}", "A", name="held" if n < holds else f"name-{n}") for n in range(4000)]
    lines = [
        {
            **pairing(
                {**mutator("A", ["displayName"]), "id": one["id"]}, {**mutated("B", SELECTOR), "id": "b"}
            ),
            "id": f"line-{one['id']}",
            "status": "approved",
        }
        for one in sources
    ]
    with in_time():
        session = evaluated([], [*sources, component("b", "B", {"selector": "held"})], lines)
        assert len(session.first.actions) == (0 if holds else 1)
        assert len(session.first.trace["warnings"]) == 1000


def test_a_part_that_holds_itself() -> None:
    definition = {
        **pairing(mutator("Box", ["configuration", "inside"]), mutated("Box", ["configuration", "inside"])),
        "kind": "hierarchical", "type": "parent", "subType": "alias",
    }  # fmt: skip
    inside: dict[str, Any] = {}
    for _ in range(50):
        inside = {"inside": inside, "v": 1}
    with in_time():
        session = evaluated([definition], [component("box", "Box", inside)])
        assert 1 < len(session.design()["components"]) < 20


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(a|a)*", "a*a*a*a*a*", "[", "(?=a)", "a{1,5000}", "\\1", "x" * 201 + "."]
)
def test_patterns_that_could_take_forever_are_refused(pattern: str) -> None:
    catalogue = Catalogue([pairing(mutator(pattern, SELECTOR), mutated("Pod", LABELS))])
    assert len(catalogue.refused) == 1
    assert catalogue.definitions == ()


def test_patterns_that_are_read_are_quick_on_long_kinds() -> None:
    with in_time():
        assert not patterns.matches(".*a.*a.*b", "a" * 255)
        assert not patterns.matches(".*", "a" * 256)
    assert patterns.matches("Replica(Set|tionController)", "ReplicaSet")
    assert not patterns.matches("Pod.?", "PodTemplate")


@pytest.mark.parametrize(
    "configuration",
    [
        [],
        "text",
        7,
        {"labels": []},
        {"labels": "x"},
        {"labels": {"app": {"deep": [1, 2]}}},
        {"labels": {"app": None}},
    ],
)
def test_values_of_any_shape_are_read(configuration: Any) -> None:
    item = {"kind": "*", "match": {"refs": [LABELS]}}
    definitions = [
        NETWORK,
        {**pairing(item, item), "type": "sibling"},
        pairing(mutator("*", LABELS), mutated("*", LABELS)),
    ]
    components = [component(str(n), kind, configuration) for n, kind in enumerate(["Service", "Pod", "Pod"])]
    session = evaluated(definitions, [*components, {"id": "bare"}])
    design = session.design()
    assert evaluated(definitions, design["components"], design["relationships"]).first.actions == []


def test_values_nested_as_deeply_as_can_be() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    definition = pairing(mutator("A", ["configuration", "v"]), mutated("B", ["configuration", "v"]))
    components = [
        component("a", "A", {"v": deep}),
        component("b", "B", {"v": deep}),
        component("c", "B", {"v": [deep]}),
    ]
    session = evaluated([definition], components)
    assert len(session.design()["relationships"]) == 1


@pytest.mark.parametrize(
    "document",
    [None, 7, [], "x", {}, {"selectors": [7]}, {"selectors": [{"allow": {"from": [1], "to": [2]}}]},
     {"selectors": [{"allow": {"from": [{"patch": []}], "to": [{"patch": 7}]}}]},
     {"selectors": [{"allow": {"from": [{"patch": {"mutatorRef": [[]]}}], "to": [mutated("B", ["a"])]}}]},
     {"selectors": [{"allow": {"from": [{"match": {"to": 7}}], "to": [{}]}}]},
     {"kind": "sibling", "selectors": [{"allow": {"from": [{"match": {"refs": [["a", "_"]]}}], "to": [{}]}}]}],
)  # fmt: skip
def test_definitions_of_any_shape_are_read_or_refused(document: Any) -> None:
    good = pairing(mutator("A", ["displayName"]), mutated("B", ["configuration", "v"]))
    catalogue = Catalogue([document, good])
    assert any(one.from_selector.kind == "A" for one in catalogue.definitions)
    session = Session(catalogue, {"components": [component("a", "A"), component("b", "B", {"v": "x"})]})
    assert len(session.design()["relationships"]) >= 1


@pytest.mark.parametrize(
    "relationship",
    [{}, {"selectors": 7}, {"selectors": [{}]}, {"selectors": [{"allow": 7}]}, {"id": "r", "status": 7, "kind": 8},
     {"selectors": [{"allow": {"from": [{"id": 7}], "to": [{"id": "b", "patch": {"mutatedRef": [["_", "_"]]}}]}}]},
     {"selectors": [{"allow": {"from": [{"id": "a", "patch": {"mutatorRef": [["displayName"]]}}],
                               "to": [{"id": "b", "patch": {"mutatedRef": [["id"], ["component", "kind"]]}}]}}]},
     {"selectors": [{"allow": {"from": [{"id": "a", "patch": {"mutatorRef": [["displayName"]]}}],
                               "to": [{"id": "b", "patch": {"mutatedRef": [["displayName", "x"]]}}]}}]},
     {"kind": "hierarchical", "type": "parent", "subType": "alias",
      "selectors": [{"allow": {"from": [{"id": "a", "patch": {"mutatorRef": [["configuration", "x"]]}}],
                               "to": [{"id": "a"}]}}]}],
)  # fmt: skip
def test_relationships_of_any_shape_change_nothing_else(relationship: Any) -> None:
    session = evaluated([], [component("a", "A"), component("b", "B")], [relationship])
    design = session.design()
    assert [one for one in design["components"] if one["id"] == "b"] == [component("b", "B")]
    assert evaluated([], design["components"], design["relationships"]).first.actions == []


def test_what_cannot_be_told_apart_is_refused_with_its_place() -> None:
    same = [component("a", "A"), component("a", "B"), {"id": ""}, 7]
    with pytest.raises(Invalid) as refused:
        evaluated([], same, [{"id": "r"}, {"id": "r"}])
    assert [one.path for one in refused.value.problem.fields] == [
        "design.components.1.id",
        "design.components.2.id",
        "design.components.3",
        "design.relationships.1.id",
    ]
    with pytest.raises(TooLarge):
        evaluated([], [], [{"id": str(n)} for n in range(20_001)])


def test_a_change_that_is_refused_changes_nothing() -> None:
    session = evaluated([NETWORK], [component("p", "Pod", {"labels": {"app": "x"}})])
    before = session.design()
    with pytest.raises(Invalid):
        session.change(Change(components=(component("q", "Pod"), {"id": 7}), removed_components=("p",)))
    assert session.design() == before


@pytest.mark.parametrize("segment", ["²", "9" * 5000, "-1", "x"])
def test_a_segment_that_is_no_index(segment: str) -> None:
    assert value_at(["a", "b"], (segment,)) is None
    assert without(["a", "b"], (segment, "c")) == ["a", "b"]
    with pytest.raises(BadPath):
        with_value(["a", "b"], (segment,), "c")
