"""What a plan says of each object, and what it keeps to itself."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_contracts.clusters import ObjectOutcome, ObjectReference, ObjectResult
from meshery_contracts.deployments import Action, FieldChange, ObjectPlan
from meshery_contracts.errors import Conflict, Invalid, NotFound, ProblemError
from meshery_designs.domain.items import Item, items_in
from meshery_designs.domain.manifests import DESIGN_LABEL, VERSION_ANNOTATION
from meshery_designs.domain.plans import (
    Deployed,
    Planned,
    apply_plan,
    differences,
    plan_hash,
    removal_plan,
)
from meshery_testkit.builders import a_component, a_design_file

DESIGN, OTHER, CLUSTER = uuid4(), uuid4(), uuid4()


def an_item(kind: str = "ConfigMap", name: str = "settings", **fields: Any) -> Item:
    component = a_component(kind, name, **fields)
    return items_in(a_design_file(component), DESIGN, 2)[0]


def an_object(design: UUID | None = DESIGN, uid: str = "u1", **fields: Any) -> dict[str, Any]:
    labels = {DESIGN_LABEL: str(design)} if design else {}
    return {"metadata": {"name": "settings", "uid": uid, "labels": labels}, **fields}


def planned(
    item: Item, result: ObjectResult, *, force: bool = False, brought: set[str] | None = None
) -> Planned:
    return apply_plan(
        item, result, connection_id=CLUSTER, design_id=DESIGN, brought=brought or set(), force=force
    )


def dry_run(item: Item, live: dict[str, Any] | None, after: dict[str, Any] | None = None) -> ObjectResult:
    return ObjectResult(
        reference=item.reference, outcome=ObjectOutcome.APPLIED, live=live, object=after or live or {}
    )


def refusal(item: Item, error: ProblemError) -> ObjectResult:
    return ObjectResult(reference=item.reference, outcome=ObjectOutcome.FAILED, problem=error.problem)


# --- applying -----------------------------------------------------------------------------------------------


def test_what_is_not_there_is_created() -> None:
    item = an_item()
    plan = planned(item, dry_run(item, None))
    assert (plan.plan.action, plan.plan.wave, plan.content) == (Action.CREATE, item.wave, item.content)


def test_what_differs_is_updated_and_what_does_not_is_unchanged() -> None:
    item = an_item()
    live, after = an_object(data={"a": "1"}), an_object(data={"a": "2"})
    plan = planned(item, dry_run(item, live, after)).plan
    assert (plan.action, plan.changes) == (Action.UPDATE, [FieldChange(path="data.a", before="1", after="2")])
    plan = planned(item, dry_run(item, live, live)).plan
    assert (plan.action, plan.changes) == (Action.UNCHANGED, [])


def test_another_version_of_the_design_alone_is_no_change() -> None:
    item = an_item()
    live, after = an_object(), an_object()
    live["metadata"]["annotations"] = {VERSION_ANNOTATION: "1"}
    after["metadata"]["annotations"] = {VERSION_ANNOTATION: "2"}
    assert planned(item, dry_run(item, live, after)).plan.action is Action.UNCHANGED


def test_the_reference_is_the_one_of_the_api_server() -> None:
    item = an_item("Gadget", "mine", version="example.com/v1")
    placed = item.reference.model_copy(update={"namespace": ""})
    result = ObjectResult(reference=placed, outcome=ObjectOutcome.APPLIED, object={})
    assert item.reference.namespace == "default"
    assert planned(item, result).plan.reference == placed


def test_an_object_of_another_design_is_a_conflict_unless_it_is_taken_over() -> None:
    item = an_item()
    live, after = an_object(OTHER), an_object(DESIGN)
    plan = planned(item, dry_run(item, live, after)).plan
    assert plan.action is Action.CONFLICT
    assert plan.problem is not None
    assert (plan.problem.code, str(OTHER) in plan.problem.title) == ("owned_by_other_design", True)
    plan = planned(item, dry_run(item, live, after), force=True).plan
    assert (plan.action, plan.problem) == (Action.UPDATE, None)
    assert plan.warnings == [f"It is taken over from design {OTHER}."]
    plan = planned(item, dry_run(item, an_object(None), after)).plan
    assert plan.action is Action.UPDATE


@pytest.mark.parametrize(
    ("error", "action"), [(Conflict("managed"), Action.CONFLICT), (Invalid("wrong"), Action.FAILED)]
)
def test_what_the_api_server_refuses_is_said(error: ProblemError, action: Action) -> None:
    item = an_item()
    plan = planned(item, refusal(item, error)).plan
    assert (plan.action, plan.problem) == (action, error.problem)


@pytest.mark.parametrize(
    ("code", "brought", "action"),
    [
        ("object_unknown", {"namespace shop"}, Action.CREATE),
        ("kind_unknown", {"kind Gadget.example.com"}, Action.CREATE),
        ("object_unknown", {"namespace other"}, Action.FAILED),
        ("kind_unknown", set(), Action.FAILED),
        # The namespace that comes along does not bring the kind, and the other way round.
        ("kind_unknown", {"namespace shop"}, Action.FAILED),
        ("object_unknown", {"kind Gadget.example.com"}, Action.FAILED),
        ("connection_unknown", {"namespace shop"}, Action.FAILED),
    ],
)
def test_what_waits_for_this_very_plan_is_a_create(code: str, brought: set[str], action: Action) -> None:
    item = an_item("Gadget", "mine", version="example.com/v1", namespace="shop")
    plan = planned(item, refusal(item, NotFound("It is not there.", code=code)), brought=brought).plan
    assert plan.action is action
    assert bool(plan.warnings) is (action is Action.CREATE)
    assert (plan.problem is None) is (action is Action.CREATE)


# --- removing -----------------------------------------------------------------------------------------------


def removal(uid: str, found: dict[str, Any] | None) -> Planned:
    item = an_item()
    deployed = Deployed(CLUSTER, item.reference, uid, item.component_id, "settings", wave=2)
    outcome = ObjectOutcome.FOUND if found else ObjectOutcome.ABSENT
    found_uid = found["metadata"]["uid"] if found else ""
    result = ObjectResult(reference=item.reference, outcome=outcome, uid=found_uid, object=found)
    return removal_plan(deployed, result, design_id=DESIGN, wave=4)


@pytest.mark.parametrize(
    ("recorded", "found", "action", "warning"),
    [
        ("u1", an_object(DESIGN, "u1"), Action.DELETE, ""),
        ("u1", an_object(None, "u1"), Action.DELETE, ""),
        ("", an_object(DESIGN, "u1"), Action.DELETE, ""),
        ("u1", None, Action.UNCHANGED, ""),
        ("u1", an_object(DESIGN, "u2"), Action.UNCHANGED, "Another object bears its name by now"),
        ("u1", an_object(OTHER, "u1"), Action.UNCHANGED, f"It belongs to design {OTHER}"),
        ("", an_object(OTHER, "u1"), Action.UNCHANGED, f"It belongs to design {OTHER}"),
        ("", an_object(None, "u1"), Action.UNCHANGED, "It was not made by this design"),
    ],
)
def test_only_the_very_object_is_removed(
    recorded: str, found: dict[str, Any] | None, action: Action, warning: str
) -> None:
    plan = removal(recorded, found)
    assert (plan.plan.action, plan.plan.wave, plan.content) == (action, 4, None)
    assert bool(plan.plan.warnings) is bool(warning)
    assert all(one.startswith(warning) for one in plan.plan.warnings)
    if action is Action.DELETE:
        assert plan.uid == "u1"


def test_a_removal_that_cannot_be_looked_at_fails() -> None:
    item = an_item()
    deployed = Deployed(CLUSTER, item.reference, "u1", None, "settings", wave=2)
    plan = removal_plan(deployed, refusal(item, Invalid("wrong")), design_id=DESIGN, wave=0).plan
    assert (plan.action, plan.problem is not None) == (Action.FAILED, True)


# --- differences --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({}, {"a": {"b": 1, "c": 2}}, [("a.b", None, 1), ("a.c", None, 2)]),
        ({"a": {"b": 1}}, {}, [("a.b", 1, None)]),
        ({}, {"a": None}, []),
        ({}, {"a": {}}, [("a", None, {})]),
        ({"a": {}}, {"a": None}, [("a", {}, None)]),
        ({"a": None}, {"a": 0}, [("a", None, 0)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a.1", 2, 3)]),
        ({"a": [1, 2]}, {"a": [1]}, [("a", [1, 2], [1])]),
        ({"a": [{"n": "x", "e": {}}]}, {"a": [{"n": "y"}]}, [("a.0.e", {}, None), ("a.0.n", "x", "y")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"a": "x"}, {"a": {"b": 1}}, [("a", "x", {"b": 1})]),
        ({"a": {"b": [True]}}, {"a": {"b": [1]}}, [("a.b.0", True, 1)]),
        ({"a": {"b": [0]}}, {"a": {"b": [False]}}, [("a.b.0", 0, False)]),
        ({"a": [True]}, {"a": [1, 2]}, [("a", [True], [1, 2])]),
        ({"a": {"b": [1]}}, {"a": {"b": [1.0]}}, []),
        ({"status": 1}, {"status": 2}, []),
        ({"metadata": {"resourceVersion": "1", "uid": "a"}}, {"metadata": {"resourceVersion": "2"}}, []),
        ({"metadata": {"annotations": {"a": "1"}}}, {}, [("metadata.annotations.a", "1", None)]),
        ({}, {"metadata": {"labels": {"a": "1"}}}, [("metadata.labels.a", None, "1")]),
    ],
)
def test_differences(
    before: dict[str, Any], after: dict[str, Any], changes: list[tuple[str, Any, Any]]
) -> None:
    found = differences(before, after, secret=False)
    assert [(one.path, one.before, one.after) for one in found] == changes


def test_large_values_are_told_by_their_size() -> None:
    (change,) = differences({"a": "x" * 3000}, {"a": "y"}, secret=False)
    assert (change.before, change.after) == ("(3,002 bytes)", "y")


@pytest.mark.parametrize("field", ["data", "stringData", "binaryData"])
def test_secrets_are_shown_as_changed_never_as_they_are(field: str) -> None:
    before = {field: {"same": "s3cret-0", "old": "s3cret-1", "gone": "s3cret-2"}}
    after = {field: {"same": "s3cret-0", "old": "s3cret-3", "new": "s3cret-4"}}
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [(before, after), ({}, after), (before, {})]
    for old, new in [*pairs, ({field: None}, after)]:
        found = differences(old, new, secret=True)
        assert "s3cret" not in str(found)
        assert found
    assert [(one.path, one.before, one.after) for one in differences(before, after, secret=True)] == [
        (f"{field}.gone", "(hidden)", None),
        (f"{field}.new", None, "(hidden, changed)"),
        (f"{field}.old", "(hidden)", "(hidden, changed)"),
    ]


def test_a_secret_does_not_come_out_by_kubectls_copy() -> None:
    copy = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "s3cret"}}}
    assert differences({}, copy, secret=True) == []
    assert differences({}, {"metadata": {"labels": {"app": "x"}}}, secret=True)[0].after == "x"


# --- the hash -----------------------------------------------------------------------------------------------


def a_plan(**changes: Any) -> ObjectPlan:
    values = {
        "connection_id": CLUSTER,
        "reference": ObjectReference(api_version="v1", kind="ConfigMap", namespace="default", name="a"),
        "action": Action.CREATE,
        "wave": 1,
    }
    return ObjectPlan(**{**values, **changes})


def test_the_hash_does_not_depend_on_the_order() -> None:
    objects = [a_plan(wave=n) for n in range(6)]
    shuffled = random.Random(1).sample(objects, len(objects))
    assert plan_hash(("a",), objects) == plan_hash(("a",), shuffled)


def test_the_hash_changes_with_what_the_plan_would_do() -> None:
    plans = [
        a_plan(),
        a_plan(wave=2),
        a_plan(action=Action.UPDATE),
        a_plan(connection_id=uuid4()),
        a_plan(changes=[FieldChange(path="a", before=1, after=2)]),
        a_plan(changes=[FieldChange(path="a", before=1, after=3)]),
    ]
    hashes = [plan_hash((DESIGN, 1), [one]) for one in plans]
    hashes += [
        plan_hash((DESIGN, 2), [plans[0]]),
        plan_hash((OTHER, 1), [plans[0]]),
        plan_hash((DESIGN, 1), []),
    ]
    assert len(set(hashes)) == len(hashes)
    assert plan_hash((DESIGN, 1), [a_plan(warnings=["x"])]) == hashes[0]
