"""What designs have put into clusters: the only objects that they may remove again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_contracts.clusters import ObjectReference
from meshery_designs.domain.plans import Deployed
from meshery_designs.domain.steps import Step

#: The lock on a cluster: shared by who adds objects in it.
_OF_CLUSTER: LiteralString = "hashtextextended('deployed in ' || $1::uuid::text, 0)"


class DeployedStore:
    """Statements over deployed objects."""

    async def of(self, queries: Queries, design_id: UUID, connection_id: UUID) -> list[Deployed]:
        """What a design has put into a cluster, in the order it went in."""
        rows = await queries.fetch(
            """
            select api_version, kind, namespace, name, uid, component_id, component_name, wave
            from deployed_objects where design_id = $1 and connection_id = $2
            order by wave, kind, namespace, name
            """,
            design_id,
            connection_id,
        )
        return [
            Deployed(
                connection_id=connection_id,
                reference=reference_of(row),
                uid=row["uid"],
                component_id=row["component_id"],
                component_name=row["component_name"],
                wave=row["wave"],
            )
            for row in rows
        ]

    async def beside(
        self, queries: Queries, references: Sequence[ObjectReference]
    ) -> dict[UUID, list[ObjectReference]]:
        """All that those designs have in clusters which have put an object of such a kind and name there."""
        rows = await queries.fetch(
            """
            select design_id, api_version, kind, namespace, name from deployed_objects
            where design_id in (
                select o.design_id from deployed_objects o
                join unnest($1::text[], $2::text[]) as wanted(kind, name) using (kind, name)
            )
            """,
            [one.kind for one in references],
            [one.name for one in references],
        )
        found: dict[UUID, list[ObjectReference]] = {}
        for row in rows:
            found.setdefault(row["design_id"], []).append(reference_of(row))
        return found

    async def connections(self, queries: Queries, design_id: UUID) -> set[UUID]:
        """The clusters that a design has put objects into."""
        rows = await queries.fetch(
            "select distinct connection_id from deployed_objects where design_id = $1", design_id
        )
        return {row["connection_id"] for row in rows}

    async def add(
        self, tx: Transaction, design_id: UUID, organization_id: UUID, version: int, steps: Sequence[Step]
    ) -> None:
        """These objects are in their clusters, or (without a uid) are about to be; nothing is in one that is gone.

        An object has one owner: what another design has put there is this design's from now on.
        """
        if not steps:
            return
        gone = await self._gone(tx, {one.connection_id for one in steps})
        steps = [one for one in steps if one.connection_id not in gone]
        await tx.executemany(
            """
            insert into deployed_objects
                (design_id, connection_id, api_version, kind, namespace, name, uid, organization_id,
                 component_id, component_name, wave, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (design_id, connection_id, api_group, kind, namespace, name) do update
            set uid = case when excluded.uid = '' then deployed_objects.uid else excluded.uid end,
                api_version = excluded.api_version, component_id = excluded.component_id,
                component_name = excluded.component_name, wave = excluded.wave, version = excluded.version,
                applied_at = now()
            """,
            [
                (
                    *_key(design_id, one),
                    organization_id,
                    one.component_id,
                    one.component_name,
                    one.wave,
                    version,
                )
                for one in steps
            ],
        )
        await tx.executemany(
            """
            delete from deployed_objects
            where design_id <> $1 and connection_id = $2
                and api_group = case when $3 like '%/%' then split_part($3, '/', 1) else '' end
                and kind = $4 and namespace = $5 and name = $6 and $7 <> ''
            """,
            [_key(design_id, one) for one in steps],
        )

    async def remove(self, tx: Transaction, design_id: UUID, steps: Sequence[Step]) -> None:
        """These very objects are not in their clusters, or not this design's any more."""
        await tx.executemany(
            """
            delete from deployed_objects
            where design_id = $1 and connection_id = $2 and api_version = $3 and kind = $4 and namespace = $5
                and name = $6 and uid in ($7, '')
            """,
            [_key(design_id, one) for one in steps],
        )

    async def forget_cluster(self, tx: Transaction, connection_id: UUID, organization_id: UUID) -> int:
        """A cluster is no longer connected for good; how many objects it had."""
        # What others are just adding is waited for, and goes, too.
        await tx.execute(f"select pg_advisory_xact_lock({_OF_CLUSTER})", connection_id)
        await tx.execute(
            "insert into clusters_gone (connection_id, organization_id) values ($1, $2) on conflict do nothing",
            connection_id,
            organization_id,
        )
        return await tx.execute("delete from deployed_objects where connection_id = $1", connection_id)

    async def _gone(self, tx: Transaction, connection_ids: set[UUID]) -> set[UUID]:
        """Which of the clusters are gone. None of the others goes before the transaction ends."""
        for connection_id in sorted(connection_ids):
            await tx.execute(f"select pg_advisory_xact_lock_shared({_OF_CLUSTER})", connection_id)
        rows = await tx.fetch(
            "select connection_id from clusters_gone where connection_id = any($1)", list(connection_ids)
        )
        return {row["connection_id"] for row in rows}


def reference_of(row: Row) -> ObjectReference:
    """The object that a row is about."""
    return ObjectReference(
        api_version=row["api_version"], kind=row["kind"], namespace=row["namespace"], name=row["name"]
    )


def _key(design_id: UUID, step: Step) -> tuple[Any, ...]:
    where = step.reference
    return (
        design_id,
        step.connection_id,
        where.api_version,
        where.kind,
        where.namespace,
        where.name,
        step.uid,
    )
