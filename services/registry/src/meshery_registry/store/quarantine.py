"""What unproven registrants sent, kept apart from everything else."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.registrations import ListQuarantined
from meshery_registry.store.models import words_of

_QUARANTINED: LiteralString = """
    q.id, q.registrant, q.received_from, q.entity_type, q.name, q.kind, q.api_version, q.model_name, q.model_version,
    q.bytes, q.times, q.received_at
"""
_ORDER = OrderBy(
    columns={"received_at": Sort("q.received_at"), "name": Sort("q.name", str)},
    default="received_at desc",
    id_sql="q.id",
)


@dataclass(frozen=True, slots=True)
class QuarantinedDefinition:
    """A definition that waits for approval, without its text."""

    quarantine_id: UUID
    registrant: dict[str, Any]
    received_from: str
    entity_type: str
    name: str
    kind: str
    api_version: str
    model_name: str
    model_version: str
    bytes: int
    times: int
    received_at: datetime


class QuarantineStore:
    """Statements over quarantined definitions."""

    async def put(
        self, tx: Transaction, organization_id: UUID, definition: QuarantinedDefinition, document: str
    ) -> bool:
        """Keep a definition; whether it is new. The same again is counted."""
        return bool(
            await tx.fetchval(
                """
                insert into quarantine as q (organization_id, id, registrant, received_from, entity_type, name, kind,
                    api_version, model_name, model_version, entity, bytes)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                on conflict (organization_id, id) do update
                set times = q.times + 1, received_from = excluded.received_from, received_at = now()
                returning q.times = 1
                """,
                organization_id,
                definition.quarantine_id,
                definition.registrant,
                definition.received_from,
                definition.entity_type,
                definition.name,
                definition.kind,
                definition.api_version,
                definition.model_name,
                definition.model_version,
                zlib.compress(document.encode()),
                len(document.encode()),
            )
        )

    async def count(self, queries: Queries, organization_id: UUID) -> int:
        """How many wait."""
        return int(
            await queries.fetchval(
                "select count(*) from quarantine where organization_id = $1", organization_id
            )
        )

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListQuarantined
    ) -> tuple[Page, list[QuarantinedDefinition]]:
        """A page of what waits."""
        select = SelectBuilder("quarantine", _QUARANTINED, "quarantine q")
        select.where("q.organization_id = {}", organization_id)
        for word in words_of(request.search):
            select.where("lower(q.name || ' ' || q.model_name) like {}", contains(word))
        page = await select.page(queries, _ORDER, request)
        return page, [_quarantined(row) for row in page.rows]

    async def get(
        self, queries: Queries, organization_id: UUID, ids: Sequence[UUID]
    ) -> list[tuple[QuarantinedDefinition, str]]:
        """Definitions with their texts, in the order asked; one that is not there is left out."""
        rows = await queries.fetch(
            f"""
            select {_QUARANTINED}, q.entity from quarantine q
            join unnest($2::uuid[]) with ordinality w(id, place) on w.id = q.id
            where q.organization_id = $1 order by w.place
            """,  # noqa: S608 -- the columns are a constant of ours
            organization_id,
            list(ids),
        )
        return [(_quarantined(row), zlib.decompress(row["entity"]).decode()) for row in rows]

    async def remove(self, tx: Transaction, organization_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
        """Drop definitions; those that were there."""
        rows = await tx.fetch(
            "delete from quarantine where organization_id = $1 and id = any($2::uuid[]) returning id",
            organization_id,
            list(ids),
        )
        return {row["id"] for row in rows}


def _quarantined(row: Row) -> QuarantinedDefinition:
    return QuarantinedDefinition(
        quarantine_id=row["id"],
        registrant=row["registrant"],
        received_from=row["received_from"],
        entity_type=row["entity_type"],
        name=row["name"],
        kind=row["kind"],
        api_version=row["api_version"],
        model_name=row["model_name"],
        model_version=row["model_version"],
        bytes=row["bytes"],
        times=row["times"],
        received_at=row["received_at"],
    )
