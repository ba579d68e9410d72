"""Queries and mutations over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import ClientSession

from meshery_common.idempotency import MAX_KEY_LENGTH
from meshery_contracts import connections, definitions, designs, events, identity, inventory
from meshery_contracts.caller import Caller
from meshery_contracts.designs import Design, DesignPage, NullString, Visibility
from meshery_contracts.errors import Conflict, FieldProblem, NotFound
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.messages import Nothing, Severity
from meshery_gateway.graphql.schema import sdl
from meshery_testkit import builders
from meshery_testkit.nats import People
from meshery_testkit.stubs import Stubs

PATH = "/api/system/graphql/query"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_design(**values: Any) -> Design:
    """An imported design in its third version."""
    given = {"type": NullString(string="Kubernetes Manifest", valid=True), "version": 3}
    return builders.a_design(**{**given, "created_at": NOW, "updated_at": NOW, **values})


async def send(http: ClientSession, query: str, *, headers: dict[str, str] | None = None, **more: Any) -> Any:
    """The answer to an operation."""
    async with http.post(PATH, json={"query": query, **more}, headers=headers) as response:
        assert response.status == 200, await response.text()
        return orjson.loads(await response.read())


async def test_designs_are_listed_and_only_what_is_asked_for_is_read(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    page = DesignPage(total_count=1, patterns=[a_design()])
    asked = await stubs.answer(designs.LIST, page)
    query = """query ($size: Int!) { designs(pageSize: $size, visibility: [private]) {
        totalCount designs { id name type visibility createdAt location } } }"""
    answer = await send(http, query, variables={"size": 5})
    (row,) = answer["data"]["designs"]["designs"]
    assert row["type"] == "Kubernetes Manifest"
    assert row["visibility"] == "private"
    assert row["createdAt"] == "2026-01-02T03:04:05Z"
    await send(http, "{ designs { designs { ...D } } } fragment D on Design { document }")
    first, second = (request for request, _ in asked)
    assert (first.page_size, first.with_files, first.visibility) == (5, False, [Visibility.PRIVATE])
    assert second.with_files
    assert asked[0][1].user_id == person.user_id


async def test_a_design_is_read_once_however_often_it_is_named(http: ClientSession, stubs: Stubs) -> None:
    design = a_design()
    asked = await stubs.answer(designs.GET, design)
    query = "query ($id: UUID!) { a: design(id: $id) { name document } b: design(id: $id) { version } }"
    answer = await send(http, query, variables={"id": str(design.id)})
    assert answer["data"]["a"]["document"] == {"name": "shop", "components": []}
    assert answer["data"]["b"] == {"version": 3}
    assert len(asked) == 1


async def test_a_problem_comes_with_all_that_is_known_of_it(http: ClientSession, stubs: Stubs) -> None:
    error = Conflict(
        "Somebody saved in between.",
        code="design_stale",
        cause="Another person works on it.",
        remedy="Read it again.",
        fields=(FieldProblem(path="baseVersion", message="is 1, the newest is 2"),),
    )
    await stubs.answer(designs.UPDATE, error)
    query = 'mutation ($id: UUID!) { updateDesign(input: {id: $id, baseVersion: 1, name: "x"}) { id } }'
    answer = await send(http, query, variables={"id": str(uuid4())})
    assert answer["data"] is None
    (told,) = answer["errors"]
    assert told["message"] == "Somebody saved in between."
    assert told["path"] == ["updateDesign"]
    assert told["extensions"] == {
        "code": "design_stale",
        "word": "conflict",
        "detail": "",
        "fields": [{"path": "baseVersion", "message": "is 1, the newest is 2"}],
        "probableCause": ["Another person works on it."],
        "suggestedRemediation": ["Read it again."],
    }


async def test_a_missing_key_forbids_a_field_and_no_other(
    http: ClientSession, stubs: Stubs, people: People
) -> None:
    people.tokens[""] = people.caller(key_bits=LOCAL_BITS & ~bits_of((Key.VIEW_DESIGNS,)))
    await stubs.answer(designs.LIST, DesignPage(patterns=[]))
    await stubs.answer(events.TYPES, events.EventTypes(category=["design"], action=[]))
    answer = await send(http, "{ eventTypes { category } designs { totalCount } }")
    assert [one["extensions"]["word"] for one in answer["errors"]] == ["forbidden"]
    assert "View Designs" in answer["errors"][0]["message"]
    assert answer["errors"][0]["path"] == ["designs"]


async def test_an_unforeseen_error_shows_an_id_and_nothing_else(
    http: ClientSession, stubs: Stubs, caplog: pytest.LogCaptureFixture
) -> None:
    bad = a_design(pattern_file="{secret text that is no JSON")
    await stubs.answer(designs.GET, bad)
    query = "query ($id: UUID!) { design(id: $id) { document } }"
    answer = await send(http, query, variables={"id": str(bad.id)})
    (told,) = answer["errors"]
    assert told["extensions"]["word"] == "internal"
    assert told["extensions"]["traceId"] in told["extensions"]["suggestedRemediation"][0]
    assert "secret" not in orjson.dumps(answer).decode()
    assert "Traceback" not in orjson.dumps(answer).decode()


async def test_mistakes_in_a_document_are_explained(http: ClientSession) -> None:
    for query, code in (
        ("{ designs { totalCount ", "graphql_syntax"),
        ("{ designs { nothing } }", "graphql_validation"),
        ("query A { me { id } } query B { me { id } }", "operation_ambiguous"),
        ('{ design(id: "x") { id } }', "graphql_validation"),
        ("{ designs(pageSize: 1000) { totalCount } }", "page_too_large"),
        (f'{{ design(id: "{uuid4()}", version: -1) {{ id }} }}', "request_invalid"),
    ):
        answer = await send(http, query)
        assert answer["errors"][0]["extensions"]["code"] == code, answer
    answer = await send(http, "query ($id: UUID!) { design(id: $id) { id } }", variables={"id": "x"})
    assert answer["errors"][0]["extensions"]["word"] == "invalid"


async def test_what_is_no_operation_is_refused(http: ClientSession) -> None:
    for body in (b"{", b"[]", b"7", b'{"query": 1}', b'{"query": "{me{id}}", "variables": []}', b"{}", b""):
        async with http.post(PATH, data=body, headers={"Content-Type": "application/json"}) as response:
            assert response.status == 400, body
            assert (await response.json())["word"] == "invalid"
    answer = await send(http, "{ __typename }")
    assert answer == {"data": {"__typename": "Query"}}


async def test_get_serves_queries_and_nothing_that_changes(http: ClientSession, stubs: Stubs) -> None:
    deleted = await stubs.answer(designs.DELETE, a_design())
    variables = orjson.dumps({"name": "Query"}).decode()
    query = "query Q($name: String!) { __type(name: $name) { name } }"
    async with http.get(PATH, params={"query": query, "variables": variables}) as response:
        assert (await response.json())["data"] == {"__type": {"name": "Query"}}
    mutation = f'mutation {{ deleteDesign(id: "{uuid4()}") {{ id }} }}'
    for text in (mutation, "subscription { designChanges { sequence } }"):
        async with http.get(PATH, params={"query": text}) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "POST"
    async with http.get(PATH, params={"query": "{ me { id } }", "variables": "{"}) as response:
        assert response.status == 400
    async with http.post(PATH, json={"query": "subscription { designChanges { sequence } }"}) as response:
        assert (await response.json())["code"] == "subscription_needs_socket"
    assert deleted == []


async def test_nobody_and_other_sites_are_refused(http: ClientSession) -> None:
    body = {"query": "{ __typename }"}
    async with http.post(PATH, json=body, headers={"Authorization": "Bearer unknown"}) as response:
        assert response.status == 401
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        async with http.post(PATH, json=body, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["code"] == "origin_foreign"


async def test_a_repeated_mutation_repeats_its_keys(http: ClientSession, stubs: Stubs) -> None:
    seen: list[str] = []

    async def handle(_: designs.DesignId, __: Caller) -> Design:
        from meshery_common.context import current_request

        context = current_request()
        assert context is not None
        seen.append(context.idempotency_key)
        return a_design()

    await (await stubs.bus("designs")).serve(designs.DELETE, handle)
    query = "mutation ($id: UUID!) { a: deleteDesign(id: $id) { id } b: deleteDesign(id: $id) { id } }"
    for _ in range(2):
        await send(http, query, variables={"id": str(uuid4())}, headers={"Idempotency-Key": "once"})
    assert seen == ["once.1", "once.2"] * 2
    seen.clear()
    longest = "k" * MAX_KEY_LENGTH
    for _ in range(2):
        await send(http, query, variables={"id": str(uuid4())}, headers={"Idempotency-Key": longest})
    assert len(set(seen)) == 2
    assert seen[:2] == seen[2:]
    assert max(map(len, seen)) <= MAX_KEY_LENGTH


async def test_a_design_is_cloned(http: ClientSession, stubs: Stubs, person: Caller) -> None:
    asked = await stubs.answer(designs.CLONE, clone := a_design(name="copy"))
    query = 'mutation ($id: UUID!) { cloneDesign(id: $id, name: "copy") { id } }'
    original_id = uuid4()
    answer = await send(http, query, variables={"id": str(original_id)})
    assert answer["data"] == {"cloneDesign": {"id": str(clone.id)}}
    # The id in the path counts, whatever the body says.
    body = {"name": "copy", "designId": str(uuid4())}
    async with http.post(f"/api/pattern/clone/{original_id}", json=body) as response:
        assert response.status == 200
        assert [one["id"] for one in await response.json()] == [str(clone.id)]
    assert [request for request, _ in asked] == [designs.CloneDesign(design_id=original_id, name="copy")] * 2
    assert {caller.user_id for _, caller in asked} == {person.user_id}


async def test_the_design_of_a_run_that_is_gone_is_null(http: ClientSession, stubs: Stubs) -> None:
    from meshery_contracts import deployments

    run = deployments.Run(
        id=uuid4(), design_id=uuid4(), design_name="shop", version=1, user_id=uuid4(),
        direction=deployments.Direction.DEPLOY, status=deployments.RunStatus.SUCCEEDED,
        connection_ids=[], created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await stubs.answer(deployments.LIST_RUNS, deployments.RunPage(total_count=1, runs=[run, run]))
    asked = await stubs.answer(designs.GET, NotFound("gone"))
    answer = await send(http, "{ runs { runs { status direction design { name } } } }")
    row = {"status": "succeeded", "direction": "deploy", "design": None}
    assert answer["data"]["runs"]["runs"] == [row, row]
    assert len(asked) == 1


async def test_connections_and_their_words(http: ClientSession, stubs: Stubs) -> None:
    connection = connections.Connection(
        id=uuid4(), name="prod", kind="kubernetes", status=connections.ConnectionStatus.NOT_FOUND,
        user_id=uuid4(), organization_id=uuid4(), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    page = connections.ConnectionPage(connections=[connection], status_summary={"not found": 1})
    await stubs.answer(connections.LIST, page)
    moved = await stubs.answer(connections.SET_STATUS, connection)
    query = "{ connections { connections { status subType } statusSummary { status count } } }"
    assert (await send(http, query))["data"]["connections"] == {
        "connections": [{"status": "not_found", "subType": "orchestrator"}],
        "statusSummary": [{"status": "not_found", "count": 1}],
    }
    query = "mutation ($id: UUID!) { setConnectionStatus(id: $id, status: not_found) { id } }"
    await send(http, query, variables={"id": str(connection.id)})
    assert moved[0][0].status is connections.ConnectionStatus.NOT_FOUND


async def test_objects_of_clusters_in_plain_values(http: ClientSession, stubs: Stubs) -> None:
    raw = {
        "id": "YQ==",
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": [{"key": "app", "value": "web"}]},
        "spec": {"attribute": '{"nodeName":"n1"}'},
        "cluster_id": "c1",
    }
    asked = await stubs.answer(inventory.LIST, inventory.ResourcePage(total_count=1, resources=[raw]))
    query = """query ($f: ResourceFilter!) { resources(filter: $f) {
        totalCount resources { id kind namespace name clusterId spec labels } } }"""
    answer = await send(http, query, variables={"f": {"kinds": ["Pod"], "labels": {"app": "web"}}})
    assert answer["data"]["resources"]["resources"] == [
        {
            "id": "YQ==", "kind": "Pod", "namespace": "shop", "name": "web", "clusterId": "c1",
            "spec": {"nodeName": "n1"}, "labels": {"app": "web"},
        }
    ]  # fmt: skip
    request = asked[0][0]
    assert (request.kinds, request.labels) == (["Pod"], {"app": "web"})
    assert (request.with_spec, request.with_labels, request.with_status) == (True, True, False)


async def test_the_caller_and_a_new_token(http: ClientSession, stubs: Stubs, person: Caller) -> None:
    key = identity.PermissionKey(id=Key.VIEW_DESIGNS.id, function="View Designs", category="Designs")
    asked = await stubs.answer(identity.LIST_KEYS, identity.PermissionKeyPage(keys=[key]))
    token = identity.NewToken(
        id=uuid4(), name="ci", owner=person.user_id, organization_id=person.organization_id,
        created_at=NOW, expires_at=NOW, token="secret",
    )  # fmt: skip
    made = await stubs.answer(identity.CREATE_TOKEN, token)
    assert (await send(http, "{ keys { keys { function } } }"))["data"] == {
        "keys": {"keys": [{"function": "View Designs"}]}
    }
    assert asked[0][0].organization_id == person.organization_id
    answer = await send(http, 'mutation { createToken(input: {name: "ci", days: 7}) { token natsUser } }')
    assert answer["data"]["createToken"] == {"token": "secret", "natsUser": ""}
    assert made[0][0].days == 7


async def test_what_rest_has_is_there_as_well(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(identity.GET_PREFERENCES, identity.Preferences(grafana={"grafanaURL": "http://g"}))
    saved = await stubs.answer(identity.SAVE_PREFERENCES, identity.Preferences())
    supported = [designs.SupportedType(design_type="Design", supported_extensions=[".yml"])]
    await stubs.answer(designs.TYPES, designs.SupportedTypes(types=supported))
    context = connections.KubernetesContext(
        id="c", name="dev", server="https://dev", created_at=NOW, updated_at=NOW
    )
    problem = NotFound("It is gone.", code="x").problem
    refused = [connections.RefusedContext(name="old", problem=problem)]
    await stubs.answer(
        connections.READ_CONTEXTS, connections.ContextList(contexts=[context], refused=refused)
    )
    await stubs.answer(connections.PING, connections.PingReply(server_version="v1.36.3"))
    event = events.Event(
        id=uuid4(),
        organization_id=uuid4(),
        acted_upon=uuid4(),
        operation_id=uuid4(),
        system_id=uuid4(),
        severity=Severity.SUCCESS,
        category="test",
        action="poke",
        description="",
        created_at=NOW,
        updated_at=NOW,
    )
    recorded = await stubs.answer(events.RECORD, event)
    deleted = await stubs.answer(events.DELETE, Nothing())
    one = uuid4()
    query = """query ($one: UUID!) { preferences designTypes { designType supportedExtensions }
        kubeconfigContexts(kubeconfig: "…") { contexts { name connectionId } refused { name problem { title } } }
        clusterVersion(connectionId: $one) }"""
    assert (await send(http, query, variables={"one": str(one)}))["data"] == {
        "preferences": identity.Preferences(grafana={"grafanaURL": "http://g"}).model_dump(mode="json"),
        "designTypes": [{"designType": "Design", "supportedExtensions": [".yml"]}],
        "kubeconfigContexts": {
            "contexts": [{"name": "dev", "connectionId": None}],
            "refused": [{"name": "old", "problem": {"title": "It is gone."}}],
        },
        "clusterVersion": "v1.36.3",
    }
    mutation = """mutation ($one: UUID!, $event: RecordEventInput!) {
        savePreferences(preferences: {anonymousUsageStats: true}) recordEvent(input: $event) { severity }
        deleteEvents(ids: [$one]) }"""
    reported = {"actedUpon": str(one), "action": "poke", "category": "test", "severity": "success"}
    answer = await send(http, mutation, variables={"one": str(one), "event": reported})
    assert answer["data"]["deleteEvents"] == [str(one)]
    assert saved[0][0].preferences == {"anonymousUsageStats": True}
    assert (recorded[0][0].acted_upon, recorded[0][0].severity) == (one, Severity.SUCCESS)
    assert deleted[0][0].event_ids == [one]


async def test_fields_of_meshery(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(designs.LIST, DesignPage(total_count=1, page_size=10, patterns=[a_design()]))
    await stubs.answer(inventory.SUMMARIZE, inventory.Summary(kinds=[], namespaces=["shop"], total_count=0))
    counts = definitions.RegistrySummary(
        models=2, components=8, relationships=0, policies=0, registrants=1, categories=1, generation=1,
        components_by_model=[definitions.NameCount(name="Kubernetes", count=8)], relationships_by_model=[],
    )  # fmt: skip
    await stubs.answer(definitions.SUMMARY, counts)
    answer = await send(
        http,
        """{
          fetchPatterns(selector: {page: "0", pageSize: "10", order: "", search: ""}) {
            page page_size total_count
            patterns { id name user_id pattern_file visibility canSupport created_at type { String Valid }
              location { host } } }
          fetchPatternCatalogContent(selector: {page: "0", pagesize: "all", search: "", order: ""}) { name }
          getAvailableNamespaces(k8sClusterIDs: ["all"]) { namespace }
          getMeshModelSummary(selector: {type: "components"}) {
            components { name count } relationships { name count } }
        }""",
    )
    assert "errors" not in answer, answer
    data = answer["data"]
    (pattern,) = data["fetchPatterns"]["patterns"]
    assert pattern["type"] == {"String": "Kubernetes Manifest", "Valid": True}
    assert pattern["canSupport"] is True
    assert UUID(pattern["user_id"]).version == 4
    assert pattern["created_at"] == "2026-01-02T03:04:05Z"
    assert data["getAvailableNamespaces"] == [{"namespace": "shop"}]
    assert data["getMeshModelSummary"] == {
        "components": [{"name": "Kubernetes", "count": 8}],
        "relationships": None,
    }


async def test_limits_hold_before_anything_runs(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(designs.LIST, DesignPage(patterns=[]))
    inner = "runs(pageSize: 100) { runs { design { versions(pageSize: 100) { versions { name } } } } }"
    for query, code in (
        (f"{{ designs(pageSize: 100) {{ designs {{ {inner} }} }} }}", "cost_exceeded"),
        ("{ " + " ".join(f"a{i}: designs {{ totalCount }}" for i in range(31)) + " }", "too_many_aliases"),
        ("{ designs { " + "designs { runs { runs { design { " * 4 + "id" + " } } } }" * 4 + " } }",
         "graphql_validation"),
        ("{ designs { designs { " + "runs { runs { design { " * 4 + "id" + " } } }" * 4 + " } } }",
         "too_many_levels"),
        ("{ me { id } } #" + "x" * 40_000, "document_too_large"),
    ):  # fmt: skip
        answer = await send(http, query)
        assert answer["errors"][0]["extensions"]["code"] == code, answer
    assert asked == []


async def test_the_explorer_runs_under_our_content_policy(http: ClientSession) -> None:
    async with http.get("/api/system/graphql/playground") as response:
        page = await response.text()
        assert response.headers["Content-Type"].startswith("text/html")
        policy = response.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert page.count("<script") == page.count('<script src="/api/system/graphql/') == 1
    assert "http://" not in page
    assert "https://" not in page
    for name, kind in (("explorer.js", "text/javascript"), ("explorer.css", "text/css")):
        async with http.get(f"/api/system/graphql/{name}") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith(kind)
    async with http.get("/graphql/schema.graphql") as response:
        assert await response.text() == sdl()
