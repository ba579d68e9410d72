"""Frames of a real Go MeshSync (recorded) and its quirks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_inventory.domain.go_meshsync import read_message
from meshery_inventory.domain.objects import stored_object

RECORDED = [
    line.encode()
    for line in (Path(__file__).parent / "fixtures/go-meshsync-core.jsonl").read_text().splitlines()
]


def message(event: str = "ADDED", **changes: Any) -> bytes:
    metadata = {"id": "", "name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "7"}
    resource = {
        "id": "",
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "model": "",
        "metadata": {**metadata, **changes.pop("metadata", {})},
        "cluster_id": "c1",
        **changes,
    }
    envelope = {"ObjectType": "meshsync-data", "EventType": event, "Request": None, "Object": resource}
    return json.dumps(envelope).encode()


def only_object(payload: bytes) -> dict[str, Any]:
    (seen,) = read_message(payload)
    found: dict[str, Any] = json.loads(bytes(seen.entry.object))
    return found


@pytest.mark.parametrize("payload", RECORDED, ids=range(len(RECORDED)))
def test_recorded_frames_become_objects(payload: bytes) -> None:
    (seen,) = read_message(payload)
    source = json.loads(payload)
    resource = source["Object"]
    assert seen.cluster_id == resource["cluster_id"]
    assert seen.kind.kind == resource["kind"]
    assert seen.entry.uid == resource["metadata"]["uid"]
    if source["EventType"] == "DELETED":
        assert seen.entry.action == "drop"
        return
    stored = stored_object(seen.entry.object, seen.entry.uid, seen.entry.resource_version)
    assert stored.name == resource["metadata"]["name"]
    assert stored.created_at is not None
    if "spec" in resource:
        assert json.loads(stored.spec or "") == json.loads(resource["spec"]["attribute"])
    labels = {one["key"]: one.get("value", "") for one in resource["metadata"].get("labels", [])}
    assert json.loads(stored.labels) == labels


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("plain", "plain"), (r"a\"b", 'a"b'), (r"\u003cx\u003e", "<x>"), (r"C:\dir", r"C:\dir"), ("", "")],
)
def test_label_values_are_unescaped_where_they_can_be(sent: str, meant: str) -> None:
    labels = [{"id": "", "unique_id": "", "kind": "label", "key": "a", **({"value": sent} if sent else {})}]
    assert only_object(message(metadata={"labels": labels}))["metadata"]["labels"] == {"a": meant}


def test_the_digest_follows_the_content() -> None:
    (one,), (same,) = read_message(message(data='{"a":"1"}')), read_message(message(data='{"a":"1"}'))
    (other,) = read_message(message(data='{"a":"2"}'))
    assert one.entry.digest == same.entry.digest
    assert one.entry.digest != other.entry.digest


def test_secret_values_are_not_kept() -> None:
    found = only_object(message(kind="Secret", data='{"password":"aHVudGVyMg=="}', type="Opaque"))
    assert found["data"] == {"password": "redacted"}
    assert found["type"] == "Opaque"


def test_a_part_of_a_store_dump_is_read() -> None:
    resource = json.loads(message())["Object"]
    payload = {"ObjectType": "", "EventType": "", "Request": None, "Object": [resource, resource]}
    assert [one.entry.action for one in read_message(json.dumps(payload).encode())] == ["set", "set"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"ObjectType":"log-stream","Object":{}}',
        b'{"ObjectType":"meshsync-data","EventType":"ADDED","Object":null}',
        b'{"ObjectType":"meshsync-data","EventType":"ADDED","Object":"x"}',
        message(event="ERROR"),
        message(event="RESYNC"),
        message(cluster_id=""),
        message(metadata={"uid": ""}),
        b'{"ObjectType":"meshsync-data","Object":{"metadata":null}}',
    ],
)
def test_what_is_no_object_is_passed_over(payload: bytes) -> None:
    assert read_message(payload) == []


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_no_message_breaks_the_reader(payload: bytes) -> None:
    read_message(payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_no_object_breaks_the_reader(value: Any) -> None:
    read_message(json.dumps({"ObjectType": "meshsync-data", "EventType": "ADDED", "Object": value}).encode())
