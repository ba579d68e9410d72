"""Who is asking. Signed by identity, verified and read by every service; never built from a bare header."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from meshery_contracts.errors import Forbidden
from meshery_contracts.keys import Key, keys_of_bits


class CallerKind(StrEnum):
    """A person (or a person's token), or one of our services acting on its own."""

    USER = "user"
    SERVICE = "service"


class Caller(BaseModel):
    """The verified claims of an assertion."""

    model_config = ConfigDict(frozen=True)

    kind: CallerKind = CallerKind.USER
    user_id: UUID = Field(description="The person; for a service acting on its own the nil UUID.")
    organization_id: UUID = Field(description="The organisation the request is made in.")
    team_ids: tuple[UUID, ...] = ()
    workspace_ids: tuple[UUID, ...] = ()
    key_bits: int = Field(default=0, description="Permission keys as a bit set over `keys.ORDER`.")
    actor: str = Field(default="", description="The service that acts for the person, if one does.")

    def holds(self, key: Key) -> bool:
        """Whether the caller holds this permission key in the organisation."""
        return bool(self.key_bits >> key.position & 1)

    def require(self, key: Key) -> None:
        """Raise `Forbidden` unless the caller holds the key."""
        if not self.holds(key):
            raise key_missing(key)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys held, in the order of `keys.ORDER`."""
        return keys_of_bits(self.key_bits)


def key_missing(key: Key) -> Forbidden:
    """The refusal of somebody who does not hold a key."""
    return Forbidden(
        f"You may not do this: the permission key {key.function!r} is missing.",
        code="key_missing",
        detail=f"key {key.id} ({key.category})",
        cause="None of your roles in this organisation holds the key.",
        remedy="Ask an administrator of the organisation for a role that holds it.",
    )
