"""How objects are stored, told apart and shown."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_inventory.domain.objects import (
    StoredObject,
    Unreadable,
    hexadecimal,
    meshery_id,
    resource_id,
    resource_id_of,
    signed,
    stored_object,
    timestamp,
)
from meshery_inventory.domain.resources import Found, Wanted, connection_hint, public

CONNECTION, OTHER = UUID(int=1), UUID(int=2)


def stored(**fields: Any) -> StoredObject:
    metadata = {"name": "web", "namespace": "default", **fields.pop("metadata", {})}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **fields}
    return stored_object(json.dumps(document).encode(), "u1", "7")


def shown(one: StoredObject, wanted: Wanted | None = None) -> dict[str, Any]:
    found = Found(
        "c1",
        one.api_version,
        one.kind,
        one.namespace,
        one.name,
        one.uid,
        one.resource_version,
        one.created_at,
        json.loads(one.labels),
        one.metadata,
        one.spec,
        one.status,
        one.rest,
    )
    return public(found, wanted or Wanted())


def test_ids_are_meshs_and_made_of_names() -> None:
    assert base64.b64decode(meshery_id("c1", "Pod", "v1", "default", "web-1")) == b"c1.Pod.v1.default.web-1"
    assert base64.b64decode(meshery_id("c1", "Node", "v1", "", "n1")) == b"c1.Node.v1..n1"


def test_the_key_follows_from_the_public_id_and_the_connection() -> None:
    key = resource_id(CONNECTION, "c1", "Pod", "v1", "default", "web")
    public_id = meshery_id("c1", "Pod", "v1", "default", "web")
    assert resource_id_of(CONNECTION, public_id) == key
    assert resource_id_of(CONNECTION, public_id.replace("+", "-").replace("/", "_").rstrip("=")) == key
    assert resource_id_of(OTHER, public_id) != key


@given(st.text(max_size=30))
def test_any_text_may_be_asked_for_as_an_id(text: str) -> None:
    resource_id_of(CONNECTION, text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_digests_cross_to_postgresql_and_back(number: int) -> None:
    assert signed(hexadecimal(number)) == number


def test_an_object_is_split() -> None:
    one = stored(
        metadata={
            "labels": {"app": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"uid": "o1", "kind": "ReplicaSet"}],
        },
        spec={"a": 1},
        status=None,
        data={"k": "v"},
    )
    assert one.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert one.owner_uids == ["o1"]
    assert json.loads(one.labels) == {"app": "web"}
    assert one.spec == '{"a":1}' or json.loads(one.spec or "") == {"a": 1}
    assert one.status is None
    assert json.loads(one.rest or "") == {"data": {"k": "v"}}


def test_a_zero_byte_does_not_reach_postgresql() -> None:
    assert "\\u0000" not in (stored(spec={"a": "\0"}).spec or "")


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert timestamp(text) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"kind":"Pod"}', b'{"metadata":1}'])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        stored_object(raw, "u", "1")


def test_the_public_shape_is_meshs() -> None:
    one = shown(
        stored(
            metadata={
                "labels": {"app": "web", "empty": "", "design.meshery.io/id": str(CONNECTION)},
                "annotations": {"note": "x"},
                "ownerReferences": [{"uid": "o1"}],
                "generation": 3,
            },
            spec={"a": 1},
            status={"phase": "Running"},
            type="Opaque",
            data={"k": "v"},
            rules=[1],
        )
    )
    assert one["id"] == one["metadata"]["id"] == meshery_id("c1", "Pod", "v1", "default", "web")
    assert json.loads(one["spec"]["attribute"]) == {"a": 1}
    assert json.loads(one["status"]["attribute"]) == {"phase": "Running"}
    assert json.loads(one["data"]) == {"k": "v"}
    assert one["type"] == "Opaque"
    assert json.loads(one["rest"]) == {"rules": [1]}
    assert one["cluster_id"] == one["clusterId"] == "c1"
    assert one["pattern_resource"] == str(CONNECTION)
    assert json.loads(one["metadata"]["ownerReferences"]) == [{"uid": "o1"}]
    assert one["metadata"]["generation"] == 3
    labels = {label["key"]: label.get("value") for label in one["metadata"]["labels"]}
    assert labels["app"] == "web"
    assert labels["empty"] is None
    assert one["metadata"]["annotations"][0]["value"] == "x"


def test_a_list_leaves_out_what_was_not_asked_for() -> None:
    one = shown(
        stored(spec={}, status={}, metadata={"labels": {"a": "b"}}), Wanted(False, False, False, False)
    )
    assert "spec" not in one
    assert "status" not in one
    assert "labels" not in one["metadata"]


@pytest.mark.parametrize(
    ("spec", "urls"),
    [
        ('{"clusterIP":"10.0.0.5","ports":[{"port":81},{"port":80}]}', ["http://10.0.0.5:80"]),
        ('{"clusterIP":"10.0.0.1","ports":[{"port":443}]}', ["https://10.0.0.1:443"]),
        ('{"clusterIP":"None","ports":[{"port":80}]}', []),
        ("[]", []),
        (None, []),
    ],
)
def test_a_service_hints_at_what_may_be_connected(spec: str | None, urls: list[str]) -> None:
    assert connection_hint(spec) == {"capabilities": {"connection": True, "urls": urls}}
