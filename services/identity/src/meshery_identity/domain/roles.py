"""The roles that every installation has, and what they grant.

They are brought up to date at every start, so that a key of a new release reaches those who should hold it. A
role of one's own making is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from meshery_contracts.keys import BY_ID, LOCAL_KEYS, Key, bits_of


@dataclass(frozen=True)
class BuiltInRole:
    """A role of every organisation, with one keychain of the same name."""

    name: str
    description: str
    keys: tuple[Key, ...]


LOCAL_USER = BuiltInRole("Local user", "The one user of the local provider.", LOCAL_KEYS)


def _of_letter(name: str, letter: str, description: str) -> BuiltInRole:
    return BuiltInRole(name, description, tuple(key for key in Key if letter in key.value.roles))


BUILT_IN: tuple[BuiltInRole, ...] = (
    LOCAL_USER,
    _of_letter("User", "U", "Works with designs and looks at what is connected."),
    _of_letter("Team Admin", "T", "Also manages the members of teams."),
    _of_letter("Workspace Admin", "W", "Also manages workspaces, connects and deploys."),
    _of_letter("Organization Billing Manager", "B", "Manages an organisation's plan and members."),
    _of_letter("Organization Admin", "O", "Manages everything in an organisation."),
    _of_letter("Provider Admin", "P", "Manages everything in all organisations."),
)


def bits_of_ids(key_ids: Iterable[UUID]) -> int:
    """The bit set of these keys; an id that this release does not know grants nothing."""
    return bits_of(frozenset(BY_ID[one] for one in key_ids if one in BY_ID))
