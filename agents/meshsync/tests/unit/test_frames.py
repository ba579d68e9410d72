"""Frames are what the contract says they are."""

from __future__ import annotations

from uuid import UUID

from meshery_contracts.discovery import Action, Frame, frame_subject, kind_token, message_id
from meshery_meshsync.domain import frames
from meshery_meshsync.domain.frames import EpochEnd, KindName

CONNECTION = UUID("6bf42391-8013-472d-91b7-db9963189818")


def test_a_frame_is_the_contracts_frame() -> None:
    raw = frames.frame(
        organization_id=CONNECTION,
        cluster_id="c",
        session=5,
        position=7,
        kind=KindName("apps/v1", "Deployment", "deployments", True),
        epoch=6,
        begin=False,
        end=EpochEnd(2, frames.hex_digest(255)),
        entries=[
            frames.set_entry("u1", "3", bytes(8), b'{"kind":"Deployment","n":1}'),
            frames.touch_entry("u2", "4", bytes(8)),
            frames.drop_entry("u3"),
        ],
    )
    frame = Frame.model_validate_json(raw)
    assert (frame.session, frame.position, frame.epoch) == (5, 7, 6)
    assert frame.kind.plural == "deployments"
    assert frame.end is not None
    assert frame.end.digest == "00000000000000ff"
    assert [one.action for one in frame.objects] == [Action.SET, Action.TOUCH, Action.DROP]
    assert frame.objects[0].object == {"kind": "Deployment", "n": 1}


def test_kinds_have_tokens_of_their_own() -> None:
    assert kind_token("pods", "v1") == "pods_v1_core"
    assert kind_token("ingresses", "networking.k8s.io/v1") == "ingresses_v1_networking_k8s_io"
    assert frame_subject(CONNECTION, "pods_v1_core") == f"meshery.sync.v1.{CONNECTION}.pods_v1_core"
    assert message_id(CONNECTION, 7) == f"{CONNECTION}-7"
