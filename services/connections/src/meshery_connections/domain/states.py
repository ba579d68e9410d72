"""The states of a connection and the moves between them, as Meshery's clients know them.

`discovered → registered → connected` runs by itself once a move enters it: whoever asks for one of them asks for
the end of the chain, and gets `not found` when the cluster does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshery_contracts.connections import ConnectionStatus
from meshery_contracts.errors import Conflict

_S = ConnectionStatus
KUBERNETES: Final = "kubernetes"

Table = Mapping[ConnectionStatus, tuple[ConnectionStatus, ...]]

_KUBERNETES: Final[Table] = {
    _S.DISCOVERED: (_S.REGISTERED, _S.NOT_FOUND, _S.DELETED),
    _S.REGISTERED: (_S.CONNECTED, _S.IGNORED, _S.NOT_FOUND),
    _S.CONNECTED: (_S.DISCONNECTED, _S.DELETED, _S.NOT_FOUND, _S.IGNORED),
    _S.IGNORED: (_S.REGISTERED, _S.DELETED),
    _S.DISCONNECTED: (_S.CONNECTED, _S.DELETED),
    _S.NOT_FOUND: (_S.DISCOVERED, _S.DELETED),
}
_OTHERS: Final[Table] = {
    _S.DISCOVERED: (_S.REGISTERED, _S.IGNORED),
    _S.REGISTERED: (_S.CONNECTED, _S.IGNORED),
    _S.CONNECTED: (_S.DISCONNECTED, _S.DELETED),
    _S.DISCONNECTED: (_S.CONNECTED, _S.DELETED),
}
#: What runs by itself after a state was entered.
_CHAIN: Final[Table] = {_S.DISCOVERED: (_S.REGISTERED,), _S.REGISTERED: (_S.CONNECTED,)}
#: States that only the system finds a connection in.
_NOT_FOR_USERS: Final = frozenset({_S.NOT_FOUND})


def moves(kind: str, status: ConnectionStatus) -> tuple[ConnectionStatus, ...]:
    """The states that a connection of this kind can go to from here; none when it can go nowhere."""
    table = _KUBERNETES if kind == KUBERNETES else _OTHERS
    return table.get(status, ())


def offered(kind: str, status: ConnectionStatus) -> tuple[ConnectionStatus, ...]:
    """The states that a person can ask for: the next ones, and those that the chain leads to."""
    found: dict[ConnectionStatus, None] = {}
    for target in moves(kind, status):
        if target not in _NOT_FOR_USERS:
            found |= dict.fromkeys(chain(kind, target))
    return tuple(found)


def chain(kind: str, status: ConnectionStatus) -> tuple[ConnectionStatus, ...]:
    """This state and those that a connection runs through after it by itself."""
    found = [status]
    while following := _CHAIN.get(found[-1]):
        found += [one for one in following if one in moves(kind, found[-1])]
    return tuple(found)


def settled(kind: str, current: ConnectionStatus, wanted: ConnectionStatus) -> ConnectionStatus:
    """Where a connection ends up when a person asks for `wanted`. Raises Conflict for what is not offered.

    Asking for the state it is in changes nothing.
    """
    if wanted is current:
        return current
    allowed = offered(kind, current)
    if wanted not in allowed:
        names = ", ".join(one.value for one in allowed) or "none"
        cause = "That state is found by the system, not chosen." if wanted in _NOT_FOR_USERS else ""
        raise Conflict(
            f"A connection cannot go from '{current.value}' to '{wanted.value}'.",
            code="transition_refused",
            cause=cause or f"Possible from '{current.value}': {names}.",
            remedy=f"Choose one of: {names}."
            if allowed
            else "A deleted connection stays deleted; make a new one.",
        )
    return chain(kind, wanted)[-1]


def needs_cluster(current: ConnectionStatus, target: ConnectionStatus) -> bool:
    """Whether the cluster has to answer before the move can be made."""
    return target is _S.CONNECTED and current is not _S.CONNECTED
