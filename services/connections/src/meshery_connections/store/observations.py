"""What is seen of connected clusters: health, discovery, registered kinds. Written by their keepers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from meshery_common.database import Queries, Transaction
from meshery_connections.domain.connections import Health

#: Wakes who teaches the registry, in whichever replica: documents have to be sent again.
DOCUMENTS_CHANNEL = "documents"
#: Wakes the keepers of clusters that somebody wants to be read anew.
RESYNCS_CHANNEL = "resyncs"


class ObservationStore:
    """Statements over what is seen. They leave `updated_at` alone: nobody changed the connection."""

    async def set_health(self, tx: Transaction, connection_id: UUID, health: Health) -> bool:
        """How the cluster does now; whether the connection is still connected and this is news."""
        return bool(
            await tx.execute(
                """
                update connections set reachable = $2, health = $3, health_message = $4, health_since = now()
                where id = $1 and status = 'connected' and (reachable, health) is distinct from ($2, $3)
                """,
                connection_id,
                health.reachable,
                health.word.value,
                health.message,
            )
        )

    async def set_problem(self, tx: Transaction, connection_id: UUID, health: Health) -> None:
        """Why a cluster could not be connected."""
        await tx.execute(
            """
            update connections set reachable = false, health = $2, health_message = $3, health_since = now()
            where id = $1
            """,
            connection_id,
            health.word.value,
            health.message,
        )

    async def set_version(self, queries: Queries, connection_id: UUID, version: str) -> bool:
        """The version that the API server has now; whether it is another than before."""
        return bool(
            await queries.execute(
                """
                update connections set metadata = metadata || jsonb_build_object('version', $2::text)
                where id = $1 and metadata ->> 'version' is distinct from $2
                """,
                connection_id,
                version,
            )
        )

    async def set_discovery(self, queries: Queries, connection_id: UUID, discovery: dict[str, Any]) -> None:
        """How MeshSync's watch stands."""
        await queries.execute(
            "update connections set discovery = $2 where id = $1 and status = 'connected'",
            connection_id,
            discovery,
        )

    async def wish_resync(self, tx: Transaction, connection_id: UUID) -> None:
        """Have whoever keeps the cluster read it anew."""
        await tx.execute("update connections set resyncs = resyncs + 1 where id = $1", connection_id)
        tx.notify(RESYNCS_CHANNEL)

    async def wished_resync(self, queries: Queries, connection_id: UUID) -> int | None:
        """The number of the newest such wish; None when it was passed on."""
        wished: int | None = await queries.fetchval(
            "select resyncs from connections where id = $1 and resyncs <> resyncs_done", connection_id
        )
        return wished

    async def set_resynced(self, queries: Queries, connection_id: UUID, wished: int) -> None:
        """The wishes up to this one were passed on."""
        await queries.execute("update connections set resyncs_done = $2 where id = $1", connection_id, wished)

    async def set_components(self, queries: Queries, connection_id: UUID, components: dict[str, Any]) -> None:
        """What was registered of the cluster's kinds."""
        await queries.execute(
            "update connections set components = $2 where id = $1", connection_id, components
        )

    async def documents(self, queries: Queries, connection_id: UUID) -> dict[str, str]:
        """Hashes of the OpenAPI documents that the registry has learned, by group version."""
        rows = await queries.fetch(
            "select group_version, hash from openapi_documents where connection_id = $1", connection_id
        )
        return {row["group_version"]: row["hash"] for row in rows}

    async def put_document(
        self, queries: Queries, connection_id: UUID, organization_id: UUID, group_version: str, digest: str
    ) -> None:
        """The registry has learned this document."""
        await queries.execute(
            """
            insert into openapi_documents (connection_id, group_version, organization_id, hash)
            values ($1, $2, $3, $4)
            on conflict (connection_id, group_version)
            do update set hash = excluded.hash, registered_at = now()
            """,
            connection_id,
            group_version,
            organization_id,
            digest,
        )

    async def forget_all_documents(self, tx: Transaction, connection_id: UUID) -> None:
        """Have the registry learn everything again, at once: it may have lost what it learned."""
        await tx.execute("delete from openapi_documents where connection_id = $1", connection_id)
        tx.notify(DOCUMENTS_CHANNEL)

    async def forget_documents(
        self, queries: Queries, connection_id: UUID, group_versions: list[str]
    ) -> None:
        """The cluster no longer serves these."""
        await queries.execute(
            "delete from openapi_documents where connection_id = $1 and group_version = any($2::text[])",
            connection_id,
            group_versions,
        )
