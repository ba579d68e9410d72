"""The sandbox as a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import RegisterKubeconfig
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.nats import People


@pytest.fixture
def caller(people: People) -> Caller:
    """Whose connections these are."""
    return people.caller()


@pytest.fixture
async def connection_id(
    ask: Callable[..., Awaitable[Any]], caller: Caller, sandbox_cluster: ClusterForTests
) -> UUID:
    """The sandbox, connected."""
    reply = await ask(
        contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=sandbox_cluster.kubeconfig), caller
    )
    found: UUID = reply.connected_contexts[0].connection_id
    return found
