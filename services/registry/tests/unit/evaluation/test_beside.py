"""What the process beside keeps between requests, and how large its answers get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
import pytest

from meshery_contracts.errors import Conflict, Invalid, TooLarge
from meshery_contracts.evaluation import STATE_UNKNOWN, EvaluationResponse
from meshery_registry.domain.evaluation import beside
from meshery_registry.domain.evaluation.beside import Job

SELECTORS = [
    {
        "allow": {
            "from": [{"kind": "A|B", "patch": {"mutatorRef": [["displayName"]]}}],
            "to": [{"kind": "C", "patch": {"mutatedRef": [["configuration", "of"]]}}],
        }
    }
]
DEFINITION = {"kind": "edge", "type": "non-binding", "subType": "name", "selectors": SELECTORS}


@pytest.fixture
def job() -> Job:
    """A job of an organisation of its own, with one definition."""
    key = (str(uuid4()), 7)
    beside.learn(key, orjson.dumps({"definitions": [DEFINITION], "components": []}))
    return Job(
        catalogue=key,
        owner=key[0],
        request=b"",
        is_change=False,
        timestamp="2026-01-01T00:00:00Z",
        max_answer_bytes=1_000_000,
        max_sessions=3,
        max_session_bytes=1_000_000,
    )


def component(component_id: str, kind: str, of: str = "") -> dict[str, Any]:
    return {
        "id": component_id,
        "displayName": component_id,
        "component": {"kind": kind},
        "configuration": {"of": of},
    }


def design(*components: dict[str, Any]) -> dict[str, Any]:
    return {"components": components}


def whole(job: Job, body: dict[str, Any]) -> Job:
    return replace(job, request=orjson.dumps({"design": body}))


def asked(job: Job, body: dict[str, Any], *, base: str = "", **changes: Any) -> dict[str, Any]:
    job = replace(job, **changes)
    change = replace(job, request=orjson.dumps({"base": base, **body}), is_change=True)
    answer = beside.evaluate(change if base else whole(job, body))
    assert answer is not None
    EvaluationResponse.model_validate_json(answer)
    read: dict[str, Any] = orjson.loads(answer)
    return read


def test_definitions_are_asked_for_when_they_are_not_known(job: Job) -> None:
    unknown = whole(replace(job, catalogue=(job.catalogue[0], 8)), design())
    assert beside.evaluate(unknown) is None
    beside.learn(unknown.catalogue, orjson.dumps({"definitions": [], "components": []}))
    assert beside.evaluate(unknown) is not None
    # The generation before is forgotten.
    assert beside.evaluate(whole(job, design())) is None


def test_the_same_goes_by_the_same_name(job: Job) -> None:
    body = design(component("a", "A"), component("c", "C", "a"))
    one, other = asked(job, body=body), asked(job, body=body)
    assert one == other
    (relationship,) = one["design"]["relationships"]
    # An instance names the kind that the pattern has meant.
    assert relationship["selectors"][0]["allow"]["from"][0]["kind"] == "A"


def test_the_oldest_states_are_forgotten(job: Job) -> None:
    states = [asked(job, body=design(component(str(n), "A")))["evaluationHash"] for n in range(4)]
    nothing: dict[str, Any] = {}
    with pytest.raises(Conflict) as unknown:
        asked(job, base=states[0], body=nothing)
    assert unknown.value.problem.code == STATE_UNKNOWN
    assert asked(job, base=states[1], body=nothing)["actions"] == []
    body = design(component("x" * 90, "A"))
    room = len(orjson.dumps(body)) + 150
    large = asked(job, body=body, max_session_bytes=room)
    assert asked(job, base=large["evaluationHash"], body=nothing, max_session_bytes=room)["actions"] == []
    with pytest.raises(Conflict):
        asked(job, base=states[3], body=nothing)


def test_a_refused_change_keeps_the_state(job: Job) -> None:
    state = asked(job, body=design(component("a", "A")))["evaluationHash"]
    with pytest.raises(Invalid):
        asked(job, base=state, body={"components": [{"id": 7}]})
    change = {"components": [component("c", "C", "a")]}
    assert len(asked(job, base=state, body=change)["actions"]) == 2


@pytest.mark.parametrize(
    ("request_", "places"),
    [
        (b"no JSON", []),
        (b"[]", [""]),
        (b'{"design": 7}', ["design"]),
        (b"{}", ["design"]),
        (b'{"design": {}, "options": {"returnDiffOnly": "perhaps"}}', ["options.returnDiffOnly"]),
    ],
)
def test_a_request_that_does_not_fit_is_told_where(job: Job, request_: bytes, places: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        beside.evaluate(replace(job, request=request_))
    assert refused.value.problem.code == "request_invalid"
    assert [one.path for one in refused.value.problem.fields] == places


def test_large_answers_say_everything_once(job: Job) -> None:
    body = design(component("a", "A"), *(component(f"c{n}", "C", "a") for n in range(50)))
    size = len(orjson.dumps(asked(job, body=body)))
    short = asked(job, body=body, max_answer_bytes=size - 1)
    assert len(short["design"]["relationships"]) == 50
    assert "too large" in short["trace"]["warnings"][0]
    assert "relationshipsAdded" not in short["trace"]
    ids = {one["value"]["item"]["id"] for one in short["actions"] if one["op"] == "add_relationship"}
    assert ids == {one["id"] for one in short["design"]["relationships"]}
    with pytest.raises(TooLarge):
        asked(job, body=body, max_answer_bytes=1000)
