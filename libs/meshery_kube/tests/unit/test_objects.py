"""Reading, writing, paging: what is sent, and what becomes of the answers."""

from typing import Any

import orjson
import pytest
from aiohttp import web

from meshery_kube import (
    Kind,
    LogOptions,
    PatchKind,
    Propagation,
    Selection,
    Validation,
    errors,
)
from meshery_kube.kinds import NAMESPACE, POD

CONFIG = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)
A = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns"}}


class Recorder:
    """Answers the same to everything and remembers what it was asked."""

    def __init__(self, body: Any = None, code: int = 200) -> None:
        self.body = body or A
        self.code = code
        self.method = self.path = ""
        self.query: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.sent: Any = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.method, self.path, self.query = request.method, request.raw_path, dict(request.query)
        self.headers = dict(request.headers)
        text = await request.read()
        self.sent = orjson.loads(text) if text else None
        return web.json_response(self.body, status=self.code)


async def test_apply_says_all_that_server_side_apply_needs(serve: Any) -> None:
    server = Recorder(code=201)
    kube = await serve(server)
    written = await kube.objects.apply(
        CONFIG, A, force=True, dry_run=True, validation=Validation.STRICT, field_manager="me"
    )
    assert written.created
    assert written.object == A
    assert (server.method, server.path.split("?")[0]) == (
        "PATCH",
        "/api/v1/namespaces/ns/configmaps/a",
    )
    assert server.query == {
        "fieldManager": "me",
        "fieldValidation": "Strict",
        "dryRun": "All",
        "force": "true",
    }
    assert server.headers["Content-Type"] == "application/apply-patch+yaml"
    assert server.sent == A


async def test_the_other_writes(serve: Any) -> None:
    server = Recorder()
    kube = await serve(server)
    await kube.objects.create(CONFIG, A)
    assert (server.method, server.path.split("?")[0]) == ("POST", "/api/v1/namespaces/ns/configmaps")
    await kube.objects.replace(CONFIG, A, subresource="status")
    assert (server.method, server.path.split("?")[0]) == (
        "PUT",
        "/api/v1/namespaces/ns/configmaps/a/status",
    )
    await kube.objects.patch(CONFIG, "a", {"data": {"x": None}}, "ns")
    assert server.headers["Content-Type"] == "application/merge-patch+json"
    await kube.objects.patch(CONFIG, "a", [], "ns", patch_kind=PatchKind.JSON)
    assert server.headers["Content-Type"] == "application/json-patch+json"
    with pytest.raises(errors.NameRefused):
        await kube.objects.create(CONFIG, {"metadata": {"generateName": "a-"}})
    with pytest.raises(errors.NameRefused):
        await kube.objects.apply(CONFIG, {"metadata": {"namespace": "ns"}})


async def test_delete_carries_its_preconditions_and_says_whether_it_is_done(serve: Any) -> None:
    server = Recorder({"kind": "Status", "status": "Success"})
    kube = await serve(server)
    deleted = await kube.objects.delete(
        CONFIG,
        "a",
        "ns",
        propagation=Propagation.FOREGROUND,
        uid="u",
        resource_version="7",
        grace_period_seconds=0,
        dry_run=True,
    )
    assert deleted.finished
    assert server.sent == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "dryRun": ["All"],
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }
    server.body = A
    assert not (await kube.objects.delete(CONFIG, "a", "ns")).finished


async def test_metadata_only_never_falls_back_to_whole_objects(serve: Any) -> None:
    server = Recorder()
    kube = await serve(server)
    await kube.objects.get(CONFIG, "a", "ns", metadata_only=True)
    assert "PartialObjectMetadata;" in server.headers["Accept"]
    assert server.headers["Accept"].count("application/json") == 1
    server.body = {"items": []}
    await kube.objects.page(CONFIG, Selection(metadata_only=True))
    assert "PartialObjectMetadataList;" in server.headers["Accept"]
    assert server.headers["Accept"].count("application/json") == 1


class Pages:
    """Seven objects in pages; the second page's token may have expired."""

    def __init__(self, new_token: str | None = None) -> None:
        self.new_token = new_token
        self.expired = False
        self.queries: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        start = int(request.query.get("continue", "0").lstrip("n"))
        if start and self.new_token is not None and not self.expired:
            self.expired = True
            status = {"kind": "Status", "code": 410, "reason": "Expired",
                      "metadata": {"continue": self.new_token}}  # fmt: skip
            return web.json_response(status, status=410)
        limit = int(request.query.get("limit", "7"))
        end = min(start + limit, 7)
        return web.json_response(
            {
                "kind": "ConfigMapList",
                "metadata": {
                    "resourceVersion": "9",
                    **({"continue": str(end), "remainingItemCount": 7 - end} if end < 7 else {}),
                },
                "items": [{"metadata": {"name": str(n)}} for n in range(start, end)],
            }
        )


