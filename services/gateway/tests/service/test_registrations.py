"""Status, deletion, registrants with and without a token, quarantine."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from pydantic import ValidationError

from meshery_contracts import registrations as contract
from meshery_contracts.caller import Caller
from meshery_contracts.registrations import (
    DefinitionStatus,
    DeletedModel,
    QuarantinePage,
    RegisteredDefinition,
    StatusReport,
    StatusType,
    Verdict,
)
from meshery_contracts.registry import Document
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.stubs import Stubs

PUSHES = (
    "/api/registry/components",
    "/api/meshmodels/components",
    "/api/registry/relationships",
    "/api/meshmodels/relationships",
    "/api/meshmodel/components/register",
)
BODY = {"connection": {"kind": "istio", "name": "mesh"}, "entityType": "component", "entity": "e30="}
ORGANIZATION_ID = UUID(int=7)
UNKNOWN = {"Authorization": "Bearer unknown"}
REGISTERED = RegisteredDefinition(entity_type="component", name="Gateway")


async def send(
    http: ClientSession,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Any:
    async with http.request(method, path, json=body, headers=headers) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


@pytest.mark.parametrize("prefix", ["/api/registry", "/api/meshmodels"])
async def test_a_status_is_set(http: ClientSession, stubs: Stubs, prefix: str) -> None:
    report = StatusReport(
        entity_type=StatusType.MODEL,
        id=uuid4(),
        status=DefinitionStatus.IGNORED,
        previous="enabled",
        generation=2,
    )
    asked = await stubs.answer(contract.SET_STATUS, report)
    body = {"id": str(report.id), "status": "ignored", "displayname": "Istio"}
    for entity_type in ("models", "model"):
        answer = await send(http, f"{prefix}/{entity_type}/status", body)
        assert answer["entityType"] == answer["entity_type"] == "model"
    assert asked[0][0] == asked[1][0]
    assert (asked[0][0].id, asked[0][0].status) == (report.id, DefinitionStatus.IGNORED)
    assert (await send(http, f"{prefix}/cats/status", body, status=400))["code"] == "entity_type_unknown"
    body["status"] = "asleep"
    assert (await send(http, f"{prefix}/models/status", body, status=400))["code"] == "request_invalid"


async def test_a_model_is_deleted(http: ClientSession, stubs: Stubs) -> None:
    gone = DeletedModel(id=uuid4(), name="istio", version="1", components=2, relationships=1, generation=3)
    asked = await stubs.answer(contract.DELETE_MODEL, gone)
    for prefix in ("/api/registry", "/api/meshmodels"):
        answer = await send(http, f"{prefix}/models/{gone.id}", method="DELETE")
        assert answer["name"] == "istio"
    assert [request.model_id for request, _ in asked] == [gone.id] * 2
    assert (await send(http, "/api/registry/models/istio", method="DELETE", status=400))[
        "code"
    ] == "id_invalid"


async def test_registrants_push_to_every_path(http: ClientSession, stubs: Stubs, person: Caller) -> None:
    asked = await stubs.answer(contract.REGISTER_DEFINITION, REGISTERED)
    for path in PUSHES:
        assert (await send(http, path, BODY))["name"] == "Gateway"
        assert (await send(http, path, BODY, status=401, headers=UNKNOWN))["word"] == "unauthenticated"
    assert {(one.connection.kind, one.entity_type, one.entity) for one, _ in asked} == {
        ("istio", "component", "e30=")
    }
    assert {caller.user_id for _, caller in asked} == {person.user_id}


async def test_an_old_adapter_tells_its_host(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(contract.REGISTER_DEFINITION, REGISTERED)
    host = {"Hostname": "meshery-istio", "Port": 10000, "Metadata": "1-2-3", "IHost": None}
    await send(http, PUSHES[-1], {"host": host, "entityType": "component", "entity": "e30="})
    connection = asked[0][0].connection
    assert (connection.kind, connection.name) == ("meshery-adapter", "meshery-istio")
    assert connection.metadata == {"host_name": "meshery-istio", "port": 10000, "instance": "1-2-3"}


async def test_quarantine(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(contract.LIST_QUARANTINED, QuarantinePage(quarantined=[]))
    await stubs.answer(contract.GET_QUARANTINED, Document(entity={"kind": "Gateway"}))
    approved = await stubs.answer(contract.APPROVE, Verdict(definitions=[REGISTERED]))
    rejected = await stubs.answer(contract.REJECT, Verdict(definitions=[]))
    path, one = "/api/registry/quarantine", uuid4()
    assert (await send(http, path, method="GET"))["quarantined"] == []
    assert (await send(http, f"{path}/{one}", method="GET"))["entity"] == {"kind": "Gateway"}
    assert (await send(http, f"{path}/approve", {"ids": [str(one)]}))["definitions"][0]["name"] == "Gateway"
    await send(http, f"{path}/reject", {"ids": [str(one)]})
    assert approved[0][0].ids == rejected[0][0].ids == [one]
    await send(http, f"{path}/approve", {"ids": []}, status=400)


def open_to(nats: NATSForTests, *networks: str) -> GatewaySettings:
    """A gateway that lets some networks push."""
    values = {"registrant_networks": networks, "registrant_organization": ORGANIZATION_ID}
    return GatewaySettings.model_validate({"bus": nats.bus_settings("gateway"), "port": 0, **values})


class TestRegistrantsWithoutTokens:
    """Networks that this machine is in."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return open_to(nats, "127.0.0.0/8")

    async def test_they_land_in_quarantine(self, http: ClientSession, stubs: Stubs, people: People) -> None:
        kept = await stubs.answer(
            contract.REGISTER_UNVERIFIED, REGISTERED.model_copy(update={"quarantined": True})
        )
        asked = await stubs.answer(contract.REGISTER_DEFINITION, REGISTERED)
        local = people.tokens.pop("")
        for path in PUSHES:
            assert (await send(http, path, BODY))["quarantined"]
            # A token that is wrong is a mistake that its owner should hear of.
            await send(http, path, BODY, status=401, headers=UNKNOWN)
        assert {(one.organization_id, one.received_from) for one, _ in kept} == {
            (ORGANIZATION_ID, "127.0.0.1")
        }
        assert asked == []
        # With a token everything is as ever, keys included.
        people.tokens["mine"], people.tokens["powerless"] = local, people.caller(key_bits=0)
        mine, powerless = ({"Authorization": f"Bearer {one}"} for one in ("mine", "powerless"))
        assert not (await send(http, PUSHES[0], BODY, headers=mine))["quarantined"]
        assert (await send(http, PUSHES[0], BODY, status=403, headers=powerless))["word"] == "forbidden"

    async def test_what_a_proxy_says_is_not_believed(
        self, http: ClientSession, stubs: Stubs, people: People
    ) -> None:
        people.tokens.clear()
        kept = await stubs.answer(contract.REGISTER_UNVERIFIED, REGISTERED)
        for name in ("X-Forwarded-For", "Forwarded"):
            await send(http, PUSHES[0], BODY, status=401, headers={name: "127.0.0.1"})
        assert kept == []

    async def test_what_the_sender_says_of_the_organisation_is_ignored(
        self, http: ClientSession, stubs: Stubs, people: People
    ) -> None:
        people.tokens.clear()
        kept = await stubs.answer(contract.REGISTER_UNVERIFIED, REGISTERED)
        body = {**BODY, "organizationId": str(uuid4()), "organization_id": str(uuid4()), "receivedFrom": "me"}
        await send(http, PUSHES[0], body)
        assert (kept[0][0].organization_id, kept[0][0].received_from) == (ORGANIZATION_ID, "127.0.0.1")


class TestOtherNetworks:
    """Networks that this machine is not in."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return open_to(nats, "10.0.0.0/8", "fd00::/8")

    async def test_nobody_gets_in(self, http: ClientSession, people: People) -> None:
        people.tokens.clear()
        for path in PUSHES:
            await send(http, path, BODY, status=401)


def test_networks_need_an_organisation() -> None:
    with pytest.raises(ValidationError, match="registrant_organization"):
        GatewaySettings.model_validate({"registrant_networks": ["10.0.0.0/8"]})
