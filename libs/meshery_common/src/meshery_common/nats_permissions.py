"""What each NATS user may publish and subscribe, and the server configuration that says so.

Computed from `meshery_contracts.wiring` and the contract modules. Knows the server's format and nothing of a
connection: it must not import nats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshery_contracts.catalogue import contract_for
from meshery_contracts.endpoints import ServicesOnly
from meshery_contracts.wiring import WIRING, Stream, Wiring, services

#: The server counts headers and payload together; what is over 4 MiB is fetched in parts (docs/adr/0011).
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
#: The account of all services; integrators who come through the auth callout are placed here too.
ACCOUNT = "APP"
SYSTEM_ACCOUNT = "SYS"
#: The one user of the system account: identity, when it ends the connections of a token that was revoked.
SYSTEM_USER = "system"
#: Ask all servers for connections; tell one server (by its id) to end one.
LIST_CONNECTIONS = "$SYS.REQ.SERVER.PING.CONNZ"
END_CONNECTION = "$SYS.REQ.SERVER.*.KICK"
#: How long an answer may take until the server withdraws the right to send it: above every timeout.
RESPONSE_SECONDS = 120


@dataclass(frozen=True)
class Permissions:
    """The subjects one user may use; what is not allowed is denied."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    #: Whether it may answer what it is asked, wherever the asker wants the answer.
    responds: bool = False

    def as_dict(self) -> dict[str, Any]:
        """In the names of the server's configuration file."""
        # An empty allow list would mean "everything": the server refuses only what is spelled out.
        rules: dict[str, Any] = {
            "publish": {"allow": list(self.publish)} if self.publish else {"deny": [">"]},
            "subscribe": {"allow": list(self.subscribe)} if self.subscribe else {"deny": [">"]},
        }
        if self.responds:
            rules["allow_responses"] = {"max": 1, "expires": f"{RESPONSE_SECONDS}s"}
        return rules

    def as_claims(self) -> dict[str, Any]:
        """In the names of a user JWT, which is how an auth callout answers."""
        claims: dict[str, Any] = {
            "pub": {"allow": list(self.publish)} if self.publish else {"deny": [">"]},
            "sub": {"allow": list(self.subscribe)} if self.subscribe else {"deny": [">"]},
        }
        if self.responds:
            claims["resp"] = {"max": 1, "ttl": RESPONSE_SECONDS * 1_000_000_000}
        return claims


@dataclass(frozen=True)
class AuthCallout:
    """Let identity decide about everybody who is none of our services.

    `issuer` is the public account nkey (A…) whose seed identity signs its answers with; `xkey` the public
    curve key (X…) of identity when the server shall encrypt what it asks.
    """

    issuer: str
    xkey: str = ""


def token(name: str) -> str:
    """A service's name as it stands in subjects: `adapter-hub` is `adapter_hub`."""
    return name.replace("-", "_")


def inbox_prefix(name: str) -> str:
    """Where replies to this user arrive; nobody else may listen there."""
    return f"_INBOX_{token(name)}"


def durable_name(name: str) -> str:
    """The durable consumer through which a service reads a stream."""
    return token(name)


def facts_stream(name: str) -> Stream:
    """The stream that keeps a service's facts."""
    return Stream(f"EVT_{token(name).upper()}", (f"meshery.evt.{token(name)}.>",))


def bodies(name: str) -> str:
    """Where a service gives out, part by part, what is too large for a message; its peers ask there.

    Two more parts follow: the process, and a word that only they know for whom the body is.
    """
    return f"meshery.body.{token(name)}"


def guest_bodies(inbox: str) -> str:
    """The same of an integrator, who is known by his inbox."""
    return f"meshery.body.guest.{inbox.removeprefix('_INBOX_')}"


def permissions_of(name: str, wiring: Mapping[str, Wiring] = WIRING) -> Permissions:
    """Everything one user may do. Raises KeyError for a name that the table does not have."""
    mine = wiring[name]
    own = token(name)
    publish = set(mine.extra.publish)
    subscribe = {f"{inbox_prefix(name)}.>", *mine.extra.subscribe}
    for callee in mine.calls:
        publish.add(f"meshery.rpc.{token(callee)}.>")
        publish |= _service_endpoints(callee, caller=name)
    if mine.discovers:
        publish.add("$SRV.>")
    if mine.serves:
        # Subject and queue group in one rule: a listener in another group would steal or copy requests.
        subscribe |= {f"meshery.rpc.{own}.> {own}", f"meshery.svc.{own}.> {own}", "$SRV.>"}
        publish.add("meshery.body.guest.>")
    peers = _peers(name, wiring)
    if peers:
        subscribe.add(f"{bodies(name)}.*.*")
        publish |= {f"{bodies(peer)}.*.*" for peer in peers}
    if mine.announces:
        publish |= {f"meshery.evt.{own}.>", f"meshery.live.{own}.>"}
        publish |= _stream_owner(facts_stream(name).name)
        publish |= {mine.repeats_on} - {""}
    for stream in mine.streams:
        publish |= _stream_owner(stream.name) | _durable(stream.name, durable_name(name))
    for source in mine.consumes:
        publish |= _durable(facts_stream(source).name, durable_name(name))
    for source in mine.watches:
        publish |= _ephemeral(facts_stream(source).name)
        subscribe |= {f"meshery.evt.{token(source)}.>", f"meshery.live.{token(source)}.>"}
    if any(subject.startswith("$JS.API.") for subject in publish):
        publish |= {"$JS.API.INFO", "$JS.API.STREAM.NAMES"}
    # Whoever only asks still answers where parts of a large request are asked for.
    return Permissions(
        tuple(sorted(publish)), tuple(sorted(subscribe)), responds=mine.serves or bool(mine.calls)
    )


