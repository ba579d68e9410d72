"""A real NATS server for each test, with the users and permissions of production, and callers to act as.

`bus_settings` gives each service its own NATS user, so a subject that the wiring table forgot is refused in a
test as it would be in production.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import nkeys
import pytest
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from meshery_common.bus import Bus, BusSettings
from meshery_common.callers import AssertionSigner
from meshery_common.nats_permissions import AuthCallout, server_config
from meshery_contracts import identity
from meshery_contracts.caller import Caller
from meshery_contracts.errors import NotFound, Unauthenticated
from meshery_contracts.keys import ALL_BITS, LOCAL_BITS
from meshery_contracts.wiring import WIRING
from meshery_embedded.nats import NATSServer, nats_server


def _seed(prefix: int) -> tuple[str, str]:
    """A new NKey: its seed and its public name."""
    pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))
    return pair.seed.decode(), pair.public_key.decode()


@dataclass
class NATSForTests:
    """A running server and the seeds of its users."""

    server: NATSServer
    seeds: Mapping[str, str]
    #: Seed of the account key that signs users in the auth callout; identity gets it.
    issuer_seed: str
    #: Seed of the user of the system account; identity gets it, too.
    system_seed: str

    def bus_settings(self, service: str, **settings: Any) -> BusSettings:
        """How a service reaches this server as itself. More keyword arguments change single settings."""
        return BusSettings(url=self.server.url, nkey_seed=SecretStr(self.seeds[service]), **settings)


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NATSForTests]:
    """A NATS server with every service's user. Nothing it holds outlives the test."""
    pairs = {name: _seed(nkeys.PREFIX_BYTE_USER) for name in WIRING}
    issuer_seed, issuer = _seed(nkeys.PREFIX_BYTE_ACCOUNT)
    system_seed, system = _seed(nkeys.PREFIX_BYTE_USER)
    config = server_config(
        {name: public for name, (_, public) in pairs.items()}, AuthCallout(issuer), system_nkey=system
    )
    async with nats_server(
        data=tmp_path / "nats", config=config, port=0, monitor_port=0, durable=False
    ) as server:
        yield NATSForTests(
            server, {name: seed for name, (seed, _) in pairs.items()}, issuer_seed, system_seed
        )


@dataclass
class People:
    """Signs callers as identity would, and stands in for identity where it is not what is tested."""

    signer: AssertionSigner
    #: Whom `DELEGATE` knows: user ids that lost their rights are put in here.
    revoked: set[UUID] = field(default_factory=set)
    #: Whom `AUTHENTICATE` knows by token; the empty token is whoever comes over loopback.
    tokens: dict[str, Caller] = field(default_factory=dict)

    def caller(self, **claims: Any) -> Caller:
        """A new person with all local keys in a new organisation, unless `claims` say otherwise."""
        return Caller(**{"user_id": uuid4(), "organization_id": uuid4(), "key_bits": LOCAL_BITS, **claims})

    def assertion(self, caller: Caller) -> str:
        """The signed form of a caller."""
        return self.signer.sign(caller, now=time.time())[0]

    @asynccontextmanager
    async def serving(self, nats: NATSForTests) -> AsyncIterator[Bus]:
        """Answer for identity: its signing keys, and assertions for services."""

        async def keys(_request: identity.ListSigningKeys, _caller: Caller) -> identity.SigningKeys:
            return identity.SigningKeys(keys=[self.signer.public_jwk()])

        async def delegate(request: identity.Delegate, _caller: Caller) -> identity.Assertion:
            if request.user_id in self.revoked:
                raise NotFound("The person is no longer there.", code="user_unknown")
            caller = Caller(
                user_id=request.user_id or UUID(int=0),
                organization_id=request.organization_id,
                key_bits=LOCAL_BITS if request.user_id else ALL_BITS,
                actor=request.actor,
            )
            return self._signed(caller)

        async def authenticate(request: identity.Authenticate, _caller: Caller) -> identity.Assertion:
            if request.token not in self.tokens:
                raise Unauthenticated("Nobody has this token.", code="token_unknown")
            return self._signed(self.tokens[request.token])

        async with Bus.connect(nats.bus_settings("identity"), service="identity") as bus:
            await bus.serve(identity.LIST_SIGNING_KEYS, keys)
            await bus.serve(identity.DELEGATE, delegate)
            await bus.serve(identity.AUTHENTICATE, authenticate)
            yield bus

    def _signed(self, caller: Caller) -> identity.Assertion:
        signed, expires_at = self.signer.sign(caller, now=time.time())
        return identity.Assertion(
            assertion=signed,
            expires_at=datetime.fromtimestamp(expires_at, UTC),
            user_id=caller.user_id,
            organization_id=caller.organization_id,
            key_ids=[key.id for key in caller.keys],
        )


@pytest.fixture
def people() -> People:
    """Callers to act as; see `People`."""
    key = OKPKey.generate_key("Ed25519", private=True)
    return People(AssertionSigner(key, "test"))
