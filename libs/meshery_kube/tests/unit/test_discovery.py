"""Discovery in both forms, groups that are down, and what changes."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from meshery_kube import Catalogue, KindNotServed, errors
from meshery_kube.catalogues import catalogue_of
from meshery_kube.kinds import Kind

ALL = ["create", "delete", "get", "list", "patch", "update", "watch"]


def resource(plural: str, kind: str, verbs: list[str] = ALL, **more: Any) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": "Namespaced",
        "singularResource": kind.lower(),
        "verbs": verbs,
        **more,
    }


def group(name: str, **versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "versions": [
            {"version": version, "resources": resources, "freshness": "Current"}
            for version, resources in versions.items()
        ],
    }


CORE = [
    group(
        "",
        v1=[
            resource("pods", "Pod", subresources=[{"subresource": "log"}], shortNames=["po"]),
            resource("events", "Event"),
            resource("bindings", "Binding", ["create"]),
        ],
    )
]
GROUPS = [
    group("apps", v1=[resource("deployments", "Deployment")]),
    group("extensions", v1beta1=[resource("deployments", "Deployment")]),
    group("events.k8s.io", v1=[resource("events", "Event")]),
    group(
        "autoscaling",
        v2=[resource("scalers", "Scaler", ["get"]), resource("hpas", "HPA")],
        v1=[resource("scalers", "Scaler"), resource("hpas", "HPA")],
    ),
    group("only.sub", v1=[{"resource": "x", "verbs": [], "subresources": []}]),
]


def discovery(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": items,
    }


class Aggregated:
    """A server with aggregated discovery and ETags."""

    def __init__(self) -> None:
        self.parts = {"/api": CORE, "/apis": GROUPS}
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path not in self.parts:
            return web.Response(status=404, text="404 page not found")
        assert "APIGroupDiscoveryList" in request.headers["Accept"]
        body = orjson.dumps(discovery(self.parts[request.path]))
        etag = f'"{hash(body)}"'
        code = 304 if request.headers.get("If-None-Match") == etag else 200
        self.asked.append((request.path, code))
        if code == 304:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag})


async def test_each_object_is_watched_once_in_the_best_version(serve: Any) -> None:
    kube = await serve(Aggregated())
    found = await kube.discovery.catalogue()
    assert sorted(kind.qualified_name for kind in found.watchable()) == [
        "deployments.v1.apps",
        "events.v1.core",
        "hpas.v2.autoscaling",
        "pods.v1.core",
        "scalers.v1.autoscaling",
    ]
    pod = found.find("v1", "Pod")
    assert pod.subresources == {"log"}
    assert pod.short_names == ("po",)
    assert pod.namespaced
    assert found.preferred("autoscaling", "HPA").version == "v2"
    assert [kind.version for kind in found.versions("autoscaling", "hpas")] == ["v2", "v1"]
    assert found.find("extensions/v1beta1", "Deployment").group == "extensions"
    for api_version, kind in (("v1", "Nope"), ("apps/v2", "Deployment")):
        with pytest.raises(KindNotServed):
            found.find(api_version, kind)
    with pytest.raises(KindNotServed):
        found.preferred("", "Nope")


def test_a_twin_is_watched_where_its_main_group_is_missing() -> None:
    old = Kind("extensions", "v1beta1", "Ingress", "ingresses", True, frozenset(ALL))
    new = Kind("networking.k8s.io", "v1", "Ingress", "ingresses", True, frozenset(ALL))
    assert catalogue_of([old]).watchable() == (old,)
    assert catalogue_of([old, new]).watchable() == (new,)


async def test_what_did_not_change_is_not_sent_again(serve: Any) -> None:
    server = Aggregated()
    kube = await serve(server)
    first = await kube.discovery.catalogue()
    assert await kube.discovery.refresh() == first
    assert [code for _, code in server.asked] == [200, 200, 304, 304]
    server.parts["/apis"] = [*GROUPS, group("x", v1=[resource("ys", "Y")])]
    assert (await kube.discovery.refresh()).find("x/v1", "Y").plural == "ys"


async def test_an_unknown_kind_makes_it_ask_again_but_not_all_the_time(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Aggregated()
    kube = await serve(server)
    with pytest.raises(KindNotServed):
        await kube.discovery.find("x/v1", "Y")
    server.parts["/apis"] = [*GROUPS, group("x", v1=[resource("ys", "Y")])]
    with pytest.raises(KindNotServed):
        await kube.discovery.find("x/v1", "Y")
    monkeypatch.setattr("meshery_kube.discovery._MISS_SECONDS", 0.0)
    assert (await kube.discovery.find("x/v1", "Y")).plural == "ys"


async def test_stale_groups_are_named(serve: Any) -> None:
    server = Aggregated()
    stale = group("metrics.k8s.io", v1=[])
    stale["versions"][0]["freshness"] = "Stale"
    server.parts["/apis"] = [*GROUPS, stale]
    kube = await serve(server)
    assert (await kube.discovery.catalogue()).incomplete == ("metrics.k8s.io/v1",)


OLD: dict[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            },
            {"name": "metrics.k8s.io", "versions": [{"version": "v1"}]},
            {"name": "gone.example", "versions": [{"version": "v1"}]},
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ALL, "shortNames": ["po"]},
            {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
            {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": ALL},
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True,
                       "verbs": ALL}],
    },
    "/apis/apps/v1beta1": {
        "kind": "APIResourceList",
        "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True,
                       "verbs": ALL}],
    },
}  # fmt: skip


async def test_servers_without_aggregation_are_asked_group_by_group(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/apis/metrics.k8s.io/v1":
            return web.Response(status=503)
        if request.path not in OLD:
            return web.Response(status=404)
        return web.json_response(OLD[request.path])

    kube = await serve(handler)
    found: Catalogue = await kube.discovery.catalogue()
    assert [kind.qualified_name for kind in found.watchable()] == [
        "pods.v1.core",
        "namespaces.v1.core",
        "deployments.v1.apps",
    ]
    assert found.find("v1", "Pod").subresources == {"log"}
    assert found.incomplete == ("metrics.k8s.io/v1",)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"x", b'{"kind":"Pod"}'])
async def test_what_is_no_discovery_is_an_error(serve: Any, body: bytes) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    kube = await serve(handler)
    with pytest.raises(errors.ProtocolError):
        await kube.discovery.catalogue()


@pytest.mark.parametrize("items", [[5], [{"versions": 5}], [{"versions": [{"resources": [5]}]}]])
async def test_mangled_discovery_is_read_as_far_as_it_goes(serve: Any, items: list[Any]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(discovery(items))

    kube = await serve(handler)
    assert (await kube.discovery.catalogue()).kinds == ()


async def test_following_tells_of_changes_only(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRDs may not be watched here (404), so only the timer looks."""
    server = Aggregated()
    kube = await serve(server)
    seen: list[Catalogue] = []
    twice = asyncio.Event()

    async def changed(found: Catalogue) -> None:
        seen.append(found)
        if len(seen) == 1:
            server.parts["/apis"] = [*GROUPS, group("x", v1=[resource("ys", "Y")])]
        else:
            twice.set()

    async def follow() -> None:
        await kube.discovery.follow(changed, every=0.02)

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follow())
        await twice.wait()
        await asyncio.sleep(0.1)
        task.cancel()
    assert len(seen) == 2
    assert seen[1].find("x/v1", "Y").plural == "ys"


async def test_openapi_documents_come_from_the_same_server_only(serve: Any) -> None:
    asked: list[str] = []
    index: dict[str, Any] = {
        "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=AB"},
        "apis/x": {"serverRelativeURL": "/openapi/v3/apis/x"},
        "broken": 5,
    }

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        if request.path == "/openapi/v3":
            return web.json_response({"paths": index})
        return web.Response(body=b'{"openapi":"3.0.0"}')

    kube = await serve(handler)
    entries = await kube.openapi.index()
    assert [(entry.name, entry.hash) for entry in entries] == [("api/v1", "AB"), ("apis/x", "")]
    assert await kube.openapi.document(entries[0]) == b'{"openapi":"3.0.0"}'
    assert asked[-1] == "/openapi/v3/api/v1?hash=AB"
    for url in ("//evil/openapi/v3", "http://evil/openapi/", "/api/v1/secrets", "/%2e%2e/x"):
        index["api/v1"] = {"serverRelativeURL": url}
        with pytest.raises(errors.ProtocolError):
            await kube.openapi.index()
