"""In which order components go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts.errors import Invalid
from meshery_designs.domain.waves import waves_of
from meshery_testkit.builders import a_component, a_definition


def waves(*components: dict[str, Any]) -> dict[str, int]:
    by_id = waves_of(components)
    return {one["displayName"]: by_id[one["id"]] for one in components}


def test_kinds_go_in_their_order() -> None:
    found = waves(
        a_component("Gadget", "gadget", version="example.com/v1"),
        a_component("Ingress", "ingress", version="networking.k8s.io/v1"),
        a_component("Deployment", "web"),
        a_component("Service", "service"),
        a_component("RoleBinding", "binding", version="rbac.authorization.k8s.io/v1"),
        a_component("Secret", "secret"),
        a_definition("Widget"),
        a_component("Namespace", "shop"),
    )
    assert sorted(found, key=lambda name: found[name]) == [
        *("shop", "widgets.example.com", "secret", "binding", "service", "web", "ingress", "gadget")
    ]
    assert len(set(found.values())) == len(found)


def test_a_kind_of_another_group_is_a_custom_resource() -> None:
    found = waves(
        a_component("Service", "own", version="serving.knative.dev/v1"), a_component("Deployment", "web")
    )
    assert found["own"] > found["web"]


def test_depends_on_names_components_by_id_or_by_name() -> None:
    database = a_component("Deployment", "database")
    cache = a_component("Deployment", "cache")
    web = a_component("Deployment", "web", depends_on=[database["id"], "cache"])
    edge = a_component("ConfigMap", "edge", depends_on=["web"])
    found = waves(edge, web, cache, database)
    assert found["database"] == found["cache"] == 5
    assert (found["web"], found["edge"]) == (6, 7)


def test_what_is_in_a_namespace_of_the_design_waits_for_it() -> None:
    first = a_component("Deployment", "operator")
    found = waves(
        a_component("Namespace", "shop", depends_on=["operator"]),
        a_component("ConfigMap", "settings", namespace="shop"),
        a_component("ConfigMap", "elsewhere", namespace="other"),
        first,
    )
    assert found["settings"] == found["shop"] + 1 == found["operator"] + 2
    assert found["elsewhere"] == 2


def test_a_custom_resource_waits_for_its_definition() -> None:
    found = waves(
        a_definition("Widget", depends_on=["last"]),
        a_component("Gadget", "last", version="example.com/v1"),
        a_component("Widget", "mine", version="example.com/v1"),
    )
    assert found["mine"] == found["widgets.example.com"] + 1 == found["last"] + 2


def test_an_annotation_is_nothing_to_wait_for() -> None:
    note = a_component("Note", "note")
    note["metadata"] = {"isAnnotation": True}
    assert waves(note, a_component("ConfigMap", "settings", depends_on=["note"])) == {
        "note": -1,
        "settings": 2,
    }


@pytest.mark.parametrize(
    ("depends_on", "message"),
    [
        (["nobody"], "names no component of the design"),
        (["twin"], "names more than one component of the design"),
        ("web", "must be a list"),
        ([5], "must be a list"),
    ],
)
def test_a_dependency_that_is_not_clear_is_refused(depends_on: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        waves(
            a_component("Deployment", "web", depends_on=depends_on),
            a_component("ConfigMap", "twin"),
            a_component("Secret", "twin"),
        )
    assert caught.value.problem.fields[0].path == "web.metadata.dependsOn"


def test_a_circle_is_refused_and_shown() -> None:
    with pytest.raises(Invalid, match=r"circle: .* → .* → ") as caught:
        waves(
            a_component(name="a", depends_on=["b"]),
            a_component(name="b", depends_on=["c"]),
            a_component(name="c", depends_on=["a"]),
        )
    assert caught.value.problem.code == "depends_on_circle"


def test_a_long_chain_is_no_harder_than_a_short_one() -> None:
    chain = [a_component(name="0")]
    chain += [a_component(name=str(n), depends_on=[str(n - 1)]) for n in range(1, 3000)]
    assert waves(*chain)["2999"] == 2 + 2999


@pytest.mark.parametrize("spec", [None, [], "x", {"names": []}, {}])
def test_a_broken_definition_brings_nothing(spec: Any) -> None:
    assert list(waves(a_definition(spec=spec)).values()) == [1]


@given(st.lists(st.integers(0, 9), max_size=20))
def test_everything_comes_after_what_it_depends_on(edges: list[int]) -> None:
    components = [
        a_component("ConfigMap", str(n), depends_on=sorted({str(one) for one in edges if one < n}) or None)
        for n in range(10)
    ]
    found = waves(*components)
    for one in components:
        for other in one["metadata"].get("dependsOn") or []:
            assert found[other] < found[one["displayName"]]
