"""Whatever is sent, the answer is ours: an error in our shape, never a 5xx, never a stack trace; then it still serves.

The table of routes is walked, so that a route added tomorrow is attacked without a line here.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from tests.system import hostile
from tests.system.attacker import STREAMS, Attacker, attacked, attacking, filled, nothing, raw_request, routes
from yarl import URL

from meshery_gateway.http.routes import Route
from meshery_gateway.settings import GatewaySettings

_GRAPHQL = "/api/system/graphql/query"
#: Values for each parameter in the tests that do not take minutes.
_SHARE = 5


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with attacked(tmp_path_factory.mktemp("attacked") / "home") as one:
        yield one


@pytest.fixture
async def attacker(url: str) -> AsyncIterator[Attacker]:
    async with attacking(url) as one:
        yield one


# --- which host, which page ------------------------------------------------------------------------------------


async def test_a_foreign_host_is_refused_on_every_route(attacker: Attacker) -> None:
    hosts = (
        "evil.example",
        "evil.example:9081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "evil.example/127.0.0.1",
        "[::1].evil.example",
        "[::1]evil.example",
        "localhost:80:evil.example",
        "localhost:evil.example",
        "0.0.0.0",
        "127.0.0.2",
        "2130706433",
        "[::ffff:127.0.0.1]",
    )
    passed = []
    for route in routes():
        for host in hosts:
            answer = await attacker.send(route.method, filled(route), headers={"Host": host}, what=host)
            if answer.status != 421 or json.loads(answer.text)["code"] != "host_foreign":
                passed.append(f"{answer.what}: {answer.status} {answer.text[:100]}")
    nothing(passed)
    await attacker.still_serves()


async def test_a_foreign_page_changes_nothing_and_opens_no_socket(attacker: Attacker) -> None:
    port = URL(attacker.url).port
    pages: tuple[dict[str, str], ...] = (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"http://127.0.0.1:{port}.evil.example"},
        {"Origin": f"http://127.0.0.1:{(port or 0) + 1}"},
        {"Origin": f"http://evil.example#127.0.0.1:{port}"},
        {"Origin": f"http://user@127.0.0.1:{port}@evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "whatever"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": attacker.url},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    )
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    passed = []
    for route in routes():
        socket = {**upgrade, "Sec-WebSocket-Key": base64.b64encode(b"0" * 16).decode()}
        for page in pages:
            headers = page if route.method not in ("GET", "HEAD") else {**socket, **page}
            answer = await attacker.send(route.method, filled(route), headers=headers, what=str(page))
            if answer.status != 403 or json.loads(answer.text)["code"] != "origin_foreign":
                passed.append(f"{answer.what}: {answer.status} {answer.text[:100]}")
    nothing(passed)
    own = {"Origin": attacker.url, "Sec-Fetch-Site": "same-origin"}
    assert (await attacker.send("POST", "/api/pattern", headers=own, data=b"{}")).status != 403
    await attacker.still_serves()


async def test_who_is_not_on_this_machine_needs_a_token(attacker: Attacker) -> None:
    guarded = [route for route in routes() if route.keys]
    passed = []
    for route in guarded:
        for header in ("X-Forwarded-For", "Forwarded"):
            answer = await attacker.send(route.method, filled(route), headers={header: "203.0.113.9"})
            if answer.status != 401 or answer.wrong():
                passed.append(f"{answer.what}: {answer.status} {answer.text[:100]}")
    nothing(passed)


# --- values ----------------------------------------------------------------------------------------------------


async def test_hostile_ids_in_every_path(attacker: Attacker) -> None:
    attacks = [
        attacker.send(route.method, filled(route, value), data=b"{}" if route.method != "GET" else None)
        for route in routes()
        if "{" in route.path
        for value in hostile.VALUES
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


def queries(route: Route) -> list[str]:
    """The names of parameters that a route reads."""
    return sorted({*route.query, "cursor", "page", "provider"})


async def test_hostile_queries_on_every_list(attacker: Attacker) -> None:
    # Each parameter gets its share of the values; all of them take minutes.
    values = itertools.cycle(hostile.VALUES)
    attacks = [
        attacker.send("GET", f"{filled(route)}?{name}={quote(value, safe='')}")
        for route in routes()
        if route.method == "GET" and route.path not in STREAMS
        for name in queries(route)
        for value in itertools.islice(values, _SHARE)
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_every_hostile_value_in_every_query(attacker: Attacker) -> None:
    attacks = [
        attacker.send("GET", f"{filled(route)}?{name}={quote(value, safe='')}")
        for route in routes()
        if route.method == "GET" and route.path not in STREAMS
        for name in queries(route)
        for value in hostile.VALUES
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


async def test_hostile_headers(attacker: Attacker) -> None:
    names = (
        "Idempotency-Key",
        "Authorization",
        "meshery-token",
        "meshery-provider",
        "Cookie",
        "traceparent",
        "If-None-Match",
        "Last-Event-ID",
        "Accept-Encoding",
        "Content-Type",
        "Content-Encoding",
        "Expect",
        "Range",
        "Accept-Language",
    )
    values = (
        "",
        "x" * 5000,
        "ä\udcff",
        "\t",
        "Bearer",
        "Bearer " + "x" * 6000,
        "Bearer ä",
        "token=ä; meshery-provider=💥",
        "token=" + "x" * 6000,
        "gzip",
        "multipart/form-data",
        "application/json; charset=bogus",
        "\x7f",
        "a,b;c=d",
    )
    paths = (
        ("GET", "/api/pattern"),
        ("POST", "/api/pattern"),
        ("POST", _GRAPHQL),
        ("POST", "/api/system/kubernetes"),
        ("GET", "/api/system/events/subscribe"),
    )
    attacks = [
        raw_request(attacker, method, path, [(name, value)], b"{}" if method == "POST" else b"")
        for method, path in paths
        for name in names
        for value in values
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


# --- bodies ----------------------------------------------------------------------------------------------------


async def test_hostile_bodies_on_every_write(attacker: Attacker) -> None:
    attacks = [
        attacker.send(route.method, filled(route), data=body, what=body[:200].decode(errors="replace"))
        for route in routes()
        if route.method != "GET"
        for body in hostile.json_bodies()
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_one_hostile_field_at_a_time_on_every_write(attacker: Attacker) -> None:
    attacks = [
        attacker.send(route.method, filled(route), data=body, what=body[:300].decode(errors="replace"))
        for route in routes()
        if route.method != "GET"
        for body in hostile.single_field_bodies()
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()


async def test_too_large_a_body_on_every_write(attacker: Attacker) -> None:
    usual = GatewaySettings().max_body_bytes
    passed = []
    for route in routes():
        if route.method == "GET":
            continue
        size = (route.max_body_bytes or usual) + 1
        if size > usual * 2 and route.path not in ("/api/pattern/import", _GRAPHQL):
            continue
        answer = await attacker.send(route.method, filled(route), data=b'{"a": "' + b"x" * size + b'"}')
        # A route without a body need not read it; one with a form wants a form.
        if answer.wrong() or (answer.status >= 400 and answer.status not in (400, 404, 413)):
            passed.append(f"{answer.what}: {answer.status} {answer.text[:200]}")
    nothing(passed)
    await attacker.still_serves()


# --- documents -------------------------------------------------------------------------------------------------


async def test_hostile_documents_are_refused_and_hold_up_nobody(attacker: Attacker, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    wrong: list[str] = []
    slowest = 0.0
    done = asyncio.Event()

    async def others() -> None:
        nonlocal slowest
        while not done.is_set():
            started = time.monotonic()
            await attacker.rest.get("/api/pattern")
            slowest = max(slowest, time.monotonic() - started)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        group.create_task(others())
        for name, content in hostile.documents(str(witness)).items():
            file = base64.b64encode(content).decode()
            body = json.dumps({"name": name, "fileName": f"{name}.yaml", "file": file}).encode()
            answer = await attacker.send("POST", "/api/pattern/import", data=body, what=name)
            wrong += [answer.wrong()]
            text = content.decode(errors="replace")
            for inner in ({"pattern_file": text}, {"source_content": text}):
                for path in ("/api/pattern", "/api/pattern/Design"):
                    body = json.dumps({"save": True, "name": name, "pattern_data": inner}).encode()
                    answer = await attacker.send("POST", path, data=body, what=f"{name} in {list(inner)}")
                    wrong += [answer.wrong()]
        done.set()
    nothing(wrong)
    assert not witness.exists(), "a document's command was run"
    assert slowest < 10, f"somebody else waited {slowest:.1f} s for his list"
    await attacker.still_serves()


async def test_hostile_kubeconfigs_run_nothing_and_read_nothing(attacker: Attacker, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    wrong = []
    for name, text in hostile.kubeconfigs(str(witness)).items():
        for path in ("/api/system/kubernetes/contexts", "/api/system/kubernetes"):
            form = aiohttp.FormData()
            form.add_field("k8sfile", text, filename="../../kubeconfig")
            answer = await attacker.send("POST", path, data=form, what=name)
            wrong.append(answer.wrong())
            if "root:" in answer.text:
                wrong.append(f"{name}: our files are shown: {answer.text[:300]}")
    nothing(wrong)
    assert not witness.exists(), "a kubeconfig's command was run"
    listed = await attacker.rest.get("/api/integrations/connections")
    assert not [one for one in listed["connections"] if one["status"] == "connected"], listed
    await attacker.still_serves()


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
async def test_hostile_forms(attacker: Attacker) -> None:
    whole = b'--b\r\nContent-Disposition: form-data; name="k8sfile"; filename="k"\r\n\r\ntext\r\n--b--\r\n'
    forms = {
        "no boundary": ("multipart/form-data", whole),
        "other boundary": ("multipart/form-data; boundary=c", whole),
        "cut": ("multipart/form-data; boundary=b", whole[:-20]),
        "no name": ("multipart/form-data; boundary=b", whole.replace(b'name="k8sfile"; ', b"")),
        "no header": ("multipart/form-data; boundary=b", b"--b\r\n\r\ntext\r\n--b--\r\n"),
        "nested": (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 50,
        ),
        "encoding": (
            "multipart/form-data; boundary=b",
            whole.replace(b"\r\n\r\ntext", b"\r\nContent-Transfer-Encoding: evil\r\n\r\ntext"),
        ),
        "length": (
            "multipart/form-data; boundary=b",
            whole.replace(b"\r\n\r\ntext", b"\r\nContent-Length: -5\r\n\r\ntext"),
        ),
        "many headers": (
            "multipart/form-data; boundary=b",
            b"--b\r\n" + b"A: b\r\n" * 5000 + b"\r\ntext\r\n--b--\r\n",
        ),
        "long boundary": ("multipart/form-data; boundary=" + "b" * 4000, whole),
        "no text": ("multipart/form-data; boundary=b", whole.replace(b"text", b"\xff\xfe\x00")),
        "empty": ("multipart/form-data; boundary=b", b""),
        "garbage": ("multipart/form-data; boundary=b", bytes(range(256)) * 20),
        "modes": (
            "multipart/form-data; boundary=b",
            whole[:-7]
            + b'\r\n--b\r\nContent-Disposition: form-data; name="meshsync_deployment_mode"\r\n\r\nevil\r\n--b--\r\n',
        ),
    }
    attacks = [
        attacker.send("POST", path, headers={"Content-Type": kind}, data=content, what=name)
        for name, (kind, content) in forms.items()
        for path in ("/api/system/kubernetes/contexts", "/api/system/kubernetes")
    ]
    nothing(await attacker.send_all(attacks))
    await attacker.still_serves()
