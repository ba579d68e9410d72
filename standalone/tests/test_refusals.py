"""What cannot run says why in words for a person, ends with an exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from meshery_testkit.installations import Installation, Installations

pytestmark = pytest.mark.timeout(180)


async def refused(running: Installation, code: int) -> str:
    """Its whole output, once it has ended with this code and nothing is left."""
    assert await running.ended(timeout_seconds=60) == code
    await running.until_gone()
    assert "Traceback" not in running.output
    assert "Meshery is ready" not in running.output
    return running.output


async def test_wrong_values_are_named(installations: Installations) -> None:
    output = await refused(await installations(MESHERY_PORT="high", MESHERY_SANDBOX="maybe"), 2)
    assert "MESHERY_PORT: " in output
    assert "MESHERY_SANDBOX: " in output


async def test_a_folder_that_cannot_be_written(installations: Installations) -> None:
    output = await refused(await installations(MESHERY_HOME="/proc/nothing/here"), 1)
    assert "/proc/nothing/here cannot be written" in output
    assert "MESHERY_HOME=" in output


async def test_a_host_that_is_not_ours(installations: Installations) -> None:
    output = await refused(await installations(MESHERY_HOST="192.0.2.1"), 1)
    assert "Port 0 on 192.0.2.1 cannot be used" in output


@pytest.mark.parametrize("separate", ["false", pytest.param("true", marks=pytest.mark.long)])
async def test_a_service_with_a_wrong_setting(installations: Installations, separate: str) -> None:
    running = await installations(MESHERY_SEPARATE=separate, DESIGNS_RUNS_AT_ONCE="0")
    output = await refused(running, 1)
    if separate == "true":
        assert "The service designs ended with exit code 2 while it started." in output
        assert "DESIGNS_RUNS_AT_ONCE" in (running.home / "logs" / "designs.log").read_text()
    else:
        assert "DESIGNS_RUNS_AT_ONCE: " in output


async def test_a_service_that_cannot_start(installations: Installations) -> None:
    """Its master key is spoilt: it says so itself, and all the others are stopped."""
    running = await installations()
    await running.ready()
    running.press_ctrl_c()
    assert await running.ended() == 0
    (running.home / "keys" / "connections").write_text("spoilt")
    output = await refused(await installations(), 1)
    assert "The service connections could not start." in output
    assert "meshery.log" in output
    (running.home / "format").write_text("99")
    output = await refused(await installations(), 1)
    assert "newer version (format 99" in output


@pytest.fixture
def ordinary() -> int | None:
    """An account that is not root: whose tests these are, or nobody's when that can read Python and its packages."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("nobody").pw_uid
    trial = subprocess.run(
        [sys.executable, "-c", "import meshery_standalone.life"],
        user=account, group=account, extra_groups=[], cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if trial.returncode != 0:
        pytest.skip(f"the account nobody cannot read Python or its packages: {trial.stderr[-200:]}")
    return account


async def test_an_ordinary_user(installations: Installations, ordinary: int | None) -> None:
    running = await installations(account=ordinary)
    await running.ready()
    async with aiohttp.ClientSession(running.url) as session, session.get("/healthz/ready") as reply:
        assert reply.status == 200
    assert owners(running) == {os.geteuid() if ordinary is None else ordinary}
    running.press_ctrl_c()
    assert await running.ended() == 0
    assert running.processes() == {}


def owners(running: Installation) -> set[int]:
    """Whose its processes and its files are."""
    paths = [*running.home.rglob("*"), *(Path(f"/proc/{pid}") for pid in running.processes())]
    return {path.stat().st_uid for path in paths}
