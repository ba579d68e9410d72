"""Writing the picture: whole batches, one statement per table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_inventory.domain.plans import Drop, KindWork, ObjectKey, Stored, Touch, Write


class Gone(NamedTuple):
    """An object that was taken out."""

    connection_id: UUID
    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str


class ResourceStore:
    """Statements that change resources and their documents."""

    async def stored(
        self, tx: Transaction, keys: Iterable[ObjectKey]
    ) -> tuple[dict[ObjectKey, Stored], dict[ObjectKey, int]]:
        """What is stored of these objects, and the tombstones of those that are not."""
        listed = list(keys)
        connections, uids = [one[0] for one in listed], [one[1] for one in listed]
        rows = await tx.fetch(
            """
            select n.connection_id, n.uid, r.digest, r.position, t.position as buried
            from unnest($1::uuid[], $2::text[]) as n (connection_id, uid)
            left join resources r on r.uid = n.uid and r.connection_id = n.connection_id
            left join tombstones t on t.uid = n.uid and t.connection_id = n.connection_id
            where r.uid is not null or t.uid is not null
            """,
            connections,
            uids,
        )
        stored: dict[ObjectKey, Stored] = {}
        buried: dict[ObjectKey, int] = {}
        for connection_id, uid, digest, position, tombstone in rows:
            if digest is not None:
                stored[connection_id, uid] = Stored(digest, position)
            if tombstone is not None:
                buried[connection_id, uid] = tombstone
        return stored, buried

    async def write(self, tx: Transaction, writes: Sequence[Write]) -> list[Write]:
        """Store objects, replacing what is under the same name; those that were not passed over as older."""
        objects = [one.object for one in writes]
        rows = await tx.fetch(
            """
            insert into resources as r (
                resource_id, connection_id, organization_id, api_version, kind, namespace, name, uid,
                resource_version, created_at, labels, owner_uids, digest, position
            )
            select n.resource_id, n.connection_id, n.organization_id, n.api_version, n.kind, n.namespace, n.name,
                n.uid, n.resource_version, n.created_at, n.labels,
                case when n.owner_uids = '' then '{}' else string_to_array(n.owner_uids, ' ') end,
                n.digest, n.position
            from unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::timestamptz[], $11::jsonb[], $12::text[], $13::bigint[], $14::bigint[]
            ) as n (
                resource_id, connection_id, organization_id, api_version, kind, namespace, name, uid,
                resource_version, created_at, labels, owner_uids, digest, position
            )
            on conflict (resource_id) do update set
                uid = excluded.uid, resource_version = excluded.resource_version,
                created_at = excluded.created_at, labels = excluded.labels, owner_uids = excluded.owner_uids,
                digest = excluded.digest, position = excluded.position
            where r.position < excluded.position
            returning r.resource_id
            """,
            [one.resource_id for one in writes],
            [one.cluster.connection_id for one in writes],
            [one.cluster.organization_id for one in writes],
            [one.api_version for one in objects],
            [one.kind for one in objects],
            [one.namespace for one in objects],
            [one.name for one in objects],
            [one.uid for one in objects],
            [one.resource_version for one in objects],
            [one.created_at for one in objects],
            [one.labels for one in objects],
            [" ".join(one.owner_uids) for one in objects],
            [one.digest for one in writes],
            [one.position for one in writes],
        )
        if len(rows) < len(writes):
            written = {row[0] for row in rows}
            writes = [one for one in writes if one.resource_id in written]
            objects = [one.object for one in writes]
        await tx.execute(
            """
            insert into documents (resource_id, organization_id, metadata, spec, status, rest)
            select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
            on conflict (resource_id) do update set
                metadata = excluded.metadata, spec = excluded.spec, status = excluded.status, rest = excluded.rest
            """,
            [one.resource_id for one in writes],
            [one.cluster.organization_id for one in writes],
            [one.metadata for one in objects],
            [one.spec for one in objects],
            [one.status for one in objects],
            [one.rest for one in objects],
        )
        return list(writes)

    async def touch(self, tx: Transaction, touches: Sequence[Touch]) -> None:
        """Note that objects were seen again, their content unchanged."""
        await tx.execute(
            """
            update resources r set
                resource_version = n.resource_version, digest = n.digest, position = n.position
            from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
                as n (connection_id, uid, resource_version, digest, position)
            where r.uid = n.uid and r.connection_id = n.connection_id and r.position < n.position
            """,
            [one.connection_id for one in touches],
            [one.uid for one in touches],
            [one.resource_version for one in touches],
            [one.digest for one in touches],
            [one.position for one in touches],
        )

    async def drop(self, tx: Transaction, drops: Sequence[Drop]) -> list[Gone]:
        """Take out objects by uid, and leave tombstones."""
        connections = [one.cluster.connection_id for one in drops]
        uids = [one.uid for one in drops]
        positions = [one.position for one in drops]
        rows = await tx.fetch(
            """
            with gone as (
                delete from resources r using unnest($1::uuid[], $2::text[], $3::bigint[])
                    as n (connection_id, uid, position)
                where r.uid = n.uid and r.connection_id = n.connection_id and r.position < n.position
                returning r.*
            ), documents_gone as (
                delete from documents d using gone where d.resource_id = gone.resource_id
            )
            select connection_id, api_version, kind, namespace, name, uid, resource_version from gone
            """,
            connections,
            uids,
            positions,
        )
        await tx.execute(
            """
            insert into tombstones as t (connection_id, uid, organization_id, position)
            select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[])
            on conflict (connection_id, uid) do update set
                position = greatest(t.position, excluded.position), buried_at = now()
            """,
            connections,
            uids,
            [one.cluster.organization_id for one in drops],
            positions,
        )
        return [_gone(row) for row in rows]

    async def sweep(self, tx: Transaction, work: KindWork) -> list[Gone]:
        """Take out what a complete epoch of a kind did not mention."""
        rows = await tx.fetch(
            """
            with gone as (
                delete from resources
                where connection_id = $1 and kind = $2 and api_version = $3 and position < $4
                returning *
            ), documents_gone as (
                delete from documents d using gone where d.resource_id = gone.resource_id
            )
            select connection_id, api_version, kind, namespace, name, uid, resource_version from gone
            """,
            work.cluster.connection_id,
            work.name.kind,
            work.name.api_version,
            work.floor,
        )
        return [_gone(row) for row in rows]

    async def clear(
        self, tx: Transaction, connection_id: UUID, api_versions: Sequence[str], kinds: Sequence[str]
    ) -> int:
        """Take out whole kinds."""
        return await tx.execute(
            """
            with gone as (
                delete from resources r using unnest($2::text[], $3::text[]) as n (api_version, kind)
                where r.connection_id = $1 and r.api_version = n.api_version and r.kind = n.kind
                returning r.resource_id
            ), documents_gone as (
                delete from documents d using gone where d.resource_id = gone.resource_id
            )
            select resource_id from gone
            """,
            connection_id,
            api_versions,
            kinds,
        )

    async def clear_some(self, tx: Transaction, connection_id: UUID, at_most: int) -> int:
        """Take out objects of a cluster that is gone; how many. A part at a time: no statement runs for long."""
        return await tx.execute(
            """
            with gone as (
                delete from resources where resource_id in (
                    select resource_id from resources where connection_id = $1 limit $2
                ) returning resource_id
            ), documents_gone as (
                delete from documents d using gone where d.resource_id = gone.resource_id
            )
            select resource_id from gone
            """,
            connection_id,
            at_most,
        )

    async def forget_tombstones(self, queries: Queries) -> int:
        """Take out tombstones that no late frame can need any more."""
        return await queries.execute("delete from tombstones where buried_at < now() - interval '1 hour'")


def _gone(row: Row) -> Gone:
    return Gone(*row)
