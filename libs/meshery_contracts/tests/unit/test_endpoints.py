"""An endpoint or topic that breaks a rule does not construct."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from meshery_contracts.designs import DesignSaved
from meshery_contracts.endpoints import Endpoint, Topic, contract_of, public, services_only
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, Nothing

SUBJECT = "meshery.rpc.designs.v1.get_design"
ORGANIZATION = UUID(int=1)


def endpoint(subject: str = SUBJECT, key: Any = Key.VIEW_DESIGNS) -> Endpoint[Message, Message]:
    return Endpoint(subject, Message, Message, key=key)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "rpc.designs.v1.get_design",
        "meshery.rpc.designs.get_design",
        "meshery.rpc.designs.v1.GetDesign",
        "meshery.rpc.designs.v1.get.design",
        "meshery.rpc.Designs.v1.get_design",
        "meshery.evt.designs.v1.get_design",
        f"{SUBJECT} ",
    ],
)
def test_a_wrong_subject_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="no endpoint subject"):
        endpoint(subject)


def test_an_endpoint_without_a_key_is_refused() -> None:
    with pytest.raises(TypeError, match="permission key"):
        endpoint(key=None)


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        (SUBJECT, services_only("gateway", reason="test")),
        ("meshery.svc.designs.v1.get_design", Key.VIEW_DESIGNS),
        ("meshery.svc.designs.v1.get_design", public("test")),
    ],
)
def test_the_subject_says_whether_only_services_may_call(subject: str, key: Any) -> None:
    with pytest.raises(ValueError, match="go together"):
        endpoint(subject, key)


def test_the_key_that_a_caller_must_hold() -> None:
    secret = services_only("gateway", reason="test", key=Key.VIEW_DESIGNS)
    assert endpoint().required_key is Key.VIEW_DESIGNS
    assert endpoint(key=public("test")).required_key is None
    assert endpoint("meshery.svc.designs.v1.get_design", secret).required_key is Key.VIEW_DESIGNS


def test_the_parts_of_a_subject() -> None:
    assert (endpoint().service, endpoint().verb) == ("designs", "get_design")
    topic = Topic("meshery.evt.designs.v1.{organization_id}.design_saved.{id}", Fact)
    assert (topic.service, topic.name, topic.stream, topic.durable) == (
        "designs",
        "design_saved",
        "EVT_DESIGNS",
        True,
    )
    assert topic.subject_for(ORGANIZATION, "7") == f"meshery.evt.designs.v1.{ORGANIZATION}.design_saved.7"
    assert topic.wildcard() == "meshery.evt.designs.v1.*.design_saved.*"
    assert not Topic("meshery.live.designs.v1.{organization_id}.cursor.{id}", Nothing).durable


@pytest.mark.parametrize(
    "subject",
    ["meshery.evt.designs.v1.design_saved", "meshery.rpc.designs.v1.{organization_id}.design_saved.{id}"],
)
def test_a_wrong_topic_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="no topic"):
        Topic(subject, Fact)


def test_a_contract_is_read_in_the_order_of_its_subjects() -> None:
    class Contract:
        B = endpoint("meshery.rpc.designs.v1.b_thing")
        A = endpoint("meshery.rpc.designs.v1.a_thing")
        T = Topic("meshery.evt.designs.v1.{organization_id}.design_saved.{id}", Fact)
        NAME = "no contract"

    endpoints, topics = contract_of(Contract)
    assert endpoints == [Contract.A, Contract.B]
    assert topics == [Contract.T]


def test_a_topic_without_a_summary_says_what_its_event_says() -> None:
    subject = "meshery.evt.designs.v1.{organization_id}.design_saved.{id}"
    assert Topic(subject, DesignSaved).summary == "A design was created or got a new version."
    assert Topic(subject, DesignSaved, "Saved.").summary == "Saved."
