"""What the system tells of itself to anybody."""

from __future__ import annotations

from aiohttp import ClientSession


async def test_the_version_names_what_was_built(http: ClientSession) -> None:
    async with http.get("/api/system/version") as reply:
        told = await reply.json()
    assert told["build"] == told["version"]
    assert told["build"].startswith("v")
    assert told["commitsha"] == "0123abc"
    assert told["release_channel"] == told["releaseChannel"] == "edge"


async def test_probes(http: ClientSession) -> None:
    async with http.get("/healthz/live") as reply:
        assert (reply.status, await reply.json()) == (200, {"status": "live"})
    async with http.get("/healthz/ready") as reply:
        told = await reply.json()
        assert (reply.status, told["status"]) == (200, "ready")
    assert set(told["needs"]) == {"nats", "serving"}
