"""Uploads of kubeconfigs whose clusters do not answer, or that are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import yaml

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import clusters
from meshery_contracts import connections as contract
from meshery_contracts.connections import ConnectionId, ConnectionStatus, RegisterKubeconfig, SetStatus
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound, ProblemError, Unavailable
from meshery_contracts.paging import PageRequest
from meshery_testkit.nats import People

Ask = Callable[..., Awaitable[Any]]
TOKEN = "very-secret-token-of-a-cluster"


def kubeconfig(**users: dict[str, Any]) -> str:
    """A kubeconfig with a context per user, all for a cluster at a port where nobody listens."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": name, "user": user} for name, user in users.items()],
            "contexts": [{"name": name, "context": {"cluster": "nowhere", "user": name}} for name in users],
            "current-context": next(iter(users)),
        }
    )


async def test_reading_stores_nothing_and_explains_what_cannot_be_used(
    ask: Ask, people: People, database: Database
) -> None:
    text = kubeconfig(plain={"token": TOKEN}, plugin={"exec": {"command": "aws", "apiVersion": "v1"}})
    found = await ask(contract.READ_CONTEXTS, contract.Kubeconfig(kubeconfig=text), people.caller())
    assert [one.name for one in found.contexts] == ["plain"]
    assert not found.contexts[0].reachable
    problems = {one.name: one.problem for one in found.refused}
    assert problems["plugin"].code == "kubeconfig_field_refused"
    assert "user.exec" in problems["plugin"].title
    assert problems["plain"].code == "cluster_unreachable"
    assert TOKEN not in found.model_dump_json()
    assert await database.fetchval(EVERY_ORGANIZATION, "select count(*) from connections") == 0


async def test_a_kubeconfig_of_which_nothing_can_be_used_is_refused(ask: Ask, people: People) -> None:
    """With the way to make a plain one, not with lists of nothing."""
    text = kubeconfig(plugin={"exec": {"command": "aws", "apiVersion": "v1"}}, file={"tokenFile": "/token"})
    for endpoint, request in (
        (contract.READ_CONTEXTS, contract.Kubeconfig(kubeconfig=text)),
        (contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=text)),
    ):
        with pytest.raises(Invalid, match=r"user\.exec is not accepted") as caught:
            await ask(endpoint, request, people.caller())
        problem = caught.value.problem
        assert problem.code == "kubeconfig_field_refused"
        assert [one.path for one in problem.fields] == ["plugin", "file"]
        assert "kubectl create token" in problem.remediation[0]
    usable = kubeconfig(plain={"token": TOKEN})
    with pytest.raises(Invalid, match="no context 'other'"):
        await ask(
            contract.REGISTER_KUBECONFIG,
            RegisterKubeconfig(kubeconfig=usable, contexts=["other"]),
            people.caller(),
        )


async def test_a_cluster_that_does_not_answer_is_kept_as_not_found(
    ask: Ask, people: People, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    caller = people.caller()
    text = kubeconfig(plain={"token": TOKEN})
    for _ in range(2):
        reply = await ask(contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=text), caller)
        assert [one.name for one in reply.errored_contexts] == ["plain"]
        assert reply.refused[0].problem.remediation
    page = await ask(contract.LIST, contract.ListConnections(), caller)
    assert page.total_count == 1
    assert page.status_summary == {"not found": 1}
    assert page.connections[0].owner == page.connections[0].user_id == caller.user_id
    assert page.connections[0].metadata["health"]["status"] == "unreachable"
    contexts = await ask(contract.LIST_CONTEXTS, PageRequest(), caller)
    assert contexts.contexts[0].connection_id == page.connections[0].id
    assert TOKEN not in page.model_dump_json() + contexts.model_dump_json() + reply.model_dump_json()
    row = await database.fetchrow(EVERY_ORGANIZATION, "select *, c.sealed from connections, credentials c")
    assert row is not None
    assert TOKEN.encode() not in bytes(row["sealed"])
    everything = await database.fetchval(
        EVERY_ORGANIZATION, "select string_agg(t::text, ' ') from connections t"
    )
    facts = await database.fetch(EVERY_ORGANIZATION, "select payload from outbox")
    assert TOKEN not in everything + " ".join(bytes(fact["payload"]).decode() for fact in facts)
    assert len(facts) == 1
    assert TOKEN not in "".join(capfd.readouterr())


