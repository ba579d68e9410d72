"""Which use case answers which endpoint. No decisions are made here."""

from __future__ import annotations

from meshery_common.bus import Bus
from meshery_contracts import identity as contract
from meshery_identity.domain.nats_logins import SUBJECT as AUTH_CALLOUT
from meshery_identity.service import AssertionsService, NATSLogins, PeopleService, TokensService


async def serve(
    bus: Bus,
    assertions: AssertionsService,
    people: PeopleService,
    tokens: TokensService,
    nats_logins: NATSLogins | None,
) -> None:
    """Answer every endpoint of the contract, and the NATS servers where they ask; fails when one is forgotten."""
    await bus.serve(contract.LIST_SIGNING_KEYS, assertions.signing_keys)
    await bus.serve(contract.AUTHENTICATE, assertions.authenticate)
    await bus.serve(contract.EXCHANGE_TOKEN, assertions.exchange)
    await bus.serve(contract.DELEGATE, assertions.delegate)
    await bus.serve(contract.LIST_PROVIDERS, people.providers)
    await bus.serve(contract.GET_USER, people.user)
    await bus.serve(contract.GET_PREFERENCES, people.preferences)
    await bus.serve(contract.SAVE_PREFERENCES, people.save_preferences)
    await bus.serve(contract.LIST_ORGANIZATIONS, people.organizations)
    await bus.serve(contract.LIST_WORKSPACES, people.workspaces)
    await bus.serve(contract.LIST_KEYS, people.keys)
    await bus.serve(contract.CREATE_TOKEN, tokens.create)
    await bus.serve(contract.LIST_TOKENS, tokens.list)
    await bus.serve(contract.DELETE_TOKEN, tokens.delete)
    if nats_logins is not None:
        await bus.answer(AUTH_CALLOUT, nats_logins.answer, queue=contract.AUTHENTICATE.service)
    await bus.announce(contract)
