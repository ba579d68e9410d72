"""Who talks to whom: the services that a service calls, the facts it consumes, its foreign subjects.

NATS permissions are computed from this table and from the contracts; a conversation that is not in it is
refused by the server. Add the line here first, then run `make schemas`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """A JetStream stream beside the service's own stream of facts."""

    name: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Extra:
    """Subjects outside of `meshery.rpc`, `.svc`, `.evt` and `.live`: foreign names and discovery frames."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wiring:
    """What one NATS user may do beside answering under its own name.

    `serves=False` is a user that answers nothing and announces nothing (an agent, an operator's shell).
    """

    #: Services it sends requests to.
    calls: tuple[str, ...] = ()
    #: Services whose facts it consumes, each through one durable consumer that bears its own name.
    consumes: tuple[str, ...] = ()
    #: Services whose facts and live deltas it follows as they come, without a durable consumer.
    watches: tuple[str, ...] = ()
    #: Streams it owns beside its facts, and consumes through a durable that bears its own name.
    streams: tuple[Stream, ...] = ()
    extra: Extra = Extra()
    serves: bool = True
    #: Whether it owns facts and thereby a stream of its own.
    announces: bool = True
    #: A plain subject on which each of its facts is repeated once it is stored, best effort.
    repeats_on: str = ""
    #: Whether it may ask all services who they are ($SRV.PING, $SRV.INFO, $SRV.STATS).
    discovers: bool = False


#: Discovery frames of all clusters: `meshery.sync.v1.<connection_id>.<kind>`.
SYNC = Stream("SYNC", ("meshery.sync.v1.*.*",))
#: The name that Meshery's architecture text gives to the status of connections and deployments.
BROKER = "meshery.broker"
#: And to changes of the state of clusters.
CLUSTER_STATE = "meshsync.request"

_EVERYBODY = ("identity", "registry", "designs", "connections", "inventory", "events")

WIRING: Mapping[str, Wiring] = {
    "gateway": Wiring(calls=_EVERYBODY, watches=_EVERYBODY, announces=False, discovers=True),
    "identity": Wiring(
        calls=("events",),
        # Its own: a token that was revoked ends the connections that were made with it.
        consumes=("identity",),
        # Integrators who reach NATS themselves: the server asks identity what they may do.
        extra=Extra(subscribe=("$SYS.REQ.USER.AUTH",)),
    ),
    "registry": Wiring(calls=("identity",), consumes=("identity", "connections")),
    "designs": Wiring(
        calls=("identity", "registry", "connections", "inventory"),
        consumes=("identity", "registry", "connections"),
        watches=("inventory",),
        repeats_on=BROKER,
    ),
    "connections": Wiring(
        calls=("identity", "registry", "inventory"),
        consumes=("identity",),
        repeats_on=BROKER,
        extra=Extra(publish=("meshery.meshsync.request",), subscribe=("meshery.meshsync.>",)),
    ),
    "inventory": Wiring(
        calls=("identity", "registry", "connections"),
        consumes=("identity", "connections"),
        streams=(SYNC,),
        # Beside it the Go MeshSync's own subjects.
        extra=Extra(
            publish=(CLUSTER_STATE, "meshery.meshsync.request", "meshery.meshsync.compare"),
            subscribe=("meshery.meshsync.>",),
        ),
    ),
    "events": Wiring(calls=("identity",), consumes=_EVERYBODY),
    # MeshSync as child processes beside connections; in a cluster of its own it has that cluster's broker.
    "meshsync": Wiring(
        # Opens sessions and compares digests; both are open to it alone.
        calls=("inventory",),
        serves=False,
        announces=False,
        extra=Extra(
            publish=("meshery.sync.v1.*.*", "meshery.meshsync.>"),
            subscribe=("meshery.meshsync.request", "meshery.meshsync.compare"),
        ),
    ),
    # A person at a shell: `nats micro ls|info|stats --inbox-prefix _INBOX_operator`, `nats sub meshery.broker`.
    "operator": Wiring(
        serves=False, announces=False, discovers=True, extra=Extra(subscribe=(BROKER, CLUSTER_STATE))
    ),
}


def services(wiring: Mapping[str, Wiring] = WIRING) -> tuple[str, ...]:
    """The names that answer requests, in the order of the table."""
    return tuple(name for name, one in wiring.items() if one.serves)
