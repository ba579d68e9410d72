"""What an organisation sees: its own rows and what ships with us, and of those what is switched on.

`statuses` says what the organisation switched, over what a definition says of itself. A hidden model hides all that
belongs to it. The texts below are parts of statements of somebody's scope.
"""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

#: The organisation of what ships with us.
SHIPPED = UUID(int=0)


def seen_by(organization_id: UUID) -> list[UUID]:
    """The organisations whose rows somebody of this one sees."""
    return [organization_id, SHIPPED]


#: Models that the caller's organisation is not offered; rarely any, so it is worked out once per statement.
HIDDEN_MODELS: LiteralString = """
    (select h.id from models h where h.organization_id in
            ((select current_organization()), '00000000-0000-0000-0000-000000000000')
        and h.status <> 'enabled' and h.id not in (select s.id from statuses s
            where s.organization_id = (select current_organization()) and s.status = 'enabled')
     union all
     select s.id from statuses s
        where s.organization_id = (select current_organization()) and s.status <> 'enabled')
"""
_SWITCHED_ON: LiteralString = """
    (select s.id from statuses s
        where s.organization_id = (select current_organization()) and s.status = 'enabled')
"""
_SWITCHED_OFF: LiteralString = """
    (select s.id from statuses s
        where s.organization_id = (select current_organization()) and s.status <> 'enabled')
"""

#: The status that holds for a model `m`, a component `c`, a relationship `e`.
MODEL_STATUS: LiteralString = """
    coalesce((select s.status from statuses s
        where s.organization_id = (select current_organization()) and s.id = m.id), m.status)
"""
COMPONENT_STATUS: LiteralString = """
    coalesce((select s.status from statuses s
        where s.organization_id = (select current_organization()) and s.id = c.id), c.status)
"""
RELATIONSHIP_STATUS: LiteralString = """
    coalesce((select s.status from statuses s
        where s.organization_id = (select current_organization()) and s.id = e.id), e.status)
"""

#: Whether a component `c`, or a relationship `e`, is offered.
COMPONENT_ENABLED: LiteralString = (
    f"(c.status = 'enabled' or c.id in {_SWITCHED_ON}) and c.id not in {_SWITCHED_OFF} "
    f"and c.model_id not in {HIDDEN_MODELS}"
)
RELATIONSHIP_ENABLED: LiteralString = (
    f"(e.status in ('enabled', 'approved') or e.id in {_SWITCHED_ON}) and e.id not in {_SWITCHED_OFF} "
    f"and e.model_id not in {HIDDEN_MODELS}"
)
