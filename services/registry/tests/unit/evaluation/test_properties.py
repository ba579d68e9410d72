"""What must hold of every evaluation: made-up designs that are related in all ways, and made-up changes of them."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.session import Change, Session

Design = dict[str, Any]

NAMESPACE = ["configuration", "metadata", "namespace"]
SELECTOR, PORT, CODE = (["configuration", name] for name in ("selector", "port", "code"))
ELSEWHERE = ["configuration", "ref", "namespace"]
FIRST, SECOND = (["configuration", name] for name in ("first", "second"))
CONTAINERS = ["configuration", "spec", "containers", "_"]


def pairing(sub_type: str, from_: dict[str, Any], to: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A definition of one pair of selectors."""
    document = {"kind": "edge", "type": "non-binding", "subType": sub_type}
    return {**document, "selectors": [{"allow": {"from": [from_], "to": [to]}}], **more}


def mutator(kind: str, *paths: list[str], matrix: list[list[str]] | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "patch": {"mutatorRef": list(paths)},
        **({"matchStrategyMatrix": matrix} if matrix else {}),
    }


def mutated(kind: str, *paths: list[str], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "patch": {"mutatedRef": list(paths)}, **more}


PARENT = {"kind": "hierarchical", "type": "parent"}
LABELS = {"kind": "*", "match": {"refs": [["configuration", "metadata", "labels"]]}}
DEFINITIONS = [
    pairing("network", mutator("Service", SELECTOR, NAMESPACE, matrix=[["not_null", "to_contains_from"], ["equal"]]),
            mutated("Pod", ["configuration", "metadata", "labels"], NAMESPACE)),
    pairing("mount", mutator("ConfigMap", ["displayName"]), mutated("Pod", [*CONTAINERS, "config"])),
    pairing("text", mutator("Service", PORT, matrix=[["equal_as_strings"]]), mutated("Ingress", PORT)),
    pairing("wallet", mutator("ConfigMap", CODE), mutated("Ingress", CODE), **PARENT),
    pairing("inventory", mutated("*", NAMESPACE), mutator("Namespace", ["displayName"]), **PARENT),
    pairing("alias", mutator("Container", CONTAINERS), mutated("Pod", CONTAINERS), **PARENT),
    pairing("inside", mutator("ConfigMap", ["displayName"]), mutated("Container", ["configuration", "config"])),
    pairing("matchlabels", LABELS, LABELS, kind="hierarchical", type="sibling"),
    pairing("permission",
            {"kind": "ConfigMap", "match": {"from": [{"kind": "self", "mutatorRef": [["displayName"], NAMESPACE]}],
                                            "to": [{"kind": "Ingress", "mutatedRef": [FIRST, NAMESPACE]}]}},
            {"kind": "Service", "match": {"from": [{"kind": "Ingress", "mutatedRef": [SECOND]}],
                                          "to": [{"kind": "self", "mutatorRef": [["displayName"]]}]}}, type="binding"),
    pairing("reference",
            mutator("Service", ["displayName"], NAMESPACE, NAMESPACE, matrix=[["equal"], ["equal"], ["one_null"]]),
            mutated("Ingress", FIRST, NAMESPACE, ELSEWHERE)),
    pairing("reference", mutator("Service", ["displayName"], NAMESPACE, matrix=[["equal"], ["not_null", "equal"]]),
            mutated("Ingress", FIRST, ELSEWHERE)),
]  # fmt: skip
CATALOGUE = Catalogue(DEFINITIONS)
assert not CATALOGUE.refused

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from([None, "", 1, "1", True, {"x": 1}, ["a"]])


