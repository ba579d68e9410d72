"""The guide to policies on a running installation: every block of it is run, registry and designs together."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
from tests.system import guides
from tests.system.attacker import attacked
from tests.system.clients import Rest
from tests.system.guides import Link, Shell
from tests.system.waiting import until


async def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    with attacked(tmp_path / "home") as url:
        async with aiohttp.ClientSession() as http, Shell.opened(tmp_path, os.environ) as shell:
            await until(
                "what ships with us is stored",
                lambda: Rest(http, url).get("/api/registry/policies"),
                lambda page: page["totalCount"] > 0,
            )
            for block in guides.read("policies.md"):
                if not isinstance(block, Link):
                    assert block.kind == "sh", f"nobody knows how to run {block}"
                    code = block.code.replace("http://localhost:9081", url)
                    guides.check(block, await shell.type(block, code))
