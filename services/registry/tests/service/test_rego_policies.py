"""Rego policies: kept byte for byte, and evaluated where an OPA server is configured.

The server here is a stand-in: it speaks the three calls that evaluating takes and knows no Rego. What it answers for a
policy is written into the policy's text, after `# answers:`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from meshery_contracts import policies, registry
from meshery_contracts.errors import Invalid, Unavailable
from meshery_contracts.policies import (
    CheckDesign,
    Outcome,
    Policy,
    PolicyReport,
    PolicyState,
    SavePolicy,
    SetPolicyState,
)
from meshery_contracts.registry import ListPolicies
from meshery_registry.app import running
from meshery_registry.settings import RegistrySettings
from meshery_testkit.asking import Client, person
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People

WEB = "11111111-1111-4111-8111-111111111111"
ANSWERS = [
    {"when": "Deployment", "deny": [{"msg": "No Deployments.", "component_id": WEB, "path": "kind"}]},
    {"when": "ConfigMap", "warn": ["Settings.", "Again."], "evaluation": {"design": {}}},
]
SOURCE = f"# answers: {orjson.dumps(ANSWERS).decode()}\r\npackage shop.rules\r\n\r\ndeny[msg] {{ false }}\r\n"
DOCUMENT = {
    "name": "old-rules",
    "language": "rego",
    "tests": [
        {"name": "deployed", "object": {"apiVersion": "apps/v1", "kind": "Deployment"}, "expect": "deny"},
        {"name": "empty", "objects": [], "expect": "pass"},
    ],
}


class StandInForOPA:
    """PUT and DELETE of policies, POST of data; remembers what it was asked."""

    def __init__(self) -> None:
        self.policies: dict[str, str] = {}
        self.inputs: list[dict[str, Any]] = []
        self.away = False
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[StandInForOPA]:
        app = web.Application(middlewares=[self._guard])
        app.router.add_put("/v1/policies/{name}", self._put)
        app.router.add_delete("/v1/policies/{name}", self._delete)
        app.router.add_post("/v1/data/{path:.*}", self._ask)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.away:
            return web.Response(status=500)
        assert request.headers["Authorization"] == "Bearer tell-nobody"
        response: web.StreamResponse = await handler(request)
        return response

    async def _put(self, request: web.Request) -> web.Response:
        text = await request.text()
        if "syntax error" in text:
            errors = [{"code": "rego_parse_error", "message": "unexpected eof", "location": {"row": 3}}]
            return web.json_response({"code": "invalid_parameter", "errors": errors}, status=400)
        self.policies[request.match_info["name"]] = text
        return web.json_response({})

    async def _delete(self, request: web.Request) -> web.Response:
        return web.json_response({}, status=200 if self.policies.pop(request.match_info["name"], "") else 404)

    async def _ask(self, request: web.Request) -> web.Response:
        (text,) = self.policies.values()
        assert request.match_info["path"] == "shop/rules"
        asked = (await request.json())["input"]
        self.inputs.append(asked)
        kinds = {one["kind"] for one in asked["objects"]}
        answers = orjson.loads(text.partition("# answers: ")[2].splitlines()[0])
        result = {key: value for one in answers if one["when"] in kinds for key, value in one.items()}
        return web.json_response({"result": result})


@asynccontextmanager
async def registry_with(
    settings: RegistrySettings, nats: NATSForTests, people: People, opa: str
) -> AsyncIterator[Client]:
    configured = settings.model_copy(
        update={"opa_url": opa, "opa_token": SecretStr("tell-nobody"), "policy_seconds": 2.0}
    )
    async with person(nats, people) as one, hosted(running(configured)):
        yield one


async def saved(client: Client, **fields: Any) -> Policy:
    request = SavePolicy(**{"document": DOCUMENT, "source": SOURCE, **fields})
    return await client.ask(policies.SAVE_POLICY, request, key=uuid4().hex)


async def enabled(client: Client, policy: Policy) -> Policy:
    request = SetPolicyState(policy_id=policy.id, state=PolicyState.ENABLED)
    return await client.ask(policies.SET_POLICY_STATE, request, key=uuid4().hex)


async def checked(client: Client, *components: dict[str, Any]) -> PolicyReport:
    return await client.ask(policies.CHECK_DESIGN, CheckDesign(file=a_design_file(*components)))


async def test_an_opa_server_judges(settings: RegistrySettings, nats: NATSForTests, people: People) -> None:
    async with (
        StandInForOPA().serving() as opa,
        registry_with(settings, nats, people, opa.url) as client,
    ):
        policy = await saved(client)
        assert (policy.evaluated_by, policy.source) == ("opa", SOURCE)
        assert [one.passed for one in policy.tests] == [True, True]
        await enabled(client, policy)
        secret = a_component("Secret", "login", data={"password": "hunter2"})
        report = await checked(client, a_component(), secret, a_component("Deployment", "web", id=WEB))
        assert [(one.rule, one.outcome, one.message) for one in report.findings] == [
            ("deny", Outcome.DENY, "No Deployments."),
            ("warn", Outcome.WARN, "Again."),
            ("warn", Outcome.WARN, "Settings."),
        ]
        first = report.findings[0]
        assert (first.component_id, first.component_name, first.path) == (UUID(WEB), "web", "kind")
        assert opa.policies == {}, "nothing is left behind"
        assert "hunter2" not in str(opa.inputs)
        assert opa.inputs[-1]["components"][0]["configuration"]["metadata"]["name"] == "settings"

        opa.away = True
        report = await checked(client, a_component(name="other"))
        assert not report.allowed
        assert report.findings[0].message == (
            "The policy could not be evaluated: The OPA server does not answer as it should. "
            "it answers with status 500"
        )
        opa.away = False
        assert (await checked(client, a_component(name="other"))).allowed
        with pytest.raises(Invalid) as caught:
            await saved(client, policy_id=policy.id, source=SOURCE + "syntax error")
        assert caught.value.problem.code == "policy_rego"
        assert caught.value.problem.fields[0].path == "source line 3"


async def test_without_an_opa_server_they_are_kept(
    settings: RegistrySettings, nats: NATSForTests, people: People
) -> None:
    async with registry_with(settings, nats, people, "") as client:
        policy = await saved(client)
        reason = "No OPA server is configured: set REGISTRY_OPA_URL."
        assert (policy.source, policy.tests) == (SOURCE, [])
        assert (policy.evaluated_by, policy.not_evaluated_because) == ("none", reason)
        page = await client.ask(registry.LIST_POLICIES, ListPolicies(name="old-rules"))
        assert page.policies is not None
        assert page.policies[0]["expression"] == {"rego": SOURCE}
        assert page.policies[0]["notEvaluatedBecause"] == reason
        with pytest.raises(Unavailable) as caught:
            await enabled(client, policy)
        assert caught.value.problem.probable_cause == (reason,)
        with pytest.raises(Invalid):
            await saved(client, source="deny = 1")
