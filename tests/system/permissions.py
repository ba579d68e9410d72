"""Other people at the doors: an integrator at NATS, somebody without a key, and what is told of all that happened."""

from __future__ import annotations

import json
from typing import Any

from tests.system.clients import Integrator, events_of
from tests.system.deploying import FINISHED, save_a_note
from tests.system.story import Story
from tests.system.waiting import shown, until

_DESIGNS = "meshery.rpc.designs.v1.list_designs"
_FOLLOW_DESIGNS = "subscription { designChanges { sequence change designId version } }"


async def an_integrator_calls(story: Story) -> None:
    """A token opens NATS: the answer over NATS is the answer over REST; other subjects are refused."""
    token = await new_token(story, "integrator")
    story.token = token["token"]
    rest = story.meshery.rest(token["token"])
    async with Integrator.connected(token) as integrator:
        headers, over_nats = await integrator.request(
            "meshery.rpc.designs.v1.get_design", {"designId": story.design_id}
        )
        assert "Meshery-Error" not in headers, (headers, over_nats)
        assert over_nats == await rest.get(f"/api/pattern/{story.design_id}")
        _, listed = await integrator.request(_DESIGNS, {"pageSize": 10})
        assert listed == await rest.get("/api/pattern")

        headers, problem = await integrator.request(
            "meshery.rpc.designs.v1.get_design", {"designId": story.connection_id}
        )
        missing = await rest.call("GET", f"/api/pattern/{story.connection_id}", status=404)
        assert (headers["Meshery-Error"], headers["Nats-Service-Error-Code"]) == ("not_found", "404"), headers
        assert missing["error"] == problem["title"], (missing, problem)

        for subject in (
            f"meshery.evt.designs.v1.{story.organization_id}.design_saved.{story.design_id}",
            "meshery.svc.identity.v1.authenticate",
            "$JS.API.STREAM.NAMES",
        ):
            await _is_refused(integrator, subject)
        raw = await integrator.client.request(_DESIGNS, b"{}", timeout=5)
        assert (raw.headers or {})["Meshery-Error"] == "unauthenticated", raw


async def one_without_keys_is_refused(story: Story) -> None:
    """A token with an empty set of keys gets `forbidden` by REST, GraphQL and NATS alike."""
    token = await new_token(story, "no keys", keys=[])
    rest, graphql = story.meshery.rest(token["token"]), story.meshery.graphql(token["token"])
    for method, path in (
        ("GET", "/api/pattern"),
        ("GET", "/api/system/meshsync/resources"),
        ("GET", "/api/system/events"),
        ("GET", "/api/system/kubernetes/contexts"),
        ("POST", "/api/identity/tokens"),
        ("DELETE", f"/api/pattern/{story.design_id}"),
    ):
        problem = await rest.call(method, path, status=403, body={"name": "x"} if method == "POST" else None)
        assert problem["word"] == "forbidden", problem
    answer = await graphql.answer("{ designs { totalCount } }")
    assert [one["extensions"]["word"] for one in answer["errors"]] == ["forbidden"], answer
    async with graphql.following(_FOLLOW_DESIGNS) as stream:
        refused = await stream.next("an error", lambda one: isinstance(one, dict) and "errors" in one)
        assert refused["errors"][0]["extensions"]["word"] == "forbidden", refused
    async with rest.http.get(rest.url + "/api/system/events/subscribe", headers=rest.headers) as response:
        assert response.status == 403, await response.text()
    async with Integrator.connected(token) as integrator:
        headers, problem = await integrator.request(_DESIGNS, {})
        assert headers["Meshery-Error"] == "forbidden", (headers, problem)
    wrong = story.meshery.rest(token["token"][:-4] + "AAAA")
    assert (await wrong.call("GET", "/api/pattern", status=401))["word"] == "unauthenticated"
    await story.rest.command("DELETE", f"/api/identity/tokens/{token['id']}")
    await until("the revoked token is refused", lambda: rest.call("GET", "/api/user", status=401))