async def test_states_that_are_not_offered_are_refused_by_name(ask: Ask, people: People) -> None:
    caller = people.caller()
    await ask(
        contract.REGISTER_KUBECONFIG,
        RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN})),
        caller,
    )
    page = await ask(contract.LIST, contract.ListConnections(), caller)
    connection_id = page.connections[0].id
    with pytest.raises(Conflict) as caught:
        await ask(
            contract.SET_STATUS,
            SetStatus(connection_id=connection_id, status=ConnectionStatus.IGNORED),
            caller,
        )
    assert "discovered" in caught.value.problem.remediation[0]
    with pytest.raises(Unavailable) as away:
        await ask(
            contract.SET_STATUS,
            SetStatus(connection_id=connection_id, status=ConnectionStatus.CONNECTED),
            caller,
        )
    assert away.value.problem.code == "cluster_unreachable"
    with pytest.raises(Conflict):
        await ask(
            clusters.READ_OBJECTS, clusters.ReadObjects(connection_id=connection_id, references=[]), caller
        )


async def test_deleting_takes_the_credential_along_and_answers_with_the_object(
    ask: Ask, people: People, database: Database
) -> None:
    caller = people.caller()
    await ask(
        contract.REGISTER_KUBECONFIG,
        RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN})),
        caller,
    )
    connection_id = (await ask(contract.LIST, contract.ListConnections(), caller)).connections[0].id
    gone = await ask(contract.DELETE, ConnectionId(connection_id=connection_id), caller)
    assert (gone.status, gone.name) == (ConnectionStatus.DELETED, "plain")
    assert gone.deleted_at is not None
    assert await database.fetchval(EVERY_ORGANIZATION, "select count(*) from credentials") == 0
    with pytest.raises(NotFound):
        await ask(contract.GET, ConnectionId(connection_id=connection_id), caller)
    with pytest.raises(NotFound):
        await ask(contract.DELETE, ConnectionId(connection_id=connection_id), caller)


async def test_nobody_else_sees_a_connection(ask: Ask, people: People) -> None:
    caller = people.caller()
    await ask(
        contract.REGISTER_KUBECONFIG,
        RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN})),
        caller,
    )
    mine = await ask(contract.LIST, contract.ListConnections(), caller)
    for other in (
        people.caller(organization_id=caller.organization_id),
        people.caller(user_id=caller.user_id),
    ):
        assert (await ask(contract.LIST, contract.ListConnections(), other)).total_count == 0
        with pytest.raises(NotFound):
            await ask(contract.GET, ConnectionId(connection_id=mine.connections[0].id), other)
    with pytest.raises(Forbidden):
        await ask(contract.LIST, contract.ListConnections(), people.caller(key_bits=0))


async def test_a_selection_by_name_or_id(ask: Ask, people: People) -> None:
    caller = people.caller()
    text = kubeconfig(one={"token": "a" * 20}, two={"token": "b" * 20}, three={"token": "c" * 20})
    read = await ask(contract.READ_CONTEXTS, contract.Kubeconfig(kubeconfig=text), caller)
    two = next(one.id for one in read.contexts if one.name == "two")
    request = RegisterKubeconfig(kubeconfig=text, contexts=["one", two, "four"])
    reply = await ask(contract.REGISTER_KUBECONFIG, request, caller)
    assert {one.name for one in reply.errored_contexts} == {"one", "two"}
    assert {one.name: one.problem.code for one in reply.refused}["four"] == "context_unknown"


