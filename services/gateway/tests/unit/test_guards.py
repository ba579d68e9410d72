"""What is a host and an origin of ours, and what only looks like one."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from meshery_contracts.errors import ProblemError
from meshery_gateway.http.guards import Guard, from_loopback


def code(method: str = "GET", **headers: str) -> str:
    """The code that a request is refused with; empty when it passes."""
    sent = {"Host": "127.0.0.1:9081", **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        Guard("", ["meshery.example"]).check(make_mocked_request(method, "/", headers=sent))
    except ProblemError as error:
        return error.problem.code
    return ""


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:9081", "[::1]", "[::1]:9081", "meshery.example:443"]
)
def test_our_own_hosts(host: str) -> None:
    assert code(Host=host) == ""


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "localhost:evil.example",
        "localhost:80:evil.example",
        "localhost@evil.example",
        "localhost:80@evil.example",
        "[::1].evil.example",
        "[::1]evil.example",
        "[::1",
        "localhost:",
        "localhost:999999",
        "localhost/evil",
    ],
)
def test_foreign_hosts(host: str) -> None:
    assert code(Host=host) == "host_foreign"


@pytest.mark.parametrize("origin", ["", "null", "https://evil.example", "http://127.0.0.1:9081.evil.example"])
def test_a_foreign_origin_may_read_and_not_write(origin: str) -> None:
    assert code("GET", Origin=origin) == ""
    assert code("POST", Origin=origin) == "origin_foreign"
    assert code("GET", Origin=origin, Upgrade="websocket") == "origin_foreign"


def test_our_own_origin_writes() -> None:
    assert code("POST", Origin="http://127.0.0.1:9081", Sec_Fetch_Site="same-origin") == ""


@pytest.mark.parametrize(
    ("remote", "headers"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:9081"}),
        ("127.0.0.1", {"Host": "localhost"}),
        ("::1", {"Host": "[::1]:9081"}),
    ],
)
def test_whoever_is_on_this_machine(remote: str, headers: dict[str, str]) -> None:
    assert from_loopback(make_mocked_request("GET", "/", headers=headers).clone(remote=remote))


@pytest.mark.parametrize(
    ("remote", "headers"),
    [
        ("192.0.2.1", {"Host": "127.0.0.1:9081"}),
        ("127.0.0.1", {"Host": "meshery.example"}),
        ("127.0.0.1", {"Host": "127.0.0.1", "X-Forwarded-For": "192.0.2.1"}),
        ("127.0.0.1", {"Host": "127.0.0.1", "x-real-ip": "192.0.2.1"}),
        ("127.0.0.1", {"Host": "127.0.0.1", "Via": "1.1 proxy"}),
        ("", {"Host": "127.0.0.1"}),
    ],
)
def test_whoever_may_be_elsewhere(remote: str, headers: dict[str, str]) -> None:
    assert not from_loopback(make_mocked_request("GET", "/", headers=headers).clone(remote=remote))
