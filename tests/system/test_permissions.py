"""Whoever holds no key is refused everywhere: on every REST route, every endpoint over NATS, and in GraphQL.

The tables of routes and endpoints are walked, so that one added tomorrow is tested without a line here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import nats
import orjson
import pytest
from nats.aio.client import Client

from meshery_common.bus import Header
from meshery_contracts import identity
from meshery_contracts.catalogue import contracts
from meshery_gateway.app import PLAIN_ROUTES
from meshery_standalone.app import running
from meshery_standalone.console import Console
from meshery_standalone.settings import StandaloneSettings
from meshery_testkit.hosting import hosted

QUERY = "/api/system/graphql/query"


@dataclass
class Person:
    """Somebody with a token: at the gateway and at NATS."""

    http: aiohttp.ClientSession
    nats: Client
    assertion: str


@pytest.fixture
async def powerless(tmp_path: Path) -> AsyncIterator[Person]:
    """Somebody whose token holds no key at all."""
    settings = StandaloneSettings(
        home=tmp_path,
        port=0,
        nats_port=0,
        nats_monitor_port=0,
        sandbox="off",
        kubeconfig="",
        durable=False,
    )
    async with AsyncExitStack() as stack:
        console = Console(stack.enter_context((tmp_path / "console").open("w")))
        started = await stack.enter_async_context(hosted(running(settings, tmp_path, console)))
        owner = await stack.enter_async_context(aiohttp.ClientSession(started.url))
        async with owner.post("/api/identity/tokens", json={"name": "powerless", "keys": []}) as reply:
            token = await reply.json()
        headers = {"Authorization": f"Bearer {token['token']}"}
        http = await stack.enter_async_context(aiohttp.ClientSession(started.url, headers=headers))
        client = await nats.connect(
            token["natsUrl"],
            user=token["natsUser"],
            password=token["token"],
            inbox_prefix=token["natsInboxPrefix"],
        )
        stack.push_async_callback(client.close)
        exchange = orjson.dumps({"token": token["token"]})
        reply_ = await client.request(identity.EXCHANGE_TOKEN.subject, exchange, timeout=5)
        yield Person(http, client, orjson.loads(reply_.data)["assertion"])


async def test_every_guarded_route_refuses_who_holds_no_key(powerless: Person) -> None:
    wrong: list[str] = []
    guarded = [route for route in PLAIN_ROUTES if route.keys]
    assert len(guarded) > 60
    for route in guarded:
        path = re.sub(r"\{[^}]*\}", str(uuid4()), route.path)
        async with powerless.http.request(route.method, path, allow_redirects=False) as reply:
            body = await reply.json()
            if reply.status != 403 or body.get("code") != "key_missing":
                wrong.append(f"{route.method} {path}: {reply.status} {body}")
    assert wrong == []


async def test_every_guarded_endpoint_refuses_who_holds_no_key(powerless: Person) -> None:
    wrong: list[str] = []
    asked = 0
    for contract in contracts().values():
        for endpoint in contract.endpoints:
            if endpoint.required_key is None or not endpoint.subject.startswith("meshery.rpc."):
                continue
            asked += 1
            headers = {Header.CALLER: powerless.assertion}
            reply = await powerless.nats.request(endpoint.subject, b"{}", timeout=5, headers=headers)
            if (reply.headers or {}).get(Header.ERROR) != "forbidden":
                wrong.append(f"{endpoint.subject}: {reply.headers} {reply.data[:200]!r}")
    assert asked > 40
    assert wrong == []


async def test_graphql_refuses_who_holds_no_key(powerless: Person) -> None:
    for document in (
        "{ designs { totalCount } }",
        "{ connections { totalCount } }",
        "{ events { totalCount } }",
        "{ components { totalCount } }",
        "{ imports { totalCount } }",
        "{ quarantine { totalCount } }",
        'mutation { importDefinitions(input: {url: "https://example.com/crds.yaml"}) { id } }',
        'mutation { savePolicy(input: {file: "name: x"}) { id } }',
    ):
        async with powerless.http.post(QUERY, json={"query": document}) as reply:
            body = await reply.json()
        assert body["errors"][0]["extensions"]["word"] == "forbidden", body
