"""Connections in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from meshery_common.access import Access, ObjectTable, can_edit, can_operate, visible_to
from meshery_common.database import ConstraintViolated, Queries, Transaction
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.domain.contexts import ContextDescription
from meshery_connections.store.rows import COLUMNS, connection, stored
from meshery_contracts.caller import Caller
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_contracts.errors import Conflict, Forbidden, NotFound
from meshery_contracts.paging import PageRequest

OBJECT_KIND = "connection"
#: Notified on every change that the keepers of connections have to see.
CHANNEL = "connections"
_TABLE = ObjectTable(id="c.id", owner="c.owner_id", organization="c.organization_id")
_NEEDED = {Access.VIEWER: visible_to, Access.EDITOR: can_edit, Access.OPERATOR: can_operate}
ORDER = OrderBy(
    columns={
        "updated_at": Sort("c.updated_at"),
        "created_at": Sort("c.created_at"),
        "name": Sort("lower(c.name)", str),
        "kind": Sort("c.kind", str),
        "status": Sort("c.status", str),
    },
    default="updated_at desc",
    id_sql="c.id",
)


class ConnectionStore:
    """Statements over connections. Methods that take a caller see only what he may see."""

    async def get(
        self, queries: Queries, connection_id: UUID, caller: Caller, access: Access = Access.VIEWER
    ) -> StoredConnection:
        """A connection. Raises NotFound, and Forbidden when it may be seen but no more."""
        visible, values = _NEEDED[Access.VIEWER](caller, _TABLE).numbered(3)
        allowed, more = _NEEDED[access](caller, _TABLE).numbered(3 + len(values))
        row = await queries.fetchrow(
            f"""
            select {COLUMNS}, ({allowed}) as allowed from connections c
            where c.id = $1 and c.organization_id = $2 and c.deleted_at is null and ({visible})
            """,  # noqa: S608 -- columns and conditions are texts of ours
            connection_id,
            caller.organization_id,
            *values,
            *more,
        )
        if row is None:
            raise _missing(connection_id)
        if not row["allowed"]:
            raise Forbidden(
                f"You may see connection '{row['name']}' but not do this with it.",
                code="connection_access",
                remedy=f"Ask its owner to grant you the access '{access.value}'.",
            )
        return stored(row)

    async def lock(
        self, tx: Transaction, connection_id: UUID, caller: Caller, access: Access = Access.EDITOR
    ) -> StoredConnection:
        """As `get`, and nobody else changes it until the transaction ends."""
        await tx.execute("select 1 from connections where id = $1 for update", connection_id)
        return await self.get(tx, connection_id, caller, access)

    async def locked(self, tx: Transaction, connection_id: UUID) -> StoredConnection | None:
        """For the service's own work: a connection that is not deleted, for changing it in this transaction."""
        row = await tx.fetchrow(
            f"select {COLUMNS} from connections c where c.id = $1 and c.deleted_at is null for update",  # noqa: S608
            connection_id,
        )
        return stored(row) if row is not None else None

    async def connected(self, queries: Queries) -> list[StoredConnection]:
        """Every connected cluster of the scope."""
        rows = await queries.fetch(
            f"""
            select {COLUMNS} from connections c
            where c.status = 'connected' and c.kind = 'kubernetes' order by c.id
            """  # noqa: S608 -- the columns are a constant of ours
        )
        return [stored(row) for row in rows]

    async def own(self, queries: Queries, organization_id: UUID) -> dict[str, StoredConnection]:
        """By context what came from this machine's kubeconfig, what was deleted since included."""
        rows = await queries.fetch(
            f"""
            select {COLUMNS} from connections c where c.organization_id = $1 and c.own_context is not null
            """,  # noqa: S608 -- the columns are a constant of ours
            organization_id,
        )
        return {row["own_context"]: stored(row) for row in rows}

    async def page(
        self,
        queries: Queries,
        request: PageRequest,
        caller: Caller,
        *,
        kinds: Sequence[str],
        statuses: Sequence[str],
    ) -> tuple[list[Connection], Page]:
        """A page of connections."""
        select = SelectBuilder("connections", COLUMNS, "connections c")
        select.where("c.organization_id = {} and c.deleted_at is null", caller.organization_id)
        select.where(_NEEDED[Access.VIEWER](caller, _TABLE))
        if kinds:
            select.where("c.kind = any({}::text[])", list(kinds))
        if statuses:
            select.where("c.status = any({}::text[])", list(statuses))
        if request.search:
            select.where("c.name ilike {}", contains(request.search))
        page = await select.page(queries, ORDER, request)
        return [connection(row) for row in page.rows], page

    async def status_summary(
        self, queries: Queries, request: PageRequest, caller: Caller, kinds: Sequence[str]
    ) -> dict[str, int]:
        """How many connections there are in each status, whatever statuses the list is of."""
        visible, values = _NEEDED[Access.VIEWER](caller, _TABLE).numbered(4)
        rows = await queries.fetch(
            f"""
            select c.status, count(*) as count from connections c
            where c.organization_id = $1 and c.deleted_at is null and c.name ilike $2
                and ($3::text[] is null or c.kind = any ($3)) and ({visible})
            group by c.status order by c.status
            """,  # noqa: S608 -- the condition is a text of ours
            caller.organization_id,
            contains(request.search),
            list(kinds) or None,
            *values,
        )
        return {row["status"]: row["count"] for row in rows}

    async def lock_registration(self, tx: Transaction, organization_id: UUID) -> None:
        """One registration at a time in an organisation: two must not make two connections of one cluster."""
        await tx.execute(
            "select pg_advisory_xact_lock(hashtextextended('register ' || $1::text, 0))", str(organization_id)
        )

    async def same_cluster(self, tx: Transaction, cluster_id: str, caller: Caller) -> StoredConnection | None:
        """The connection of this cluster that the caller may change, his own first."""
        allowed, values = _NEEDED[Access.EDITOR](caller, _TABLE).numbered(4)
        row = await tx.fetchrow(
            f"""
            select {COLUMNS} from connections c
            where c.organization_id = $1 and c.cluster_id = $2 and c.deleted_at is null and ({allowed})
            order by c.owner_id = $3 desc, c.created_at limit 1 for update
            """,  # noqa: S608 -- columns and condition are texts of ours
            caller.organization_id,
            cluster_id,
            caller.user_id,
            *values,
        )
        return stored(row) if row is not None else None

    async def same_context(
        self, tx: Transaction, about: ContextDescription, caller: Caller
    ) -> StoredConnection | None:
        """The caller's connection that was made from this very context."""
        row = await tx.fetchrow(
            f"""
            select {COLUMNS} from connections c
            where c.organization_id = $1 and c.owner_id = $2 and c.server = $3 and c.context_name = $4
                and c.own_context is null and c.deleted_at is null
            order by c.updated_at desc limit 1 for update
            """,  # noqa: S608 -- the columns are a constant of ours
            caller.organization_id,
            caller.user_id,
            about.server,
            about.name,
        )
        return stored(row) if row is not None else None

    async def insert(
        self,
        tx: Transaction,
        connection_id: UUID,
        about: ContextDescription,
        *,
        organization_id: UUID,
        owner_id: UUID,
        status: ConnectionStatus,
        cluster_id: str | None,
        credential_id: UUID | None,
        own_context: str | None,
        metadata: dict[str, Any],
        meshsync_mode: str,
    ) -> StoredConnection:
        """A new connection to a Kubernetes cluster. Raises Conflict when the owner has one to this cluster."""
        try:
            row = await tx.fetchrow(
                f"""
                insert into connections as c
                    (id, organization_id, owner_id, name, kind, type, sub_type, status, server, context_name,
                     own_context, cluster_id, credential_id, metadata, meshsync_mode, reachable)
                values ($1, $2, $3, $4, 'kubernetes', 'platform', 'orchestrator', $5, $6, $7, $8, $9, $10, $11, $12,
                    $13)
                returning {COLUMNS}
                """,  # noqa: S608 -- the columns are a constant of ours
                connection_id,
                organization_id,
                owner_id,
                about.name[:255] or "cluster",
                status.value,
                about.server,
                about.name,
                own_context,
                cluster_id,
                credential_id,
                metadata,
                meshsync_mode,
                status is ConnectionStatus.CONNECTED,
            )
        except ConstraintViolated as error:
            raise _twice(error) from error
        assert row is not None  # noqa: S101 -- an insert without `on conflict` returns its row
        tx.notify(CHANNEL)
        return stored(row)

    async def replace_cluster(
        self,
        tx: Transaction,
        connection_id: UUID,
        about: ContextDescription,
        *,
        status: ConnectionStatus,
        cluster_id: str | None,
        credential_id: UUID | None,
        metadata: dict[str, Any],
        meshsync_mode: str,
    ) -> StoredConnection:
        """New address, credential and facts of a connection. Raises Conflict when another is to this cluster."""
        try:
            row = await tx.fetchrow(
                f"""
                update connections as c
                set status = $2, server = $3, context_name = $4, cluster_id = $5, credential_id = $6,
                    metadata = c.metadata || $7, meshsync_mode = $8, revision = c.revision + 1, updated_at = now(),
                    reachable = ($2 = 'connected'),
                    health = 'unknown', health_message = '', health_since = null
                where c.id = $1
                returning {COLUMNS}
                """,  # noqa: S608 -- the columns are a constant of ours
                connection_id,
                status.value,
                about.server,
                about.name,
                cluster_id,
                credential_id,
                metadata,
                meshsync_mode,
            )
        except ConstraintViolated as error:
            raise _twice(error) from error
        assert row is not None  # noqa: S101 -- the caller holds a lock on it
        tx.notify(CHANNEL)
        return stored(row)

    async def confirm(
        self, tx: Transaction, connection_id: UUID, metadata: dict[str, Any]
    ) -> StoredConnection:
        """What a cluster says of itself today, where nothing else of its connection has changed."""
        row = await tx.fetchrow(
            f"""
            update connections as c set metadata = c.metadata || $2, updated_at = now()
            where c.id = $1
            returning {COLUMNS}
            """,  # noqa: S608 -- the columns are a constant of ours
            connection_id,
            metadata,
        )
        assert row is not None  # noqa: S101 -- the caller holds a lock on it
        return stored(row)

    async def set_status(
        self, tx: Transaction, connection_id: UUID, status: ConnectionStatus
    ) -> StoredConnection:
        """Another status. Deleting takes the credential away; the row stays."""
        row = await tx.fetchrow(
            f"""
            update connections as c
            set status = $2, updated_at = now(), reachable = c.reachable and $2 = 'connected',
                deleted_at = case when $2 = 'deleted' then now() end,
                credential_id = case when $2 = 'deleted' then null else c.credential_id end,
                discovery = case when $2 = 'connected' then c.discovery else '{{}}' end
            where c.id = $1
            returning {COLUMNS}
            """,  # noqa: S608 -- the columns are a constant of ours
            connection_id,
            status.value,
        )
        assert row is not None  # noqa: S101 -- the caller holds a lock on it
        tx.notify(CHANNEL)
        return stored(row)


def _missing(connection_id: UUID) -> NotFound:
    return NotFound(
        f"There is no connection {connection_id}.",
        code="connection_unknown",
        cause="It was deleted, or it is not shared with you.",
        remedy="List the connections to see which there are.",
    )


def _twice(error: ConstraintViolated) -> Conflict:
    if error.constraint not in ("connections_cluster", "connections_own_context"):
        raise error
    return Conflict(
        "Another connection to this very cluster is there already.",
        code="cluster_connected",
        cause="Two contexts lead to the same cluster (the uid of its namespace kube-system is the same).",
        remedy="Use the connection that is there, or delete it first.",
    )
