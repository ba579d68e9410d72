"""Operations, frames and bytes that no honest client sends: each is refused, and everybody else is served."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.system.attacker import Attacker, attacked, attacking, nothing, raw
from yarl import URL

_GRAPHQL = "/api/system/graphql/query"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with attacked(tmp_path_factory.mktemp("attacked") / "home") as one:
        yield one


@pytest.fixture
async def attacker(url: str) -> AsyncIterator[Attacker]:
    async with attacking(url) as one:
        yield one


# --- GraphQL ---------------------------------------------------------------------------------------------------


async def test_hostile_operations(attacker: Attacker) -> None:
    aliases = "{" + " ".join(f"a{n}: designs {{ totalCount }}" for n in range(5000)) + "}"
    directives = "{ designs " + "@include(if: true) " * 5000 + "{ totalCount } }"
    spread = "".join(f"fragment f{n} on DesignPage {{ ...f{n + 1} ...f{n + 1} }} " for n in range(40))
    documents: list[Any] = [
        "",
        "{",
        "{ __typename " * 2000,
        "{ nothing }",
        aliases,
        directives,
        "{ designs { ...f0 } } " + spread + "fragment f40 on DesignPage { totalCount }",
        "{ designs { ...f } } fragment f on DesignPage { ...f }",
        "query q { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }",
        "query a { __typename } query b { __typename }",
        '{ design(id: "\\u0000") { id } }',
        '{ design(id: "../../x") { id } }',
        '{ designs(filter: {search: "\' or 1=1 --"}) { totalCount } }',
        '{ design(id: "' + "x" * 10_000 + '") { id } }',
        "subscription { designs { id } }",
        "#" * 100_000,
        "{ a(b: " + "[" * 5000 + "]" * 5000 + ") }",
        "\x00",
        "\ufeff{ __typename }",
        None,
        5,
        ["{ __typename }"],
        {"query": "{ __typename }"},
    ]
    bodies = [json.dumps({"query": one}).encode() for one in documents]
    bodies += [
        json.dumps([{"query": "{ __typename }"}] * 1000).encode(),
        json.dumps({"query": "{ __typename }", "variables": "text"}).encode(),
        json.dumps({"query": "{ __typename }", "variables": []}).encode(),
        json.dumps({"query": "{ __typename }", "operationName": "missing"}).encode(),
        json.dumps(
            {"query": "query ($id: UUID!) { design(id: $id) { id } }", "variables": {"id": "\x00"}}
        ).encode(),
        json.dumps(
            {"query": "query ($id: UUID!) { design(id: $id) { id } }", "variables": {"id": {}}}
        ).encode(),
        json.dumps(
            {"query": "{ __typename }", "extensions": {"persistedQuery": {"sha256Hash": "x"}}}
        ).encode(),
    ]
    wrong = []
    for body in bodies:
        started = time.monotonic()
        answer = await attacker.send("POST", _GRAPHQL, data=body, what=body[:100].decode())
        wrong.append(answer.wrong())
        if '"internal"' in answer.text:
            wrong.append(f"{answer.what}: {answer.text[:300]}: our fault, says the answer")
        if time.monotonic() - started > 5:
            wrong.append(f"{answer.what}: took {time.monotonic() - started:.1f} s")
    nothing(wrong)
    await attacker.still_serves()


# --- bytes -----------------------------------------------------------------------------------------------------


async def test_bytes_that_are_no_http(attacker: Attacker) -> None:
    host = f"Host: {URL(attacker.url).authority}".encode()
    requests = (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + host + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"\r\n" + host + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
        b"POST /api/pattern HTTP/1.1\r\n" + host + b"\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/pattern HTTP/1.1\r\n" + host + b"\r\nContent-Length: x\r\n\r\n",
        b"POST /api/pattern HTTP/1.1\r\n"
        + host
        + b"\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/pattern HTTP/1.1\r\n" + host + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/pattern HTTP/1.1\r\n" + host + b"\r\nTransfer-Encoding: chunked, evil\r\n\r\n",
        b"POST /api/pattern HTTP/1.1\r\n"
        + host
        + b"\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"TRACE / HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET //evil.example/%2e%2e HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /api/pattern/%ff%fe HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /api/pattern?%ff=%fe&=&&a HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /api/system/graphql/playground/..%2f..%2fschema.graphql HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b" GET / HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n " + host + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"\r\nA\x00B: c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )
    wrong = []
    for content in requests:
        text = await raw(attacker, content)
        if re.match(r"HTTP/1\.[01] 5", text) or "Traceback" in text or 'File "/' in text:
            wrong.append(f"{content[:80]!r}: {text[:300]!r}")
    nothing(wrong)
    await attacker.still_serves()


async def test_frames_that_are_no_websocket_frames(attacker: Attacker) -> None:
    def frame(first: int, payload: bytes, *, masked: bool = True, length: bytes = b"") -> bytes:
        size = length or bytes([len(payload)])
        head = bytes([first, size[0] | (0x80 if masked else 0)]) + size[1:]
        return head + (b"\0\0\0\0" if masked else b"") + payload

    frames = {
        "not masked": frame(0x81, b"{}", masked=False),
        "reserved bits": frame(0xF1, b"{}"),
        "unknown opcode": frame(0x83, b"{}"),
        "continuation of nothing": frame(0x80, b"{}"),
        "cut control frame": frame(0x09, b"x"),
        "long control frame": frame(0x89, b"x" * 126, length=b"\x7e\x00\x7e"),
        "huge length": frame(0x81, b"", length=b"\x7f" + b"\x7f" + b"\xff" * 7),
        "no UTF-8": frame(0x81, b"\xff\xfe"),
        "close of one byte": frame(0x88, b"x"),
        "close with a bad code": frame(0x88, b"\x00\x01"),
        "endless fragments": frame(0x01, b"{") + frame(0x00, b"x") * 2000,
        "garbage": bytes(range(256)) * 4,
        "nothing": b"",
        "deep": frame(0x81, b"[" * 60_000, length=b"\x7e" + (60_000).to_bytes(2, "big")),
    }
    key = base64.b64encode(b"0" * 16)
    upgrade = (
        f"GET {_GRAPHQL} HTTP/1.1\r\nHost: {URL(attacker.url).authority}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
        f"Sec-WebSocket-Key: {key.decode()}\r\n\r\n"
    ).encode()
    for name, content in frames.items():
        text = await raw(attacker, upgrade + content)
        assert text.startswith("HTTP/1.1 101"), f"{name}: {text[:200]!r}"
        assert "Traceback" not in text, name
        await attacker.send("GET", "/healthz/live")
    for header in ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Connection"):
        text = await raw(attacker, re.sub(f"{header}: .*\r\n".encode(), f"{header}: x\r\n".encode(), upgrade))
        assert re.match(r"HTTP/1\.1 4", text), f"{header}: {text[:300]!r}"
    await attacker.still_serves()