async def test_a_list_is_paged_and_its_items_are_whole_objects(serve: Any) -> None:
    server = Pages()
    kube = await serve(server)
    selection = Selection(label_selector="a=b,c!=d", field_selector="metadata.name=x")
    found = [item async for item in kube.objects.list(CONFIG, selection, page_size=3)]
    assert [item["metadata"]["name"] for item in found] == list("0123456")
    assert all((o["apiVersion"], o["kind"]) == ("v1", "ConfigMap") for o in found)
    assert [query.get("continue") for query in server.queries] == [None, "3", "6"]
    assert server.queries[0]["labelSelector"] == "a=b,c!=d"


async def test_an_expired_token_goes_on_inconsistently_if_the_server_offers_it(serve: Any) -> None:
    kube = await serve(Pages(new_token="n3"))
    pages = [page async for page in kube.objects.pages(CONFIG, page_size=3)]
    assert [page.consistent for page in pages] == [True, False, False]
    assert sum(len(page.items) for page in pages) == 7
    kube = await serve(Pages(new_token=""))
    with pytest.raises(errors.Expired):
        async for _ in kube.objects.pages(CONFIG, page_size=3):
            pass


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"metadata": {"name": "x"}}, {"apiVersion": "v1", "kind": "ConfigMap"}),
        ({"apiVersion": "other/v1", "kind": "X"}, {"apiVersion": "other/v1", "kind": "X"}),
        ({"spec": {}, "kind": "X", "apiVersion": "o/v1"}, {"apiVersion": "o/v1", "kind": "X"}),
        ({}, {"apiVersion": "v1", "kind": "ConfigMap"}),
    ],
)
async def test_items_get_the_type_they_lack(
    serve: Any, item: dict[str, Any], expected: dict[str, str]
) -> None:
    kube = await serve(Recorder({"items": [item]}))
    page = await kube.objects.page(CONFIG)
    found = orjson.loads(page.items[0])
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"items": 5}', b'{"items": [1', b'{"a":' * 100_000])
async def test_a_list_that_is_none_is_a_protocol_error(serve: Any, body: bytes) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    kube = await serve(handler)
    with pytest.raises(errors.ProtocolError):
        await kube.objects.page(CONFIG)
    if body != b'{"items": 5}':
        with pytest.raises(errors.ProtocolError):
            await kube.objects.get(CONFIG, "a", "ns")


def a_status(code: int, reason: str, name: str = "a", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": "m",
            "details": {"name": name, **details}}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (405, "MethodNotAllowed", errors.MethodNotAllowed),
        (406, "NotAcceptable", errors.NotAcceptable),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Expired),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (415, "UnsupportedMediaType", errors.UnsupportedMediaType),
        (418, "Teapot", errors.ApiError),
        (422, "Invalid", errors.Invalid),
        (500, "InternalError", errors.ServerFault),
        (501, "x", errors.ServerFault),
        (504, "Timeout", errors.ServerTimeout),
    ],
)
async def test_each_status_has_its_class(
    serve: Any, code: int, reason: str, expected: type[errors.ApiError]
) -> None:
    kube = await serve(Recorder(a_status(code, reason), code))
    with pytest.raises(errors.ApiError) as caught:
        await kube.objects.get(CONFIG, "a", "ns")
    assert type(caught.value) is expected
    assert caught.value.status.reason == reason


async def test_a_kind_that_is_not_served_differs_from_a_missing_object(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="404 page not found\n")

    kube = await serve(handler)
    with pytest.raises(errors.KindNotFound):
        await kube.objects.get(CONFIG, "a", "ns")


async def test_owners_of_conflicting_fields_are_named(serve: Any) -> None:
    causes = [
        {"reason": "FieldManagerConflict", "field": ".spec.replicas",
         "message": 'conflict with "kubectl" using apps/v1'},
        {"reason": "FieldManagerConflict", "field": ".data.x",
         "message": 'conflicts with "hpa" with subresource "scale" using v1'},
        {"reason": "Other", "field": "y", "message": "z"},
    ]  # fmt: skip
    kube = await serve(Recorder(a_status(409, "Conflict", causes=causes), 409))
    with pytest.raises(errors.Conflict) as caught:
        await kube.objects.apply(CONFIG, A)
    assert [(c.manager, c.field) for c in caught.value.field_conflicts] == [
        ("kubectl", "spec.replicas"),
        ("hpa", "data.x"),
    ]