def filled(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


LABEL_SETS = st.dictionaries(st.sampled_from(["app", "tier"]), NAMES, max_size=2)
NAMESPACES = st.sampled_from(["a", "b", "default", ""])
METADATA = filled(namespace=NAMESPACES, labels=LABEL_SETS)
CONFIGURATIONS = {
    "Namespace": filled(metadata=METADATA),
    "ConfigMap": filled(metadata=METADATA, code=VALUES),
    "Service": filled(metadata=METADATA, selector=LABEL_SETS, port=VALUES),
    "Ingress": filled(
        metadata=METADATA,
        port=VALUES,
        code=VALUES,
        first=NAMES,
        second=NAMES,
        ref=filled(namespace=NAMESPACES),
    ),
    "Pod": filled(
        metadata=METADATA, spec=filled(containers=st.lists(filled(config=NAMES, name=NAMES), max_size=3))
    ),
}


@st.composite
def components(draw: st.DrawFn, ids: st.SearchStrategy[int] | None = None) -> dict[str, Any]:
    """A component of one of the kinds; its kind follows from its id, mostly, its name does not."""
    number = draw(st.integers(0, 11) if ids is None else ids)
    kinds = list(CONFIGURATIONS)
    kind = kinds[(number + (draw(st.sampled_from([0, 0, 0, 1])) if ids is None else 0)) % len(kinds)]
    return {
        "id": f"component-{number}",
        "displayName": draw(NAMES),
        "component": {"kind": kind},
        "modelReference": {"name": "kubernetes"},
        "configuration": draw(CONFIGURATIONS[kind]),
    }


DESIGNS = st.lists(components(), max_size=9, unique_by=lambda one: str(one["id"])).map(
    lambda found: {"name": "made up", "version": "0.0.1", "components": found, "relationships": []}
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def in_any_order(design: Design) -> Design:
    """A design for comparisons: neither the order of its parts nor its version counts."""
    by_id = {part: {one["id"]: one for one in design[part]} for part in ("components", "relationships")}
    return {**design, **by_id, "version": ""}


def settled(design: Design) -> Design:
    """The design after its evaluation."""
    return Session(CATALOGUE, design).design()


@QUICK
@given(DESIGNS)
def test_a_second_evaluation_is_empty(design: Design) -> None:
    before = copy.deepcopy(design)
    first = Session(CATALOGUE, design)
    assert design == before
    assert first.first.trace["warnings"] == []
    assert Session(CATALOGUE, first.design()).first.actions == []
    assert first.change(Change()).actions == []


@QUICK
@given(DESIGNS, st.randoms(use_true_random=False))
def test_the_order_of_components_says_nothing(design: Design, random: Any) -> None:
    shuffled = {**design, "components": random.sample(design["components"], len(design["components"]))}
    one, other = Session(CATALOGUE, design), Session(CATALOGUE, shuffled)
    assert one.first.actions == other.first.actions
    assert in_any_order(one.design()) == in_any_order(other.design())


@QUICK
@given(DESIGNS, st.data())
def test_a_change_gives_what_the_whole_design_gives(design: Design, data: st.DataObject) -> None:
    session = Session(CATALOGUE, design)
    for _ in range(3):
        now = session.design()
        change = a_change(now, data)
        whole = applied(now, change)
        fresh = Session(CATALOGUE, whole)
        outcome = session.change(change)
        assert in_any_order(session.design()) == in_any_order(fresh.design())
        assert outcome.actions == fresh.first.actions
        assert Session(CATALOGUE, session.design()).first.actions == []


def a_change(design: Design, data: st.DataObject) -> Change:
    """Some components put or removed, some relationships marked, dropped or ignored, perhaps other preferences."""
    ids = sorted(one["id"] for one in design["components"])
    relationships = sorted(design["relationships"], key=lambda one: str(one["id"]))
    removed = data.draw(st.lists(st.sampled_from(ids), max_size=1)) if ids else []
    put = data.draw(st.lists(components(), max_size=2, unique_by=lambda one: str(one["id"])))
    marked, dropped = [], []
    if relationships:
        status = data.draw(st.sampled_from(["deleted", "ignored", "approved"]))
        marked = [
            {**one, "status": status}
            for one in data.draw(st.lists(st.sampled_from(relationships), max_size=1))
        ]
        dropped = [one["id"] for one in data.draw(st.lists(st.sampled_from(relationships), max_size=1))]
    marked += [a_line(one, ids) for one in data.draw(st.lists(st.integers(0, 999), max_size=1)) if ids]
    off = data.draw(st.sampled_from([None, None, None, {}, {"edge-non-binding-mount": False}]))
    return Change(
        components=tuple(put),
        removed_components=tuple(removed),
        relationships=tuple({one["id"]: one for one in marked}.values()),
        removed_relationships=tuple(dropped),
        preferences=None if off is None else {"layers": {"relationships": off}},
    )


def a_line(number: int, ids: list[str]) -> dict[str, Any]:
    """A relationship of one of the first classes between any two components, as a person draws it."""
    definition = DEFINITIONS[number % 4]
    allow = definition["selectors"][0]["allow"]
    ends = ids[number // 4 % len(ids)], ids[number // 50 % len(ids)]
    drawn = {
        "from": [{**allow["from"][0], "id": ends[0]}],
        "to": [{**allow["to"][0], "id": ends[1]}],
    }
    status = "pending" if number % 3 else "approved"
    return {**definition, "id": f"line-{number % 5}", "status": status, "selectors": [{"allow": drawn}]}


def applied(design: Design, change: Change) -> Design:
    """A design after a change: what is both put and removed is put."""
    gone, parted = set(change.removed_components), set(change.removed_relationships)
    parts = {one["id"]: one for one in design["components"] if one["id"] not in gone}
    relationships = {one["id"]: one for one in design["relationships"] if one["id"] not in parted}
    parts |= {str(one["id"]): one for one in change.components}
    relationships |= {str(one["id"]): one for one in change.relationships}
    whole = {**design, "components": list(parts.values()), "relationships": list(relationships.values())}
    return whole if change.preferences is None else {**whole, "preferences": change.preferences}


@QUICK
@given(components(st.just(2)), components(st.just(4)), st.sampled_from(["to_contains_from", "equal"]))
def test_undo_restores(service: dict[str, Any], pod: dict[str, Any], strategy: str) -> None:
    """A line that a person draws writes; the same line deleted takes back what it wrote."""
    from_ = {**mutator("Service", SELECTOR, matrix=[[strategy]]), "id": service["id"]}
    to = {**mutated("Pod", ["configuration", "made", "by", "the", "line"]), "id": pod["id"]}
    line = {**pairing("drawn", from_, to), "id": "line", "status": "approved"}
    before = settled({"version": "0.0.1", "components": [service, pod], "relationships": []})
    written = settled({**before, "relationships": [*before["relationships"], line]})
    assert bool(service["configuration"].get("selector")) == (written["components"] != before["components"])
    deleted = [
        {**one, "status": "deleted"} if one["id"] == "line" else one for one in written["relationships"]
    ]
    after = settled({**written, "relationships": deleted})
    assert in_any_order(after) == in_any_order(before)
