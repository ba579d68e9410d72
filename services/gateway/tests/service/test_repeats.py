"""A route that gives several commands gives each a key of its own, and the same ones when the request is repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from aiohttp import ClientSession

from meshery_common.context import current_request
from meshery_contracts import connections, deployments, designs
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import NotFound
from meshery_contracts.messages import Message
from meshery_testkit.builders import a_design
from meshery_testkit.stubs import Stubs

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

ONCE = {"Idempotency-Key": "once"}


async def keys_of(
    stubs: Stubs, endpoint: Endpoint[RequestT, ReplyT], reply: Callable[[RequestT], ReplyT]
) -> list[str]:
    """The keys that an endpoint is asked with, in order."""
    seen: list[str] = []

    async def handle(request: RequestT, _caller: Caller) -> ReplyT:
        context = current_request()
        assert context is not None
        seen.append(context.idempotency_key)
        return reply(request)

    await (await stubs.bus(endpoint.service)).serve(endpoint, handle)
    return seen


async def twice(send: Callable[[], Awaitable[Any]]) -> None:
    for _ in range(2):
        await send()


async def test_several_designs_are_deleted(http: ClientSession, stubs: Stubs) -> None:
    seen = await keys_of(stubs, designs.DELETE, lambda _: a_design())
    body = {"patterns": [{"id": str(uuid4())}, {"id": str(uuid4())}]}

    async def send() -> None:
        async with http.post("/api/patterns/delete", json=body, headers=ONCE) as reply:
            assert reply.status == 200, await reply.text()

    await twice(send)
    assert len(set(seen)) == 2, seen
    assert seen == seen[:2] * 2


async def test_several_states_are_set(http: ClientSession, stubs: Stubs) -> None:
    def missing(_: connections.SetStatus) -> connections.Connection:
        raise NotFound("There is no such connection.", code="connection_unknown")

    seen = await keys_of(stubs, connections.SET_STATUS, missing)
    for body in ({str(uuid4()): "connected"}, {str(uuid4()): "connected"}):
        path = "/api/integrations/connections/kubernetes/status"
        async with http.put(path, json=body, headers=ONCE) as reply:
            assert reply.status == 404, await reply.text()
    assert len(set(seen)) == 2, "the key belongs to one connection, not to the route"


async def test_a_file_is_saved_and_deployed(http: ClientSession, stubs: Stubs) -> None:
    design = a_design()
    created = await keys_of(stubs, designs.CREATE, lambda _: design)
    deployed = await keys_of(stubs, deployments.DEPLOY, lambda _: a_run(design.id))
    body = {"patternFile": '{"name": "shop", "components": []}'}

    async def send() -> None:
        async with http.post("/api/pattern/deploy", json=body, headers=ONCE) as reply:
            assert reply.status == 200, await reply.text()

    await twice(send)
    assert created == created[:1] * 2
    assert deployed == deployed[:1] * 2
    assert created[0] != deployed[0], "one key for two commands is refused by the service"


def a_run(design_id: UUID) -> deployments.Run:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return deployments.Run(
        id=uuid4(),
        design_id=design_id,
        design_name="shop",
        version=1,
        direction=deployments.Direction.DEPLOY,
        status=deployments.RunStatus.SUCCEEDED,
        connection_ids=[],
        user_id=uuid4(),
        created_at=now,
        updated_at=now,
    )
