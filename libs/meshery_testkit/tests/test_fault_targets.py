"""Which verb and resource a request is: as Kubernetes counts them."""

import pytest

from meshery_testkit.faults import Drop, Injection, Target


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "pods", "", "", "")),
        ("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces", {}, ("list", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", {}, ("get", "namespaces", "", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, ("update", "namespaces", "", "a", "finalize")),
        ("POST", "/api/v1/namespaces/a/pods", {}, ("create", "pods", "a", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/b/log", {}, ("get", "pods", "a", "b", "log")),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", {}, ("patch", "deployments", "a", "b", "")),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments/b", {}, ("delete", "deployments", "a", "b", "")),
        ("DELETE", "/apis/apps/v1/deployments", {}, ("deletecollection", "deployments", "", "", "")),
        ("GET", "/apis", {}, ("get", "", "", "", "")),
        ("GET", "/apis/apps/v1", {}, ("get", "", "", "", "")),
        ("GET", "/version", {}, ("get", "", "", "", "")),
    ],
)
def test_requests_are_read_as_the_api_server_reads_them(
    method: str, path: str, query: dict[str, str], expected: tuple[str, ...]
) -> None:
    found = Target.of(method, path, query)
    assert (found.verb, found.resource, found.namespace, found.name, found.subresource) == expected


async def test_an_injection_skips_counts_and_ends() -> None:
    injection = Injection(Drop(), verb="list", path="/api/*", query="continue", skip=1, times=2)
    fits = Target.of("GET", "/api/v1/pods", {"continue": "x"})
    for other in (
        Target.of("GET", "/api/v1/pods", {}),
        Target.of("GET", "/api/v1/pods", {"continue": "x", "watch": "1"}),
        Target.of("GET", "/apis/apps/v1/deployments", {"continue": "x"}),
    ):
        assert not await injection.takes(other)
    assert [await injection.takes(fits) for _ in range(4)] == [False, True, True, False]
    await injection.happened(2)
    await injection.lift()
    await injection.until_lifted()
