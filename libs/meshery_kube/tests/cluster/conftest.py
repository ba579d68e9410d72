"""A client of the sandbox control plane, and a namespace of one's own in it."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshery_kube import Client, ClientSettings, own_kubeconfig
from meshery_kube.kinds import NAMESPACE


@pytest.fixture(scope="session")
def sandbox_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = os.environ.get("MESHERY_TEST_KUBECONFIG")
    if not path:
        pytest.skip("no sandbox")
    return Path(path)


@pytest.fixture
async def kube(sandbox_kubeconfig: Path) -> AsyncIterator[Client]:
    context = own_kubeconfig([sandbox_kubeconfig]).context()
    async with Client(context, ClientSettings(rate=1_000, burst=1_000)) as client:
        yield client


@pytest.fixture
async def namespace(kube: Client) -> AsyncIterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    await kube.objects.create(
        NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    yield name
    await kube.objects.delete(NAMESPACE, name)
