"""Which clusters report, their sessions, and how far their kinds have arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_inventory.domain.frames import Arrival
from meshery_inventory.domain.plans import Cluster, KindKey, KindState, KindWork


@dataclass(frozen=True, slots=True)
class StoredKind:
    """A kind with the count and digest of what is stored."""

    token: str
    api_version: str
    kind: str
    position: int
    count: int
    digest: int


class ClusterStore:
    """Statements over clusters and kinds."""

    async def get(self, queries: Queries, connection_id: UUID, *, lock: bool = False) -> Cluster | None:
        """One cluster; `lock` keeps frames out until the transaction ends."""
        if lock:
            row = await queries.fetchrow(
                """
                select connection_id, organization_id, cluster_id, session, removed_at, lost from clusters
                where connection_id = $1 for update
                """,
                connection_id,
            )
        else:
            row = await queries.fetchrow(
                """
                select connection_id, organization_id, cluster_id, session, removed_at, lost from clusters
                where connection_id = $1
                """,
                connection_id,
            )
        return None if row is None else _cluster(row)

    async def add(
        self, queries: Queries, connection_id: UUID, organization_id: UUID, cluster_id: str
    ) -> None:
        """Note a cluster that is not known yet."""
        await queries.execute(
            """
            insert into clusters (connection_id, organization_id, cluster_id) values ($1, $2, $3)
            on conflict (connection_id) do nothing
            """,
            connection_id,
            organization_id,
            cluster_id,
        )

    async def open_session(self, tx: Transaction, connection_id: UUID, cluster_id: str) -> int:
        """The next session's number: above every position that was ever given out, by the database's clock."""
        return int(
            await tx.fetchval(
                """
                update clusters set
                    session = greatest(
                        session + 1,
                        (select max(position) + 1 from kinds where connection_id = $1),
                        (extract(epoch from clock_timestamp()) * 1e6)::bigint
                    ),
                    cluster_id = case when $2 = '' then cluster_id else $2 end,
                    lost = 0, reported_at = now(), updated_at = now()
                where connection_id = $1
                returning session
                """,
                connection_id,
                cluster_id,
            )
        )

    async def adopt_session(self, queries: Queries, connection_id: UUID, session: int, lost: int) -> None:
        """Take frames of a session that these tables do not know: what came up to position `lost` went with others."""
        await queries.execute(
            """
            update clusters set
                lost = case when session < $2 then $3 else lost end,
                session = $2, reported_at = now(), updated_at = now()
            where connection_id = $1 and session <= $2
            """,
            connection_id,
            session,
            lost,
        )

    async def kinds(self, queries: Queries, connection_id: UUID) -> list[StoredKind]:
        """Every kind of a cluster with what is stored of it, all at one moment."""
        rows = await queries.fetch(
            """
            select k.token, k.api_version, k.kind, k.position,
                coalesce(r.count, 0) as count, coalesce(r.digest, 0) as digest
            from kinds k
            left join (
                select api_version, kind, count(*) as count, bit_xor(digest) as digest
                from resources where connection_id = $1 group by api_version, kind
            ) r using (api_version, kind)
            where k.connection_id = $1
            """,
            connection_id,
        )
        return [StoredKind(*row) for row in rows]

    async def lock_for_frames(
        self, tx: Transaction, arrivals: Iterable[Arrival]
    ) -> tuple[dict[UUID, Cluster], dict[KindKey, KindState]]:
        """The clusters and kinds of a batch, locked in one order, so that two batches never wait for each other."""
        kinds: dict[KindKey, Arrival] = {(one.connection_id, one.token): one for one in arrivals}
        connections = sorted({connection for connection, _ in kinds})
        # `for share`: a new session begins only when frames of the old one are through.
        rows = await tx.fetch(
            """
            select connection_id, organization_id, cluster_id, session, removed_at, lost from clusters
            where connection_id = any($1::uuid[]) order by connection_id for share
            """,
            connections,
        )
        clusters = {row["connection_id"]: _cluster(row) for row in rows}
        wanted = sorted(key for key in kinds if key[0] in clusters)
        states = await self._lock_kinds(tx, wanted)
        if missing := [key for key in wanted if key not in states]:
            await self._add_kinds(tx, [(kinds[key], clusters[key[0]]) for key in missing])
            states = await self._lock_kinds(tx, wanted)
        return clusters, states

    async def _lock_kinds(self, tx: Transaction, keys: Sequence[KindKey]) -> dict[KindKey, KindState]:
        rows = await tx.fetch(
            """
            select connection_id, token, position, floor from kinds
            where (connection_id, token) in (select * from unnest($1::uuid[], $2::text[]))
            order by connection_id, token for update
            """,
            [connection for connection, _ in keys],
            [token for _, token in keys],
        )
        return {
            (row["connection_id"], row["token"]): KindState(row["position"], row["floor"]) for row in rows
        }

    async def _add_kinds(self, tx: Transaction, kinds: Sequence[tuple[Arrival, Cluster]]) -> None:
        await tx.execute(
            """
            insert into kinds (connection_id, token, organization_id, api_version, kind)
            select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[])
            on conflict (connection_id, token) do nothing
            """,
            [one.connection_id for one, _ in kinds],
            [one.token for one, _ in kinds],
            [cluster.organization_id for _, cluster in kinds],
            [one.frame.kind.api_version for one, _ in kinds],
            [one.frame.kind.kind for one, _ in kinds],
        )

    async def advance_kinds(self, tx: Transaction, kinds: Sequence[tuple[KindKey, KindWork]]) -> None:
        """Note how far the kinds have arrived."""
        await tx.execute(
            """
            update kinds k set position = greatest(k.position, n.position), floor = greatest(k.floor, n.floor)
            from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
                as n (connection_id, token, position, floor)
            where k.connection_id = n.connection_id and k.token = n.token
            """,
            [key[0] for key, _ in kinds],
            [key[1] for key, _ in kinds],
            [work.position for _, work in kinds],
            [work.floor for _, work in kinds],
        )

    async def forget_kinds(self, tx: Transaction, connection_id: UUID, tokens: Sequence[str]) -> None:
        """Take out the rows of kinds that are gone."""
        await tx.execute(
            "delete from kinds where connection_id = $1 and token = any($2::text[])", connection_id, tokens
        )

    async def note_status(
        self, queries: Queries, connection_id: UUID, organization_id: UUID, cluster_id: str, status: str
    ) -> None:
        """What a fact of connections says. A connection that came back is taken again."""
        await queries.execute(
            """
            insert into clusters (connection_id, organization_id, cluster_id, status) values ($1, $2, $3, $4)
            on conflict (connection_id) do update set
                status = excluded.status, removed_at = null, updated_at = now(),
                organization_id = excluded.organization_id,
                cluster_id = case when excluded.cluster_id = '' then clusters.cluster_id else excluded.cluster_id end
            """,
            connection_id,
            organization_id,
            cluster_id,
            status,
        )

    async def remove(self, queries: Queries, connection_id: UUID, organization_id: UUID, status: str) -> None:
        """The connection is gone: take nothing of it from now on."""
        await queries.execute(
            """
            insert into clusters (connection_id, organization_id, status, removed_at) values ($1, $2, $3, now())
            on conflict (connection_id) do update set
                status = excluded.status, session = 0, removed_at = now(), updated_at = now()
            """,
            connection_id,
            organization_id,
            status,
        )

    async def of_cluster_ids(self, queries: Queries, cluster_ids: Sequence[str]) -> dict[str, list[Cluster]]:
        """Clusters that report by somebody else's agent: those that no agent of ours reports."""
        rows = await queries.fetch(
            """
            select connection_id, organization_id, cluster_id, session, removed_at, lost from clusters
            where cluster_id = any($1::text[]) and removed_at is null
                and (reported_at is null or reported_at < now() - interval '15 minutes')
            """,
            cluster_ids,
        )
        found: dict[str, list[Cluster]] = {}
        for row in rows:
            found.setdefault(row["cluster_id"], []).append(_cluster(row))
        return found

    async def release(self, queries: Queries, connection_id: UUID) -> None:
        """Our agent no longer reports it: somebody else's may, at once."""
        await queries.execute(
            "update clusters set reported_at = null where connection_id = $1 and reported_at is not null",
            connection_id,
        )


def _cluster(row: Row) -> Cluster:
    return Cluster(
        row["connection_id"],
        row["organization_id"],
        row["cluster_id"],
        row["session"],
        row["removed_at"] is not None,
        row["lost"],
    )
