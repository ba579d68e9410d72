"""What is sent of an object: stripped, concealed, with a digest that tells content apart."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_meshsync.domain.objects import (
    LAST_APPLIED,
    Unreadable,
    concealment,
    observe,
    pack_uid,
    stamped,
    uid_of,
    unpack_uid,
)

UID = "6bf42391-8013-472d-91b7-db9963189818"
CONCEAL = concealment(b"key")


def an_object(**changes: Any) -> dict[str, Any]:
    metadata = {
        "name": "web",
        "namespace": "default",
        "uid": UID,
        "resourceVersion": "7",
        **changes.pop("metadata", {}),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **changes}


def secret(values: dict[str, str], **metadata: Any) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return an_object(kind="Secret", type="Opaque", data=data, metadata=metadata)


def sent(document: dict[str, Any], conceal: Any = CONCEAL) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(observe(json.dumps(document).encode(), conceal).body)
    return body


def content(document: dict[str, Any], conceal: Any = CONCEAL) -> bytes:
    return observe(json.dumps(document).encode(), conceal).content


def test_what_only_the_api_server_needs_is_left_out() -> None:
    document = an_object(
        metadata={
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {LAST_APPLIED: "{}", "team": "a"},
            "labels": {"a": "b"},
        }
    )
    metadata = sent(document)["metadata"]
    assert "managedFields" not in metadata
    assert "resourceVersion" not in metadata
    assert metadata["annotations"] == {"team": "a"}
    assert metadata["labels"] == {"a": "b"}


def test_annotations_that_are_left_empty_are_left_out() -> None:
    assert "annotations" not in sent(an_object(metadata={"annotations": {LAST_APPLIED: "x"}}))["metadata"]


def test_every_other_field_is_kept() -> None:
    document = an_object(kind="Role", rules=[{"verbs": ["get"]}], spec=None)
    assert sent(document)["rules"] == [{"verbs": ["get"]}]
    assert sent(document)["spec"] is None


def test_a_list_and_a_watch_give_the_same_digest() -> None:
    document = an_object(data={"a": "1"}, immutable=True)
    other_order = {key: document[key] for key in ("kind", "immutable", "metadata", "data", "apiVersion")}
    assert content(document) == content(other_order)


def test_the_digest_follows_content_and_not_bookkeeping() -> None:
    plain = content(an_object(data={"a": "1"}))
    assert content(an_object(data={"a": "1"}, metadata={"resourceVersion": "8"})) == plain
    assert content(an_object(data={"a": "1"}, metadata={"managedFields": []})) == plain
    assert content(an_object(data={"a": "2"})) != plain
    assert content(an_object(data={"a": "1"}, metadata={"labels": {"x": ""}})) != plain
    assert stamped(plain, "7") != stamped(plain, "8")


def test_secret_values_never_leave_and_their_change_shows() -> None:
    one, other = (
        secret({"password": "hunter2", "user": "admin"}),
        secret({"password": "hunter3", "user": "admin"}),
    )
    text = json.dumps(sent(one))
    assert "hunter2" not in text
    assert base64.b64encode(b"hunter2").decode() not in text
    data, changed = sent(one)["data"], sent(other)["data"]
    assert data.keys() == {"password", "user"}
    assert data["password"] != changed["password"]
    assert data["user"] == changed["user"]
    assert content(one) != content(other)


def test_stand_ins_depend_on_the_key_and_the_place() -> None:
    one = sent(secret({"a": "same", "b": "same"}))["data"]
    assert one["a"] != one["b"]
    assert sent(secret({"a": "same"}), concealment(b"other"))["data"]["a"] != one["a"]
    assert sent(secret({"a": "same"}, name="db"))["data"]["a"] != one["a"]
    assert sent(secret({"a": "same"}), concealment(b"k" * 100))["data"]["a"].startswith("digest:")


def test_without_a_key_nothing_is_told() -> None:
    assert sent(secret({"a": "x"}), concealment(b""))["data"] == {"a": "redacted"}


def test_a_value_is_the_same_secret_however_it_is_spelled() -> None:
    written = an_object(kind="Secret", stringData={"a": "x"})
    assert sent(written)["stringData"]["a"] == sent(secret({"a": "x"}))["data"]["a"]


@pytest.mark.parametrize("value", ['{"data":{"password":"aHVudGVyMg=="}}', "x" * 300])
def test_annotations_of_secrets_that_may_hold_a_copy_are_concealed(value: str) -> None:
    kept = sent(secret({}, annotations={"kapp.k14s.io/original": value, "team": "a"}))["metadata"][
        "annotations"
    ]
    assert kept["kapp.k14s.io/original"].startswith("digest:")
    assert kept["team"] == "a"


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8), st.binary(min_size=6, max_size=40), min_size=1, max_size=4
    )
)
def test_no_secret_value_is_in_what_is_sent(values: dict[str, bytes]) -> None:
    document = an_object(
        kind="Secret", data={key: base64.b64encode(value).decode() for key, value in values.items()}
    )
    body = observe(json.dumps(document).encode(), CONCEAL).body
    for key, value in values.items():
        assert base64.b64encode(value) not in body.replace(json.dumps(key).encode(), b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"metadata":{}}',
        b'{"kind":"Secret","apiVersion":"v1","metadata":{"uid":"u"},"data":["x"]}',
    ],
)
def test_what_cannot_be_read_is_not_sent(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        observe(raw, CONCEAL)


@given(st.uuids() | st.just(UUID(int=0)))
def test_a_uid_survives_packing(uid: UUID) -> None:
    assert unpack_uid(pack_uid(str(uid))) == str(uid)
    assert uid.int >> 120 == 0 or len(pack_uid(str(uid))) == 16


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_a_strange_uid_survives_packing(uid: str) -> None:
    assert unpack_uid(pack_uid(uid)) == uid


def test_an_object_without_a_uid_is_known_by_its_name() -> None:
    document = an_object(metadata={"uid": ""})
    raw = json.dumps(document).encode()
    assert observe(raw, CONCEAL).key == uid_of(raw) == pack_uid("default/web")
