"""A row of `connections` as the rest of the service knows it."""

from __future__ import annotations

from typing import Any, LiteralString

from meshery_common.database import Row
from meshery_connections.domain.connections import StoredConnection
from meshery_contracts.connections import Connection, ConnectionStatus

COLUMNS: LiteralString = """
    c.id, c.organization_id, c.owner_id, c.name, c.kind, c.type, c.sub_type, c.status, c.context_name,
    c.own_context, c.cluster_id, c.credential_id, c.metadata, c.meshsync_mode, c.revision, c.reachable, c.health,
    c.health_message, c.health_since, c.discovery, c.components, c.created_at, c.updated_at, c.deleted_at
"""


def stored(row: Row) -> StoredConnection:
    """The row with what only this service knows of it."""
    return StoredConnection(
        connection=connection(row),
        context_name=row["context_name"],
        cluster_id=row["cluster_id"],
        own_context=row["own_context"] if row["credential_id"] is None else None,
        revision=row["revision"],
        meshsync_mode=row["meshsync_mode"],
    )


def connection(row: Row) -> Connection:
    """The row as clients read it."""
    # The row is of our own making: checking it again would cost more than reading it.
    return Connection.model_construct(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        type=row["type"],
        sub_type=row["sub_type"],
        status=ConnectionStatus(row["status"]),
        credential_id=row["credential_id"],
        metadata=_metadata(row),
        user_id=row["owner_id"],
        owner=row["owner_id"],
        organization_id=row["organization_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        environments=[],
    )


def _metadata(row: Row) -> dict[str, Any]:
    since = row["health_since"]
    return {
        **row["metadata"],
        "own": row["own_context"] is not None and row["credential_id"] is None,
        "reachable": row["reachable"],
        "health": {
            "status": row["health"],
            "message": row["health_message"],
            "since": since.isoformat() if since else None,
        },
        "meshsync": row["discovery"],
        "components": row["components"],
    }
