"""Starting over: the tables are a cache, so losing some of them means making all of them anew."""

from __future__ import annotations

from typing import Final

from meshery_common.database import Queries, Transaction

#: The tables of this service's own migrations.
_TABLES: Final = ("clusters", "kinds", "resources", "documents", "tombstones")


class RebuildStore:
    """Statements that need the owner role."""

    async def is_broken(self, queries: Queries) -> bool:
        """Whether tables that the migrations made are gone."""
        return bool(
            await queries.fetchval(
                "select exists (select from unnest($1::text[]) as name where to_regclass(name) is null)",
                list(_TABLES),
            )
        )

    async def forget(self, tx: Transaction) -> None:
        """Take out what is left and forget that it was made: the migrations make it again."""
        await tx.execute("drop table if exists clusters, kinds, resources, documents, tombstones")
        await tx.execute("""delete from schema_migrations where "set" = 'service'""")
