"""Whose rows a statement may see: one organisation's, or all of them.

PostgreSQL's row-level security reads the scope from the setting `meshery.organization` of the connection; see
`migrations/0001_runtime.sql` for the policies. A connection without it sees no rows of anybody.
"""

from __future__ import annotations

from enum import Enum
from typing import Final
from uuid import UUID


class EveryOrganization(Enum):
    """The scope of work that belongs to no single organisation: relays, workers, sign-in."""

    EVERY_ORGANIZATION = "*"

    def __str__(self) -> str:
        return self.value


#: For workers and for tables without an organisation; never for a request that lists what a person may see.
EVERY_ORGANIZATION: Final = EveryOrganization.EVERY_ORGANIZATION

#: An organisation's id, or every organisation.
Scope = UUID | EveryOrganization
