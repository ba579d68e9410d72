"""People and what they may do in an organisation, as far as it is known without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.errors import Forbidden, NotFound, Unauthenticated
from meshery_contracts.keys import ALL_BITS
from meshery_identity.domain import roles

#: The wire name of the local provider, and other spellings that clients know it by.
LOCAL_PROVIDER = "None"
LOCAL_SPELLINGS = frozenset({"", "none", "local", "meshery"})
NOBODY_ID = UUID(int=0)


@dataclass(frozen=True)
class Standing:
    """What somebody is in one organisation right now."""

    user_id: UUID
    provider: str
    status: str
    organization_id: UUID
    #: Whether he belongs to the organisation, and it still exists.
    member: bool
    key_ids: tuple[UUID, ...]
    team_ids: tuple[UUID, ...]
    workspace_ids: tuple[UUID, ...]


def check_provider(provider: str) -> None:
    """Raise `Unauthenticated` unless this names the local provider, the only one there is."""
    if provider.lower() not in LOCAL_SPELLINGS:
        raise Unauthenticated(
            f"There is no provider {provider[:100]!r} here.",
            code="provider_unknown",
            remedy=f"Choose one of /api/providers, e.g. {LOCAL_PROVIDER!r}.",
        )


def check_standing(standing: Standing | None) -> Standing:
    """The standing of somebody who may act. Raises `NotFound` (no such person) or `Forbidden`."""
    if standing is None:
        raise NotFound("There is no such person.", code="user_unknown")
    if standing.status != "active":
        raise Forbidden(
            f"The account is {standing.status}.",
            code="user_inactive",
            remedy="Ask an administrator of the organisation to activate it.",
        )
    if not standing.member:
        raise Forbidden(
            "The organisation does not exist, or the person is not a member of it.",
            code="organization_foreign",
            remedy="Choose one of the person's own organisations.",
        )
    return standing


def caller_of(standing: Standing, *, actor: str = "", only: tuple[UUID, ...] | None = None) -> Caller:
    """The caller that an assertion will speak for; `only` are the keys that a token may use at most."""
    bits = roles.bits_of_ids(standing.key_ids)
    if only is not None:
        bits &= roles.bits_of_ids(only)
    return Caller(
        user_id=standing.user_id,
        organization_id=standing.organization_id,
        team_ids=standing.team_ids,
        workspace_ids=standing.workspace_ids,
        key_bits=bits,
        actor=actor,
    )


def service_caller(organization_id: UUID, actor: str) -> Caller:
    """The caller for a service that acts on its own: every key, nobody behind it."""
    return Caller(
        kind=CallerKind.SERVICE,
        user_id=NOBODY_ID,
        organization_id=organization_id,
        key_bits=ALL_BITS,
        actor=actor,
    )