async def test_each_context_is_watched_as_was_said_for_it(ask: Ask, people: People) -> None:
    caller = people.caller()
    text = kubeconfig(one={"token": "a" * 20}, two={"token": "b" * 20}, three={"token": "c" * 20})
    read = await ask(contract.READ_CONTEXTS, contract.Kubeconfig(kubeconfig=text), caller)
    two = next(one.id for one in read.contexts if one.name == "two")
    modes = {"one": "operator", two: "embedded", "elsewhere": "operator"}
    request = RegisterKubeconfig(kubeconfig=text, meshsync_mode="operator", meshsync_modes=modes)
    await ask(contract.REGISTER_KUBECONFIG, request, caller)
    page = await ask(contract.LIST, contract.ListConnections(), caller)
    found = {one.name: one.metadata["meshsync_deployment_mode"] for one in page.connections}
    assert found == {"one": "operator", "two": "embedded", "three": "operator"}
    request = RegisterKubeconfig(kubeconfig=text, meshsync_modes={"one": "sideways"})
    with pytest.raises(Invalid, match="no MeshSync mode 'sideways'"):
        await ask(contract.REGISTER_KUBECONFIG, request, caller)


async def test_the_kinds_of_a_cluster_that_does_not_answer_are_not_registered(
    ask: Ask, people: People, database: Database
) -> None:
    caller = people.caller()
    text = kubeconfig(plain={"token": TOKEN}, plugin={"exec": {"command": "aws", "apiVersion": "v1"}})
    for context, code in (
        ("", "cluster_unreachable"),
        ("plugin", "kubeconfig_field_refused"),
        ("other", "context_unknown"),
    ):
        request = contract.RegisterDefinitions(kubeconfig=text, context=context)
        with pytest.raises(ProblemError) as caught:
            await ask(contract.REGISTER_DEFINITIONS, request, caller)
        assert caught.value.problem.code == code
        assert caught.value.problem.remediation
    assert await database.fetchval(EVERY_ORGANIZATION, "select count(*) from connections") == 0
    with pytest.raises(Forbidden):
        await ask(contract.REGISTER_DEFINITIONS, request, people.caller(key_bits=0))


async def test_only_a_watched_cluster_is_read_anew(ask: Ask, people: People) -> None:
    caller = people.caller()
    request = RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN}))
    await ask(contract.REGISTER_KUBECONFIG, request, caller)
    found = (await ask(contract.LIST, contract.ListConnections(), caller)).connections[0]
    wish = ConnectionId(connection_id=found.id)
    with pytest.raises(Conflict, match="is not watched") as caught:
        await ask(contract.RESYNC, wish, caller)
    assert caught.value.problem.probable_cause == ("It is not found.",)
    with pytest.raises(NotFound):
        await ask(contract.RESYNC, wish, people.caller())
    with pytest.raises(Forbidden):
        await ask(contract.RESYNC, wish, people.caller(key_bits=0))


@pytest.mark.parametrize("text", ["", "hello", "a: [", "contexts: []", "kind: Secret"])
async def test_what_is_no_kubeconfig_is_invalid(ask: Ask, people: People, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        await ask(contract.READ_CONTEXTS, contract.Kubeconfig(kubeconfig=text), people.caller())
    assert caught.value.problem.remediation


async def test_a_repeated_registration_gets_the_first_answer(ask: Ask, people: People) -> None:
    caller = people.caller()
    request = RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN}))
    first = await ask(contract.REGISTER_KUBECONFIG, request, caller, idempotency_key="k")
    again = await ask(contract.REGISTER_KUBECONFIG, request, caller, idempotency_key="k")
    assert first == again


async def test_a_repeated_move_gets_the_first_answer(ask: Ask, people: People) -> None:
    caller = people.caller()
    await ask(
        contract.REGISTER_KUBECONFIG,
        RegisterKubeconfig(kubeconfig=kubeconfig(plain={"token": TOKEN})),
        caller,
    )
    connection_id = (await ask(contract.LIST, contract.ListConnections(), caller)).connections[0].id
    wish = SetStatus(connection_id=connection_id, status=ConnectionStatus.DELETED)
    first = await ask(contract.SET_STATUS, wish, caller, idempotency_key="k")
    assert await ask(contract.SET_STATUS, wish, caller, idempotency_key="k") == first
    with pytest.raises(NotFound):
        await ask(contract.SET_STATUS, wish, caller, idempotency_key="other")
