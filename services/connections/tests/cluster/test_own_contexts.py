"""The machine's own kubeconfig: offered, connected at its owner's consent, never stored."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.settings import ConnectionsSettings
from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import (
    Connection,
    ConnectionId,
    ConnectionStatus,
    RegisterKubeconfig,
    SetStatus,
)
from meshery_contracts.errors import Invalid, Unavailable
from meshery_testkit.cluster import ClusterForTests

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    return tmp_path / "own" / "config"


@pytest.fixture
def settings(
    settings: ConnectionsSettings, caller: Caller, sandbox_cluster: ClusterForTests, own_file: Path
) -> ConnectionsSettings:
    """A laptop whose kubeconfig has one context with an exec plug-in and one for a cluster that is away."""
    write(own_file, sandbox_cluster)
    return settings.model_copy(
        update={
            "own_kubeconfig": (own_file,),
            "own_organization_id": caller.organization_id,
            "own_user_id": caller.user_id,
            "own_poll_seconds": 0.1,
        }
    )


def write(file: Path, sandbox_cluster: ClusterForTests, *, away: bool = True) -> dict[str, Any]:
    """Write the machine's kubeconfig: the sandbox's credential comes from a plug-in, its CA from a file."""
    file.parent.mkdir(exist_ok=True)
    document: dict[str, Any] = yaml.safe_load(sandbox_cluster.kubeconfig)
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    (file.parent / "ca.pem").write_bytes(base64.b64decode(cluster.pop("certificate-authority-data")))
    cluster["certificate-authority"] = "ca.pem"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "clientCertificateData": base64.b64decode(user["client-certificate-data"]).decode(),
            "clientKeyData": base64.b64decode(user["client-key-data"]).decode(),
        },
    }
    document["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", f"import json; print(json.dumps({credential!r}))"],
        }
    }
    if away:
        document["clusters"].append({"name": "away", "cluster": {"server": "https://127.0.0.1:1"}})
        document["contexts"].append({"name": "away", "context": {"cluster": "away", "user": ""}})
    file.write_text(yaml.safe_dump(document))
    return document


async def until(ask: Ask, caller: Caller, **statuses: str) -> dict[str, Connection]:
    while True:
        found = {
            one.name: one
            for one in (await ask(contract.LIST, contract.ListConnections(), caller)).connections
        }
        if {name: one.status.value for name, one in found.items()} == statuses:
            return found
        await asyncio.sleep(0.05)


async def test_contexts_are_offered_and_connect_at_their_owners_consent(
    ask: Ask, caller: Caller, database: Database, own_file: Path
) -> None:
    offered = await until(ask, caller, sandbox="discovered", away="discovered")
    assert offered["sandbox"].metadata["own"]
    wish = SetStatus(connection_id=offered["sandbox"].id, status=ConnectionStatus.CONNECTED)
    assert (await ask(contract.SET_STATUS, wish, caller)).status is ConnectionStatus.CONNECTED
    pong = await ask(contract.PING, ConnectionId(connection_id=offered["sandbox"].id), caller)
    assert pong.server_version
    wish = SetStatus(connection_id=offered["away"].id, status=ConnectionStatus.REGISTERED)
    with pytest.raises(Unavailable):
        await ask(contract.SET_STATUS, wish, caller)
    await until(ask, caller, sandbox="connected", away="not found")
    assert await database.fetchval(EVERY_ORGANIZATION, "select count(*) from credentials") == 0
    stored = await database.fetchval(EVERY_ORGANIZATION, "select string_agg(t::text, ' ') from connections t")
    assert "PRIVATE KEY" not in stored
    assert sys.executable not in stored


async def test_a_context_that_leaves_the_file_is_not_found_and_comes_back(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests, own_file: Path
) -> None:
    await until(ask, caller, sandbox="discovered", away="discovered")
    write(own_file, sandbox_cluster, away=False)
    await until(ask, caller, sandbox="discovered", away="not found")
    write(own_file, sandbox_cluster)
    back = await until(ask, caller, sandbox="discovered", away="discovered")
    await ask(contract.DELETE, ConnectionId(connection_id=back["away"].id), caller)
    (own_file.parent / "ca.pem").touch()
    write(own_file, sandbox_cluster)
    # What its owner deleted is not offered again.
    await asyncio.sleep(0.5)
    await until(ask, caller, sandbox="discovered")


async def test_the_same_file_uploaded_is_refused_with_the_way_out(
    ask: Ask, caller: Caller, sandbox_cluster: ClusterForTests, own_file: Path
) -> None:
    text = yaml.safe_dump(write(own_file, sandbox_cluster))
    request = RegisterKubeconfig(kubeconfig=text, contexts=["sandbox"])
    with pytest.raises(Invalid) as refused:
        await ask(contract.REGISTER_KUBECONFIG, request, caller)
    assert refused.value.problem.code == "kubeconfig_field_refused"
    assert refused.value.problem.remediation[0]


class TestWithConsentInTheSettings:
    """`CONNECTIONS_CONNECT_OWN=true`."""

    @pytest.fixture
    def settings(self, settings: ConnectionsSettings) -> ConnectionsSettings:
        return settings.model_copy(update={"connect_own": True})

    async def test_contexts_connect_by_themselves(self, ask: Ask, caller: Caller) -> None:
        await until(ask, caller, sandbox="connected", away="not found")
