"""A token of an account with next to no rights: it connects, and is found nowhere but sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import yaml

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import clusters
from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import ApplyObjects, ObjectReference, ReadObjects
from meshery_contracts.connections import ConnectionId, RegisterKubeconfig
from meshery_contracts.errors import Word
from meshery_kube import Client, own_kubeconfig
from meshery_kube.transports import Call
from meshery_testkit.cluster import ClusterForTests

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def token(sandbox_cluster: ClusterForTests, tmp_path: Path) -> str:
    """A token of a new service account without any role."""
    file = tmp_path / "admin"
    file.write_text(sandbox_cluster.kubeconfig)
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    name = f"limited-{uuid4().hex[:8]}"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    async with Client(own_kubeconfig([file]).context()) as admin:
        await admin.transport.request(Call("POST", accounts, body=orjson.dumps(account)))
        call = Call("POST", f"{accounts}/{name}/token", body=orjson.dumps(request))
        reply = await admin.transport.request(call)
    found: str = orjson.loads(reply.body)["status"]["token"]
    return found


def with_token(kubeconfig: str, token: str) -> str:
    document = yaml.safe_load(kubeconfig)
    document["users"][0]["user"] = {"token": token}
    text: str = yaml.safe_dump(document)
    return text


async def test_it_connects_does_what_it_may_and_leaks_nothing(
    ask: Ask,
    caller: Caller,
    sandbox_cluster: ClusterForTests,
    token: str,
    database: Database,
    capfd: pytest.CaptureFixture[str],
) -> None:
    request = RegisterKubeconfig(kubeconfig=with_token(sandbox_cluster.kubeconfig, token))
    replies = [await ask(contract.REGISTER_KUBECONFIG, request, caller)]
    connection_id = replies[0].connected_contexts[0].connection_id
    replies.append(await ask(contract.GET, ConnectionId(connection_id=connection_id), caller))
    # It may not read kube-system, so the cluster's identity is made from its address.
    assert replies[-1].metadata["kubernetes_server_id_derived"] is True
    assert replies[-1].metadata["auth"]["username"].startswith("system:serviceaccount:default:limited-")
    replies.append(await ask(contract.PING, ConnectionId(connection_id=connection_id), caller))
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "refused"}}
    apply = ApplyObjects(connection_id=connection_id, objects=[manifest])
    replies.append(await ask(clusters.APPLY_OBJECTS, apply, caller))
    reference = ObjectReference(api_version="v1", kind="Secret", name="any")
    read = ReadObjects(connection_id=connection_id, references=[reference])
    replies.append(await ask(clusters.READ_OBJECTS, read, caller))
    for reply in replies[-2:]:
        assert reply.results[0].problem.word is Word.FORBIDDEN
        assert reply.results[0].problem.remediation
    stored = [
        str(await database.fetchval(EVERY_ORGANIZATION, f"select string_agg(t::text, ' ') from {table} t"))
        for table in ("connections", "credentials", "data_keys", "idempotency_keys", "operations")
    ]
    rows = await database.fetch(EVERY_ORGANIZATION, "select payload from outbox")
    facts = [bytes(row["payload"]).decode() for row in rows]
    answers = await database.fetch(EVERY_ORGANIZATION, "select answer from idempotency_keys")
    stored += [bytes(row["answer"]).decode() for row in answers]
    sealed = bytes(await database.fetchval(EVERY_ORGANIZATION, "select sealed from credentials"))
    everything = " ".join([*stored, *facts, *(one.model_dump_json() for one in replies), *capfd.readouterr()])
    assert len(token) > 100
    assert token not in everything
    assert token.encode().hex() not in everything
    assert token.encode() not in sealed


async def test_a_bad_token_is_errored_with_the_reason(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests
) -> None:
    request = RegisterKubeconfig(
        kubeconfig=with_token(sandbox_cluster.kubeconfig, "not-a-token-of-this-cluster")
    )
    reply = await ask(contract.REGISTER_KUBECONFIG, request, caller)
    assert [one.name for one in reply.errored_contexts] == ["sandbox"]
    assert reply.refused[0].problem.code == "cluster_unauthorized"
    assert reply.refused[0].problem.remediation == ("Upload a kubeconfig with a valid credential.",)
