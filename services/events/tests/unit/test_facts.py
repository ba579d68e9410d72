"""Facts to events: what is kept, what is hidden, what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts.designs import DesignSaved
from meshery_contracts.messages import Severity
from meshery_events.domain.facts import NIL, Message, event_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 5, 1, 11, tzinfo=UTC)
OURS, DESIGN, PERSON = uuid4(), uuid4(), uuid4()


def a_message(payload: bytes, *, organization_id: UUID = OURS, message_id: str = "") -> Message:
    return Message(
        message_id=message_id or str(uuid4()),
        subject=f"meshery.evt.designs.v1.{organization_id}.design_saved.{DESIGN}",
        payload=payload,
        sequence=7,
    )


def a_fact(**changes: Any) -> dict[str, Any]:
    fact = DesignSaved(
        organization_id=OURS,
        user_id=PERSON,
        occurred_at=EARLIER,
        severity=Severity.SUCCESS,
        category="design",
        action="update",
        description="Design 'shop' was saved in version 2.",
        acted_upon=DESIGN,
        design_id=DESIGN,
        name="shop",
        version=2,
    )
    told: dict[str, Any] = fact.model_dump(mode="json", by_alias=True)
    return {**told, **changes}


def told(**changes: Any) -> Any:
    return event_of(a_message(orjson.dumps(a_fact(**changes))), NOW)


def test_a_fact_becomes_an_event_with_its_own_fields_as_metadata() -> None:
    message_id = uuid4()
    event = event_of(a_message(orjson.dumps(a_fact()), message_id=str(message_id)), NOW)
    assert (event.event_id, event.organization_id, event.user_id) == (message_id, OURS, PERSON)
    assert (event.acted_upon, event.operation_id, event.created_at) == (DESIGN, NIL, EARLIER)
    assert (event.severity, event.category, event.action) == (Severity.SUCCESS, "design", "update")
    assert event.metadata == {"designId": str(DESIGN), "name": "shop", "version": 2}


def test_a_fact_in_snake_case_is_read_too() -> None:
    fact = {
        "organization_id": str(OURS),
        "occurred_at": EARLIER.isoformat(),
        "category": "a",
        "action": "b",
        "description": "c",
        "more": 1,
    }
    event = event_of(a_message(orjson.dumps(fact)), NOW)
    assert (event.category, event.user_id, event.metadata) == ("a", None, {"more": 1})


def test_secrets_are_hidden_wherever_they_are() -> None:
    event = told(
        token="abc",
        hasToken=True,
        secretName="shop-tls",
        metadata={
            "clientSecret": {"value": "x"},
            "list": [{"password": "p", "api_key": "k", "private-key": ["a"]}],
            "note": "sent Bearer abcdefghijklmnopqrstuvwxyz to postgres://me:hunter2@db/x",
            "kubeconfig": "apiVersion: v1",
            "tokens": 3,
        },
        description="failed with eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc_def",
    )
    kept = orjson.dumps(event.metadata).decode() + event.description
    for secret in ('"abc"', '"x"', '"p"', '"k"', "abcdefghij", "hunter2", "apiVersion", "eyJ"):
        assert secret not in kept
    assert event.metadata["secretName"] == "shop-tls"
    assert (event.metadata["hasToken"], event.metadata["tokens"]) == (True, 3)


def test_a_private_key_in_a_text_is_hidden() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----"
    assert told(metadata={"output": f"before {pem} after"}).metadata["output"] == "before [hidden] after"


def test_what_cannot_be_stored_is_left_out() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    event = told(
        description="a\0b",
        metadata={"nul\0": "a\0", "big": 10**15, "deep": deep, "many": list(range(99_999))},
    )
    assert event.description == "ab"
    assert event.metadata["nul"] == "a"
    assert event.metadata["big"] == 10**15
    assert len(orjson.dumps(event.metadata)) < 50_000


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "the whole"),
        (b'{"category": "design"}', "organizationId"),
        (orjson.dumps({**a_fact(), "severity": "odd"}), "severity"),
        (orjson.dumps({**a_fact(), "organizationId": str(uuid4())}), "another organisation"),
    ],
)
def test_what_is_no_fact_becomes_an_event_of_severity_error(payload: bytes, reason: str) -> None:
    event = event_of(a_message(payload), NOW)
    assert (event.severity, event.category, event.action) == (Severity.ERROR, "designs", "design_saved")
    assert (event.organization_id, event.acted_upon, event.user_id) == (OURS, DESIGN, None)
    assert reason in event.description
    assert event.metadata["sequence"] == 7
    assert event.metadata["bytes"] == len(payload)


def test_the_content_of_what_cannot_be_read_is_not_kept() -> None:
    event = event_of(a_message(b'{"password": "hunter2", '), NOW)
    assert "hunter2" not in orjson.dumps(event.metadata).decode() + event.description


def test_a_message_without_a_uuid_has_the_same_event_each_time() -> None:
    first, again = (event_of(a_message(b"", message_id="EVT_DESIGNS-7"), NOW) for _ in range(2))
    assert first.event_id == again.event_id


@given(st.binary(max_size=200), st.text(max_size=50))
def test_whatever_comes_becomes_an_event(payload: bytes, subject: str) -> None:
    event = event_of(Message("x", subject, payload, 1), NOW)
    assert event.severity is Severity.ERROR
    assert "\0" not in event.description + event.category + event.action + event.source


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=10), _json, max_size=5))
def test_whatever_a_fact_carries_can_be_stored(metadata: dict[str, Any]) -> None:
    kept = orjson.dumps(told(metadata=metadata).metadata)
    assert b"\\u0000" not in kept