async def test_a_manifest_that_does_not_fit_its_schema_is_invalid_not_a_server_fault(
    serve: Any,
) -> None:
    message = (
        "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): errors:\n"
        "  .spec.foo: field not declared in schema\n  .bar: expected map, got &{x}"
    )
    kube = await serve(Recorder({"kind": "Status", "code": 500, "message": message}, 500))
    with pytest.raises(errors.Invalid) as caught:
        await kube.objects.apply(CONFIG, A)
    assert [cause.field for cause in caught.value.causes] == ["spec.foo", "bar"]


async def test_the_identity_of_a_cluster(serve: Any) -> None:
    server = Recorder({"metadata": {"uid": "the-uid"}})
    kube = await serve(server)
    assert await kube.cluster_id() == "the-uid"
    assert server.path == "/api/v1/namespaces/kube-system"
    server.body = {"metadata": {}}
    with pytest.raises(errors.ProtocolError):
        await kube.cluster_id()


async def test_reviews(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/v1/selfsubjectreviews"):
            return web.Response(status=404)
        if request.path.endswith("selfsubjectreviews"):
            info = {"username": "bob", "groups": ["g"], "extra": {"a": ["b"]}}
            return web.json_response({"status": {"userInfo": info}})
        sent = (await request.json())["spec"]
        if "resourceAttributes" in sent:
            assert sent["resourceAttributes"] == {"verb": "get", "resource": "pods"}
            return web.json_response({"status": {"allowed": True, "reason": "RBAC"}})
        assert sent == {"namespace": "ns"}
        rules = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
        return web.json_response(
            {
                "status": {
                    "incomplete": True,
                    "resourceRules": [rules],
                    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
                }
            }
        )

    kube = await serve(handler)
    person = await kube.reviews.who_am_i()
    assert person is not None
    assert (person.username, person.groups, person.extra) == ("bob", ("g",), {"a": ("b",)})
    assert (await kube.reviews.can_i("get", "pods")).allowed
    rules = await kube.reviews.rules("ns")
    assert rules.incomplete
    assert rules.resources[0].resources == ("pods",)
    assert rules.paths[0].paths == ("/healthz",)


async def test_logs_come_by_lines(serve: Any) -> None:
    seen: dict[str, str] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.update(request.query)
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in (b"one\ntw", b"o\n\nlong" + b"x" * (2 << 20), b"\nlast"):
            await response.write(chunk)
        return response

    kube = await serve(handler)
    options = LogOptions(container="c", follow=True, timestamps=True, tail_lines=5)
    lines = [line async for line in kube.logs.lines("p", "ns", options)]
    assert lines[:3] == [b"one", b"two", b""]
    assert lines[-1] == b"last"
    assert b"".join(lines[3:-1]) == b"long" + b"x" * (2 << 20)
    assert seen == {"container": "c", "follow": "true", "timestamps": "true", "tailLines": "5"}


def test_kinds() -> None:
    assert (POD.api_version, NAMESPACE.qualified_name) == ("v1", "namespaces.v1.core")
    crd = Kind("example.org", "v1", "Thing", "things", namespaced=False)
    assert crd.object_path("a", "ignored") == "/apis/example.org/v1/things/a"
    assert not crd.can("list")


@pytest.mark.parametrize(
    "manifest",
    [
        {"metadata": {"name": 5}},
        {"metadata": {"name": "a", "namespace": ["x"]}},
        {**A, "data": {"x": 2**70}},
        {**A, "data": {5: "x"}},
        {**A, "data": {"x": object()}},
        {**A, "data": "\ud800"},
    ],
)
async def test_a_manifest_that_cannot_be_sent_is_refused_here(serve: Any, manifest: dict[str, Any]) -> None:
    kube = await serve(Recorder())
    for write in (kube.objects.apply, kube.objects.create, kube.objects.replace):
        with pytest.raises((errors.ManifestRefused, errors.NameRefused)):
            await write(CONFIG, manifest)


async def test_answers_of_a_wrong_shape_stay_within_the_hierarchy(serve: Any) -> None:
    server = Recorder({"metadata": [], "status": {"userInfo": {"extra": [], "groups": "x"}}})
    kube = await serve(server)
    with pytest.raises(errors.ProtocolError):
        await kube.cluster_id()
    assert (await kube.reviews.who_am_i()).groups == ()
    server.body = {"status": []}
    assert not (await kube.reviews.can_i("get", "pods")).allowed
    assert (await kube.reviews.rules()).resources == ()
    server.body = {"paths": []}
    assert await kube.openapi.index() == ()
