"""Clusters over REST and GraphQL as Meshery's clients upload them, look at them and have them read anew."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, FormData

from meshery_contracts import connections, inventory
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.errors import NotFound
from meshery_testkit.stubs import Stubs

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLUSTER = Connection(
    id=uuid4(),
    name="shop",
    kind="kubernetes",
    status=ConnectionStatus.CONNECTED,
    user_id=uuid4(),
    organization_id=uuid4(),
    created_at=NOW,
    updated_at=NOW,
)
RESOURCES = "/api/system/meshsync/resources"


def form(**fields: Any) -> FormData:
    """An upload, its other fields as JSON."""
    found = FormData()
    found.add_field("k8sfile", b"kind: Config", filename="config")
    for name, value in fields.items():
        found.add_field(name, value if isinstance(value, str) else json.dumps(value))
    return found


@pytest.mark.parametrize(
    ("sent", "contexts", "mode", "modes"),
    [
        ({}, [], "embedded", {}),
        ({"meshsync_deployment_mode": "operator"}, [], "operator", {}),
        (
            {
                "contexts": {
                    "id1": {"meshsyncDeploymentMode": "operator", "name": "one"},
                    "id2": {"meshsync_deployment_mode": "embedded"},
                    "id3": {},
                },
                "selectedContexts": ["one", "id2"],
            },
            ["one", "id2"],
            "embedded",
            {"id1": "operator", "one": "operator", "id2": "embedded"},
        ),
        ({"contexts": {"id1": None}}, ["id1"], "embedded", {}),
    ],
)
async def test_an_upload_says_how_each_context_is_watched(
    http: ClientSession,
    stubs: Stubs,
    sent: dict[str, Any],
    contexts: list[str],
    mode: str,
    modes: dict[str, str],
) -> None:
    asked = await stubs.answer(connections.REGISTER_KUBECONFIG, connections.RegisteredContexts())
    async with http.post("/api/system/kubernetes", data=form(**sent)) as reply:
        assert reply.status == 200, await reply.text()
        assert "registered_contexts" in await reply.json()
    ((request, _),) = asked
    assert (request.contexts, request.meshsync_mode, request.meshsync_modes) == (contexts, mode, modes)


async def test_an_upload_whose_settings_are_none(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(connections.REGISTER_KUBECONFIG, connections.RegisteredContexts())
    async with http.post("/api/system/kubernetes", data=form(contexts={"id1": "operator"})) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "body_shape")
    assert asked == []


@pytest.mark.parametrize(
    ("sent", "context"), [({}, ""), ({"contextName": "shop"}, "shop"), ({"selectedContexts": ["a"]}, "a")]
)
async def test_a_cluster_s_kinds_are_registered_and_it_is_not_connected(
    http: ClientSession, stubs: Stubs, sent: dict[str, Any], context: str
) -> None:
    connected = await stubs.answer(connections.REGISTER_KUBECONFIG, connections.RegisteredContexts())
    found = connections.RegisteredDefinitions(context="shop", definitions=3, import_id=uuid4())
    asked = await stubs.answer(connections.REGISTER_DEFINITIONS, found)
    async with http.post("/api/system/kubernetes/register", data=form(**sent)) as reply:
        assert (reply.status, reply.content_type, await reply.text()) == (200, "text/plain", "Accepted")
    assert [request.context for request, _ in asked] == [context]
    assert connected == []
    query = 'mutation { registerDefinitions(kubeconfig: "k", context: "c") { definitions importId } }'
    answer = await graphql(http, query)
    assert answer == {"data": {"registerDefinitions": {"definitions": 3, "importId": str(found.import_id)}}}


async def test_of_several_clusters_it_is_not_clear_whose_kinds_are_meant(http: ClientSession) -> None:
    async with http.post("/api/system/kubernetes/register", data=form(selectedContexts=["a", "b"])) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "form_unreadable")


async def graphql(http: ClientSession, query: str) -> Any:
    """The answer to an operation."""
    async with http.post("/api/system/graphql/query", json={"query": query}) as reply:
        assert reply.status == 200
        return await reply.json()


def resync(context: UUID | str, **wishes: str) -> str:
    """Meshery's mutation."""
    wishes = {"clearDB": "false", "ReSync": "false", "hardReset": "false", **wishes}
    selector = ", ".join(f'{name}: "{text}"' for name, text in wishes.items())
    return f'mutation {{ resyncCluster(selector: {{{selector}}}, k8scontextID: "{context}") }}'


async def test_a_cluster_is_read_anew(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(connections.RESYNC, CLUSTER)
    path = f"/api/integrations/connections/{CLUSTER.id}/actions"
    async with http.post(path, json={"action": "resync"}) as reply:
        assert (reply.status, (await reply.json())["id"]) == (200, str(CLUSTER.id))
    async with http.post(path, json={"action": "setMeshsyncMode", "mode": "operator"}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "action_unknown")
    query = f'mutation {{ resyncConnection(id: "{CLUSTER.id}") {{ name }} }}'
    assert (await graphql(http, query))["data"]["resyncConnection"]["name"] == "shop"
    for wish in ({"ReSync": "true"}, {"clearDB": "true"}, {"clearDB": "True", "ReSync": "true"}):
        answer = await graphql(http, resync(CLUSTER.id, **wish))
        assert answer == {"data": {"resyncCluster": "PROCESSING"}}
    assert [request.connection_id for request, _ in asked] == [CLUSTER.id] * 5


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"hardReset": "true", "clearDB": "true", "ReSync": "true"}, "hard_reset_refused"),
        ({}, "resync_nothing"),
        ({"context": "shop", "ReSync": "true"}, "id_invalid"),
    ],
)
async def test_what_nobody_resyncs(
    http: ClientSession, stubs: Stubs, wishes: dict[str, str], code: str
) -> None:
    asked = await stubs.answer(connections.RESYNC, CLUSTER)
    (error,) = (await graphql(http, resync(**{"context": str(CLUSTER.id), **wishes})))["errors"]
    assert error["extensions"]["code"] == code
    assert asked == []


async def test_a_row_of_a_mirror_is_not_deleted(http: ClientSession, stubs: Stubs) -> None:
    resource = {"id": "a/b=", "kind": "Pod", "metadata": {"name": "web"}}
    asked = await stubs.answer(inventory.GET, inventory.Resource(resource=resource))
    async with http.delete(f"{RESOURCES}/a/b=") as reply:
        problem = await reply.json()
        assert (reply.status, problem["code"]) == (409, "resource_mirrored")
    assert "'web'" in problem["error"]
    assert "resync" in problem["suggestedRemediation"][1]
    assert [request.resource_id for request, _ in asked] == ["a/b="]


async def test_a_row_that_is_not_there(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(inventory.GET, NotFound("No cluster of yours holds it.", code="resource_unknown"))
    async with http.delete(f"{RESOURCES}/x") as reply:
        assert (reply.status, (await reply.json())["code"]) == (404, "resource_unknown")