def integrator_permissions(inbox: str, organization_ids: tuple[str, ...] = ()) -> Permissions:
    """The template for somebody outside: any public request, answers to his own inbox, large bodies both ways.

    `organization_ids` are those whose every event he may see, which only a service account with rights over
    the whole organisation has.
    """
    events = {f"meshery.{kind}.*.*.{one}.>" for one in organization_ids for kind in ("evt", "live")}
    asks = {f"{bodies(one)}.*.*" for one in services()}
    return Permissions(
        tuple(sorted({"meshery.rpc.*.v1.>", *asks})),
        tuple(sorted({f"{inbox}.>", f"{guest_bodies(inbox)}.>", *events})),
        # Parts of his own large requests, where they are asked for.
        responds=True,
    )


def system_permissions() -> Permissions:
    """Everything the user of the system account may do: see who is connected, and end that."""
    return Permissions((END_CONNECTION, LIST_CONNECTIONS), (f"{inbox_prefix(SYSTEM_USER)}.>",))


def server_config(
    service_nkeys: Mapping[str, str],
    auth_callout: AuthCallout | None = None,
    *,
    wiring: Mapping[str, Wiring] = WIRING,
    system_nkey: str = "",
) -> str:
    """The accounts, users and permissions of a nats-server, in its configuration format.

    `service_nkeys` gives the public user nkey (U…) per name of the table, or `$NAME` for a variable of the
    server's environment; `system_nkey` the one of identity's user in the system account, which may stay empty.
    Addresses, TLS and the JetStream folder belong to the machine and are added by whoever starts the server.
    """
    for name, nkey in service_nkeys.items():
        if not nkey.startswith(("U", "$")):
            raise ValueError(f"{name}: {nkey!r} is no public user nkey (it begins with U)")
    users = [_user(name, nkey, permissions_of(name, wiring)) for name, nkey in sorted(service_nkeys.items())]
    system_users = [_user(SYSTEM_USER, system_nkey, system_permissions())] if system_nkey else []
    lines = [
        f"max_payload: {MAX_PAYLOAD_BYTES}",
        'write_deadline: "5s"',
        f"system_account: {SYSTEM_ACCOUNT}",
        "accounts {",
        f"  {SYSTEM_ACCOUNT} {{ users: [",
        *system_users,
        "  ] }",
        f"  {ACCOUNT} {{ jetstream: enabled, users: [",
        *users,
        "  ] }",
        "}",
    ]
    if auth_callout is not None:
        bypass = sorted({*service_nkeys.values(), *([system_nkey] if system_nkey else [])})
        lines += [
            "authorization {",
            "  auth_callout {",
            f"    issuer: {auth_callout.issuer}",
            f"    account: {ACCOUNT}",
            # Not quoted: the server looks up variables in bare words only.
            f"    auth_users: [{', '.join(bypass)}]",
            *([f"    xkey: {auth_callout.xkey}"] if auth_callout.xkey else []),
            "  }",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _user(name: str, nkey: str, permissions: Permissions) -> str:
    return f"# {name}\n{{ nkey: {nkey}, permissions: {json.dumps(permissions.as_dict(), indent=1)} }}"


def _service_endpoints(callee: str, *, caller: str) -> set[str]:
    """The subjects for services only that the callee opens to this very caller."""
    return {
        one.subject
        for one in contract_for(callee).endpoints
        if isinstance(one.key, ServicesOnly) and caller in one.key.services
    }


def _peers(name: str, wiring: Mapping[str, Wiring]) -> set[str]:
    """Services whose large requests or replies this one must be able to fetch: its callees and callers."""
    callers = {other for other, one in wiring.items() if name in one.calls}
    return {*wiring[name].calls, *callers} - {name}


def _stream_owner(stream: str) -> set[str]:
    # No DELETE and no PURGE: a service cannot destroy what it announced.
    return {f"$JS.API.STREAM.{action}.{stream}" for action in ("CREATE", "UPDATE", "INFO")}


def _durable(stream: str, durable: str) -> set[str]:
    return {
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.>",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.DELETE.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    }


def _ephemeral(stream: str) -> set[str]:
    # Only unnamed consumers: with CREATE.<stream>.> one could replace another service's durable.
    return {
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.INFO.{stream}.>",
        f"$JS.FC.{stream}.>",
    }
