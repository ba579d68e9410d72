"""The whole matrix of states and moves."""

from __future__ import annotations

import pytest

from meshery_connections.domain import states
from meshery_contracts.connections import ConnectionStatus
from meshery_contracts.errors import Conflict

S = ConnectionStatus
#: From each state, what a person may ask for, and where that ends.
KUBERNETES = {
    S.DISCOVERED: {S.REGISTERED: S.CONNECTED, S.CONNECTED: S.CONNECTED, S.DELETED: S.DELETED},
    S.REGISTERED: {S.CONNECTED: S.CONNECTED, S.IGNORED: S.IGNORED},
    S.CONNECTED: {S.DISCONNECTED: S.DISCONNECTED, S.DELETED: S.DELETED, S.IGNORED: S.IGNORED},
    S.IGNORED: {S.REGISTERED: S.CONNECTED, S.CONNECTED: S.CONNECTED, S.DELETED: S.DELETED},
    S.MAINTENANCE: {},
    S.DISCONNECTED: {S.CONNECTED: S.CONNECTED, S.DELETED: S.DELETED},
    S.DELETED: {},
    S.NOT_FOUND: {
        S.DISCOVERED: S.CONNECTED,
        S.REGISTERED: S.CONNECTED,
        S.CONNECTED: S.CONNECTED,
        S.DELETED: S.DELETED,
    },
}
OTHERS = {
    S.DISCOVERED: {S.REGISTERED: S.CONNECTED, S.CONNECTED: S.CONNECTED, S.IGNORED: S.IGNORED},
    S.REGISTERED: {S.CONNECTED: S.CONNECTED, S.IGNORED: S.IGNORED},
    S.CONNECTED: {S.DISCONNECTED: S.DISCONNECTED, S.DELETED: S.DELETED},
    S.DISCONNECTED: {S.CONNECTED: S.CONNECTED, S.DELETED: S.DELETED},
    S.IGNORED: {},
    S.MAINTENANCE: {},
    S.DELETED: {},
    S.NOT_FOUND: {},
}
MATRIX = [
    pytest.param(kind, current, wanted, ends.get(wanted), id=f"{kind}: {current.value} to {wanted.value}")
    for kind, table in (("kubernetes", KUBERNETES), ("grafana", OTHERS))
    for current, ends in table.items()
    for wanted in S
]


@pytest.mark.parametrize(("kind", "current", "wanted", "end"), MATRIX)
def test_every_move(kind: str, current: S, wanted: S, end: S | None) -> None:
    if wanted is current:
        assert states.settled(kind, current, wanted) is current
    elif end is not None:
        assert states.settled(kind, current, wanted) is end
    else:
        with pytest.raises(Conflict) as caught:
            states.settled(kind, current, wanted)
        problem = caught.value.problem
        assert problem.code == "transition_refused"
        for allowed in states.offered(kind, current):
            assert allowed.value in problem.remediation[0]


def test_nobody_can_choose_not_found_though_the_system_can_find_it() -> None:
    assert S.NOT_FOUND in states.moves("kubernetes", S.CONNECTED)
    with pytest.raises(Conflict) as caught:
        states.settled("kubernetes", S.CONNECTED, S.NOT_FOUND)
    assert "not chosen" in caught.value.problem.probable_cause[0]


@pytest.mark.parametrize(
    ("current", "target", "needed"),
    [
        (S.DISCOVERED, S.CONNECTED, True),
        (S.DISCONNECTED, S.CONNECTED, True),
        (S.CONNECTED, S.CONNECTED, False),
        (S.CONNECTED, S.DELETED, False),
    ],
)
def test_only_connecting_needs_the_cluster(current: S, target: S, needed: bool) -> None:
    assert states.needs_cluster(current, target) is needed