async def changes_are_followed(story: Story) -> None:
    """A save is told at once by GraphQL and as an event."""
    async with story.graphql.following(_FOLLOW_DESIGNS) as designs, events_of(story.rest) as events:
        saved = await save_a_note(story)
        await designs.next(
            "the save",
            lambda one: (
                isinstance(one, dict)
                and one["designChanges"]["designId"] == story.design_id
                and one["designChanges"]["version"] == saved["version"]
            ),
        )
        await events.next(
            "the save as an event",
            lambda one: (
                one["actedUpon"] == story.design_id and one["metadata"].get("version") == saved["version"]
            ),
        )


async def everything_was_told(story: Story) -> None:
    """Every fact is an event, once; filters find it; what was read is marked as read."""
    events = await story.rest.all_pages("/api/system/events", "events")
    assert len({one["id"] for one in events}) == len(events), "an event is listed once"
    told = [(one["category"], one["acted_upon"]) for one in events]
    assert ("connection", story.connection_id) in told, sorted(set(told))
    mine = [one for one in events if one["acted_upon"] == story.design_id]
    saves = [one for one in mine if "version" in one["metadata"] and "runId" not in one["metadata"]]
    versions = sorted(int(one["metadata"]["version"]) for one in saves)
    assert versions == list(range(1, story.saves + 2)), f"one event for each save: {versions}"
    for run_id, count in runs_finished(events).items():
        assert count == 1, f"run {run_id} was told to be finished {count} times"

    await until(
        "there are events of each of our facts", lambda: _categories(story), lambda seen: len(seen) >= 4
    )
    for one in (mine[0], mine[-1]):
        found = await story.rest.all_pages(
            "/api/system/events",
            "events",
            category=one["category"],
            action=one["action"],
            severity=one["severity"],
            actedUpon=one["acted_upon"],
        )
        wanted = [
            other["id"]
            for other in mine
            if all(other[name] == one[name] for name in ("category", "action", "severity"))
        ]
        assert sorted(other["id"] for other in found) == sorted(wanted), one
    types = await story.rest.get("/api/system/events/types")
    assert {one["category"] for one in events} <= set(types["category"]), types
    marked = await story.rest.command(
        "PUT", f"/api/system/events/status/{mine[0]['id']}", body={"status": "read"}
    )
    assert marked["status"] == "read", marked
    unread = await story.rest.all_pages("/api/system/events", "events", status="unread")
    assert mine[0]["id"] not in {one["id"] for one in unread}
    secrets = [
        word for word in ("correct-horse", "battery-staple", "-----BEGIN") if word in json.dumps(events)
    ]
    assert not secrets, f"events must not hold secrets: {secrets}"


def runs_finished(events: list[dict[str, Any]]) -> dict[str, int]:
    """How often each run was told to be finished."""
    counts: dict[str, int] = {}
    for one in events:
        if one["metadata"].get("runId"):
            finished = one["metadata"].get("status") in FINISHED
            counts[one["metadata"]["runId"]] = counts.get(one["metadata"]["runId"], 0) + finished
    return counts


async def new_token(story: Story, name: str, **more: Any) -> dict[str, Any]:
    """A new token; its answer shows the secret this once."""
    body = {"name": f"{name} {story.mark}", **more}
    token = await story.rest.command("POST", "/api/identity/tokens", status=201, body=body)
    assert token["token"], token
    listed = await story.rest.get("/api/identity/tokens")
    assert token["token"] not in json.dumps(listed), "a list of tokens must not hold a secret"
    assert token["id"] in {one["id"] for one in listed["tokens"]}, listed
    return dict(token)


async def _categories(story: Story) -> set[str]:
    return {one["category"] for one in await story.rest.all_pages("/api/system/events", "events")}


async def _is_refused(integrator: Integrator, subject: str) -> None:
    integrator.refusals.clear()
    await integrator.client.publish(subject, b"{}")
    await integrator.client.flush()

    async def refusals() -> list[str]:
        return integrator.refusals

    seen = await until(
        f"NATS refuses to publish on {subject}",
        refusals,
        lambda seen: any("permissions violation" in one.lower() for one in seen),
    )
    assert subject.split(".")[0].lower() in shown(seen).lower(), seen
