"""Who may act, and with which keys."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from meshery_contracts import identity
from meshery_contracts.caller import CallerKind
from meshery_contracts.endpoints import contract_of
from meshery_contracts.errors import Forbidden, NotFound, Unauthenticated
from meshery_contracts.keys import ALL_BITS, LOCAL_BITS, LOCAL_KEYS, Key, bits_of
from meshery_identity.domain import people, roles
from meshery_identity.domain.people import Standing

STANDING = Standing(
    user_id=uuid4(),
    provider="None",
    status="active",
    organization_id=uuid4(),
    member=True,
    key_ids=tuple(key.id for key in LOCAL_KEYS),
    team_ids=(uuid4(),),
    workspace_ids=(uuid4(),),
)


def test_only_active_members_act() -> None:
    assert people.check_standing(STANDING) is STANDING
    with pytest.raises(NotFound):
        people.check_standing(None)
    for status in ("inactive", "pending", "anonymous"):
        with pytest.raises(Forbidden):
            people.check_standing(replace(STANDING, status=status))
    with pytest.raises(Forbidden) as caught:
        people.check_standing(replace(STANDING, member=False))
    assert caught.value.problem.code == "organization_foreign"


def test_a_token_only_takes_keys_away() -> None:
    caller = people.caller_of(STANDING, only=(Key.VIEW_PROFILE.id, Key.VIEW_AUDIT.id, uuid4()))
    assert caller.key_bits == bits_of((Key.VIEW_PROFILE,))
    assert people.caller_of(STANDING, only=()).key_bits == 0
    whole = people.caller_of(STANDING, actor="designs")
    assert (whole.key_bits, whole.actor, whole.kind) == (LOCAL_BITS, "designs", CallerKind.USER)
    assert (whole.team_ids, whole.workspace_ids) == (STANDING.team_ids, STANDING.workspace_ids)


def test_a_service_on_its_own_is_nobody_with_every_key() -> None:
    caller = people.service_caller(STANDING.organization_id, "designs")
    assert (caller.kind, caller.user_id.int, caller.key_bits) == (CallerKind.SERVICE, 0, ALL_BITS)


def test_spellings_of_the_local_provider() -> None:
    for spelling in ("", "None", "none", "Local", "MESHERY"):
        people.check_provider(spelling)
    with pytest.raises(Unauthenticated):
        people.check_provider("Cloud")


def test_keys_that_this_release_does_not_know_grant_nothing() -> None:
    assert roles.bits_of_ids([uuid4()]) == 0
    assert roles.bits_of_ids([Key.VIEW_PROFILE.id, uuid4()]) == bits_of((Key.VIEW_PROFILE,))


def test_built_in_roles_grow_with_their_rank() -> None:
    granted = {role.name: frozenset(role.keys) for role in roles.BUILT_IN}
    assert granted["Local user"] == frozenset(LOCAL_KEYS)
    assert granted["User"] <= granted["Organization Admin"] <= granted["Provider Admin"]
    assert Key.DEPLOY_DESIGN in granted["Workspace Admin"]
    assert Key.DEPLOY_DESIGN not in granted["User"]


def test_the_local_user_may_use_every_endpoint_of_identity() -> None:
    endpoints, _ = contract_of(identity)
    for endpoint in endpoints:
        assert endpoint.required_key is None or endpoint.required_key in LOCAL_KEYS, endpoint.subject
