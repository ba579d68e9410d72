"""The machine's own clusters: named at the start, with the words that connect one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import aiohttp
import pytest

from meshery_testkit.installations import Installations

pytestmark = pytest.mark.timeout(120)

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {"token": "a-token-of-somebody"}}],
    "contexts": [
        {"name": name, "context": {"cluster": "nowhere", "user": "me"}} for name in ("work", "home")
    ],
}


async def test_own_contexts_wait_for_consent_and_it_is_said_how_it_is_given(
    installations: Installations, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(KUBECONFIG))
    running = await installations(MESHERY_KUBECONFIG=str(file))
    await running.says("MESHERY_CONNECT_OWN=true")
    assert "Discovered in your kubeconfig: home, work. To connect home:" in running.output
    command = re.search(r"curl -X PUT (\S+) -d '(.*)'", running.output)
    assert command is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(command[1]) as reply:
            assert (await reply.json())["status"] == "discovered"
        async with session.put(command[1], data=command[2]) as reply:
            # It was tried, as the owner wished; nobody is there.
            assert (await reply.json())["code"] == "cluster_unreachable", await reply.text()
