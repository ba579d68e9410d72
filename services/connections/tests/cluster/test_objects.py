"""Objects in a real cluster: apply, dry run, conflicts, delete, read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_contracts import clusters
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import (
    ApplyObjects,
    DeleteObjects,
    ObjectOutcome,
    ObjectReference,
    ReadObjects,
)
from meshery_contracts.errors import Invalid, NotFound, Word
from meshery_testkit.builders import a_crd
from meshery_testkit.nats import People

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
Ask = Callable[..., Awaitable[Any]]


def config_map(name: str, namespace: str = "", **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def reference(name: str) -> ObjectReference:
    return ObjectReference(api_version="v1", kind="ConfigMap", name=name)


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex[:10]}"


async def test_a_dry_run_changes_nothing_and_tells_what_is_there(
    ask: Ask, caller: Caller, connection_id: UUID, name: str
) -> None:
    async def apply(dry_run: bool, **data: str) -> clusters.ObjectResult:
        request = ApplyObjects(
            connection_id=connection_id, objects=[config_map(name, **data)], dry_run=dry_run
        )
        result: clusters.ObjectResult = (await ask(clusters.APPLY_OBJECTS, request, caller)).results[0]
        assert result.outcome is ObjectOutcome.APPLIED, result.problem
        assert result.object is not None
        assert "managedFields" not in result.object["metadata"]
        return result

    planned = await apply(True, a="1")
    assert planned.live is None
    assert planned.reference.namespace == "default"
    created = await apply(False, a="1")
    assert created.uid
    changed = await apply(True, a="2")
    assert changed.live is not None
    assert changed.object is not None
    assert (changed.live["data"], changed.object["data"]) == ({"a": "1"}, {"a": "2"})
    assert "managedFields" not in changed.live["metadata"]
    read = (
        await ask(
            clusters.READ_OBJECTS,
            ReadObjects(connection_id=connection_id, references=[reference(name)]),
            caller,
        )
    ).results[0]
    assert (read.outcome, read.object["data"], read.uid) == (ObjectOutcome.FOUND, {"a": "1"}, created.uid)


async def test_each_object_has_its_own_result_in_order(
    ask: Ask, caller: Caller, connection_id: UUID, name: str
) -> None:
    objects = [
        config_map(f"{name}-0", a="1"),
        config_map(f"{name}-1", namespace="nowhere"),
        {"apiVersion": "example.org/v1", "kind": "Nothing", "metadata": {"name": name}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-3"}, "dota": {}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "namespace": "ignored"}},
        *(config_map(f"{name}-{number}") for number in range(5, 15)),
    ]
    results = (
        await ask(clusters.APPLY_OBJECTS, ApplyObjects(connection_id=connection_id, objects=objects), caller)
    ).results
    assert [one.reference.name for one in results] == [one["metadata"]["name"] for one in objects]
    words = {position: one.problem.word for position, one in enumerate(results) if one.problem}
    assert words == {1: Word.NOT_FOUND, 2: Word.NOT_FOUND, 3: Word.INVALID}
    assert results[2].problem.code == "kind_unknown"
    assert (
        any("dota" in field.path + field.message for field in results[3].problem.fields)
        or "dota" in results[3].problem.detail
    )
    assert not results[4].namespaced
    assert results[4].reference.namespace == ""


async def test_fields_of_others_are_a_conflict_that_names_them(
    ask: Ask, caller: Caller, connection_id: UUID, name: str
) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "nginx"}]},
            },
        },
    }
    await ask(clusters.APPLY_OBJECTS, ApplyObjects(connection_id=connection_id, objects=[deployment]), caller)
    # The deployment controller owns its revision annotation.
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}  # type: ignore[index]
    results: list[clusters.ObjectResult] = []
    while not results or results[0].problem is None:
        request = ApplyObjects(connection_id=connection_id, objects=[deployment], dry_run=True)
        results = (await ask(clusters.APPLY_OBJECTS, request, caller)).results
    problem = results[0].problem
    assert problem is not None
    assert (problem.word, problem.code) == (Word.CONFLICT, "field_conflict")
    assert "kube-controller-manager" in problem.title
    assert "revision" in problem.fields[0].path
    forced = ApplyObjects(connection_id=connection_id, objects=[deployment], dry_run=True, force=True)
    assert (await ask(clusters.APPLY_OBJECTS, forced, caller)).results[0].problem is None


async def test_only_the_very_object_is_deleted(
    ask: Ask, caller: Caller, connection_id: UUID, name: str
) -> None:
    async def delete(uid: str = "", dry_run: bool = False) -> ObjectOutcome:
        request = DeleteObjects(
            connection_id=connection_id,
            references=[reference(name)],
            uids=[uid] if uid else [],
            dry_run=dry_run,
        )
        outcome: ObjectOutcome = (await ask(clusters.DELETE_OBJECTS, request, caller)).results[0].outcome
        return outcome

    applied = ApplyObjects(connection_id=connection_id, objects=[config_map(name)])
    uid = (await ask(clusters.APPLY_OBJECTS, applied, caller)).results[0].uid
    assert await delete(str(uuid4())) is ObjectOutcome.ABSENT
    assert await delete(uid, dry_run=True) is ObjectOutcome.DELETED
    assert await delete(uid) is ObjectOutcome.DELETED
    assert await delete() is ObjectOutcome.ABSENT
    gone = DeleteObjects(
        connection_id=connection_id,
        references=[ObjectReference(api_version="example.org/v1", kind="Nothing", name=name)],
    )
    assert (await ask(clusters.DELETE_OBJECTS, gone, caller)).results[0].outcome is ObjectOutcome.ABSENT
    with pytest.raises(Invalid):
        await ask(
            clusters.DELETE_OBJECTS,
            DeleteObjects(connection_id=connection_id, references=[reference(name)], uids=["a", "b"]),
            caller,
        )


async def test_a_kind_is_found_right_after_its_crd(
    ask: Ask, caller: Caller, connection_id: UUID, name: str
) -> None:
    group = f"{name}.example.org"
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": name}, "size": 3}

    async def apply(manifest: dict[str, Any]) -> clusters.ObjectResult:
        request = ApplyObjects(connection_id=connection_id, objects=[manifest])
        result: clusters.ObjectResult = (await ask(clusters.APPLY_OBJECTS, request, caller)).results[0]
        return result

    assert (await apply(thing)).problem is not None
    assert (await apply(a_crd(group))).problem is None
    while (applied := await apply(thing)).problem is not None:
        assert applied.problem.code == "kind_unknown"
    assert applied.object is not None
    assert applied.object["size"] == 3


async def test_nobody_else_reaches_the_cluster(
    ask: Ask, caller: Caller, people: People, connection_id: UUID, name: str
) -> None:
    other = people.caller(organization_id=caller.organization_id)
    with pytest.raises(NotFound):
        await ask(
            clusters.APPLY_OBJECTS,
            ApplyObjects(connection_id=connection_id, objects=[config_map(name)]),
            other,
        )
