"""Designs and their versions in PostgreSQL."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from meshery_common.access import ObjectTable, can_edit, can_operate, owns_or_reads_openly, visible_to
from meshery_common.database import Queries, Row, Transaction
from meshery_common.paging import OrderBy, Predicate, SelectBuilder, Sort, contains
from meshery_contracts.caller import Caller
from meshery_contracts.designs import (
    Design,
    DesignPage,
    DesignVersion,
    DesignVersionPage,
    ListDesigns,
    ListVersions,
    NullString,
    Visibility,
)
from meshery_contracts.errors import Conflict, Forbidden, NotFound, TooLarge
from meshery_designs.domain.design_files import StoredFile, assemble

_COLUMNS: LiteralString = """
    d.id, d.name, d.owner_id, d.organization_id, d.visibility, d.design_type, d.location, d.catalog_data,
    d.version, d.created_at, d.updated_at, d.view_count, d.share_count, d.download_count, d.clone_count,
    d.deployment_count
"""
_FILE: LiteralString = "d.file, null::bytea as source_content"
_FILE_AND_SOURCE: LiteralString = "d.file, d.source_content"
_NO_FILE: LiteralString = "'' as file, null::bytea as source_content"
_GET: LiteralString = f"select {_COLUMNS}, {_FILE} from designs d where d.id = $1 and d.deleted_at is null"  # noqa: S608 -- texts of our own
_GET_WITH_SOURCE: LiteralString = (
    f"select {_COLUMNS}, {_FILE_AND_SOURCE} from designs d where d.id = $1 and d.deleted_at is null"  # noqa: S608 -- texts of our own
)
_GET_MANY: LiteralString = (
    f"select {_COLUMNS}, {_FILE} from designs d join unnest($1::uuid[]) with ordinality w(id, position) "  # noqa: S608 -- texts of our own
    "on w.id = d.id order by w.position"
)
#: How access rules find a design's row.
DESIGNS = ObjectTable(
    id="d.id", owner="d.owner_id", organization="d.organization_id", visibility="d.visibility"
)
_ORDER = OrderBy(
    columns={
        "updated_at": Sort("d.updated_at"),
        "created_at": Sort("d.created_at"),
        "name": Sort("lower(d.name)", str),
    },
    default="updated_at desc",
    id_sql="d.id",
)
_VERSION_ORDER = OrderBy({"version": Sort("version", int)}, default="version desc", id_sql="design_id")


class DesignStore:
    """Statements over designs. Every method sees only what the caller may see."""

    async def get(
        self, queries: Queries, design_id: UUID, caller: Caller, *, with_source: bool = False
    ) -> Design:
        """A design with its newest file. Raises NotFound."""
        row = await queries.fetchrow(_GET_WITH_SOURCE if with_source else _GET, design_id)
        if row is None or not (
            owns_or_reads_openly(caller, row) or await self.names(queries, [design_id], caller)
        ):
            raise missing(design_id)
        return _design(row)

    async def names(self, queries: Queries, design_ids: Sequence[UUID], caller: Caller) -> dict[UUID, str]:
        """What those of these designs are called that the caller may read."""
        condition, values = visible_to(caller, DESIGNS).numbered(2)
        sql: LiteralString = f"""
            select d.id, d.name from designs d
            where d.id = any($1::uuid[]) and d.deleted_at is null and ({condition})
        """  # noqa: S608 -- texts of our own
        return {row["id"]: row["name"] for row in await queries.fetch(sql, design_ids, *values)}

    async def require_edit(self, queries: Queries, design_id: UUID, caller: Caller) -> None:
        """Raise Forbidden unless the caller may change a design that he may read."""
        await self._require(queries, design_id, can_edit(caller, DESIGNS), "change")

    async def require_operate(self, queries: Queries, design_id: UUID, caller: Caller) -> None:
        """Raise Forbidden unless the caller may deploy a design that he may read."""
        await self._require(queries, design_id, can_operate(caller, DESIGNS), "deploy")

    async def _require(self, queries: Queries, design_id: UUID, allowed: Predicate, what: str) -> None:
        condition, values = allowed.numbered(2)
        sql: LiteralString = f"select 1 from designs d where d.id = $1 and ({condition})"  # noqa: S608 -- texts of our own
        if await queries.fetchval(sql, design_id, *values) is None:
            raise Forbidden(
                f"You may read this design, but not {what} it.",
                code="design_not_yours",
                cause="It belongs to somebody else and was not shared with you for that.",
                remedy="Ask its owner to share it with you, or make a copy.",
            )

    async def in_version(self, queries: Queries, design: Design, version: int) -> Design:
        """A design that the caller may see as it was in a version. Raises NotFound."""
        row = await queries.fetchrow(
            """
            select v.name, v.shell, v.created_at,
                array(
                    select b.body from unnest(v.component_hashes) with ordinality h(hash, position)
                    join component_bodies b on b.organization_id = v.organization_id and b.hash = h.hash
                    order by h.position
                ) as bodies
            from design_versions v
            where v.design_id = $1 and v.version = $2
            """,
            design.id,
            version,
        )
        if row is None:
            raise NotFound(
                f"Design {design.id} has no version {version}.",
                code="version_unknown",
                remedy=f"Its newest version is {design.version}; list them to see all.",
            )
        file = assemble(row["shell"], row["bodies"])
        saved = {
            "pattern_file": file,
            "name": row["name"],
            "version": version,
            "updated_at": row["created_at"],
        }
        return design.model_copy(update=saved)

    async def page(
        self, queries: Queries, request: ListDesigns, caller: Caller, *, most_bytes: int
    ) -> DesignPage:
        """A page of the designs that the caller may read. Raises TooLarge when their files have more bytes."""
        columns: LiteralString = f"{_COLUMNS}, {_NO_FILE}, octet_length(d.file) as file_bytes"
        select = SelectBuilder("designs", columns, "designs d").where("d.deleted_at is null")
        # Names the organisation so that an index serves; what is published elsewhere is in the catalog.
        select.where("d.organization_id = {}", caller.organization_id).where(visible_to(caller, DESIGNS))
        if request.visibility:
            select.where("d.visibility = any({}::text[])", [one.value for one in request.visibility])
        if request.search:
            select.where("d.name ilike {}", contains(request.search))
        if request.updated_after is not None:
            select.where("d.updated_at > {}", request.updated_after)
        page = await select.page(queries, _ORDER, request)
        rows = await self._with_files(queries, page.rows, most_bytes) if request.with_files else page.rows
        return DesignPage(**page.envelope, patterns=[_design(row) for row in rows])

    async def _with_files(self, queries: Queries, rows: Sequence[Row], most_bytes: int) -> Sequence[Row]:
        """The same designs with their files, which are looked at only when they are not more than can be given."""
        size = sum(row["file_bytes"] for row in rows)
        if size > most_bytes:
            raise TooLarge(
                f"The files of these {len(rows):,} designs have {size:,} bytes, too much for one answer.",
                code="answer_too_large",
                remedy="Ask for a smaller page, or for designs without their files.",
            )
        return await queries.fetch(_GET_MANY, [row["id"] for row in rows])

    async def insert(
        self,
        tx: Transaction,
        design_id: UUID,
        file: StoredFile,
        caller: Caller,
        *,
        visibility: Visibility,
        design_type: str,
        source_content: bytes | None = None,
        location: dict[str, object] | None = None,
    ) -> Design:
        """A new design in its first version."""
        row = await tx.fetchrow(
            f"""
            insert into designs as d
                (id, organization_id, owner_id, name, visibility, design_type, file, version, source_content, location)
            values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)
            returning {_COLUMNS}, {_FILE}
            """,  # noqa: S608 -- the columns are a constant of ours
            design_id,
            caller.organization_id,
            caller.user_id,
            file.name,
            visibility.value,
            design_type,
            file.text,
            source_content,
            location or {},
        )
        assert row is not None  # noqa: S101 -- an insert without `on conflict` returns its row
        await self._insert_version(tx, design_id, 1, file, caller)
        return _design(row)

    async def lock(self, tx: Transaction, design_id: UUID) -> None:
        """Have whoever else would save the design wait until this transaction is over."""
        await tx.execute("select 1 from designs where id = $1 for update", design_id)

    async def update(
        self,
        tx: Transaction,
        design_id: UUID,
        base_version: int,
        file: StoredFile,
        caller: Caller,
        *,
        visibility: Visibility,
    ) -> Design:
        """The version after `base_version`. Raises Conflict when somebody else has saved it."""
        row = await tx.fetchrow(
            f"""
            update designs as d
            set file = $3, name = $4, version = version + 1, updated_at = now(),
                visibility = $5
            where d.id = $1 and d.version = $2 and d.deleted_at is null
            returning {_COLUMNS}, {_FILE}
            """,  # noqa: S608 -- the columns are a constant of ours
            design_id,
            base_version,
            file.text,
            file.name,
            visibility.value,
        )
        if row is None:
            raise Conflict(
                f"Design {design_id} was saved in between.",
                code="design_stale",
                cause=f"Your edit began with version {base_version}, which is no longer the newest.",
                remedy="Read the newest version, make your change there and save again.",
            )
        await self._insert_version(tx, design_id, row["version"], file, caller)
        return _design(row)

    async def count_clone(self, tx: Transaction, design_id: UUID) -> None:
        """Count that a design was cloned; that is no change of the design itself."""
        await tx.execute(
            "update designs set clone_count = clone_count + 1 where id = $1 and deleted_at is null", design_id
        )

    async def count_deployment(self, tx: Transaction, design_id: UUID) -> None:
        """Count that a design was deployed with success; that is no change of it, either."""
        await tx.execute(
            "update designs set deployment_count = deployment_count + 1 where id = $1", design_id
        )

    async def delete(self, tx: Transaction, design_id: UUID) -> None:
        """Mark a design as deleted."""
        await tx.execute("update designs set deleted_at = now(), updated_at = now() where id = $1", design_id)

    async def versions(self, queries: Queries, request: ListVersions) -> DesignVersionPage:
        """A page of the versions of a design that the caller may read."""
        columns: LiteralString = (
            "version, name, cardinality(component_hashes) as components, user_id, created_at"
        )
        select = SelectBuilder("versions", columns, "design_versions").where(
            "design_id = {}", request.design_id
        )
        page = await select.page(queries, _VERSION_ORDER, request)
        return DesignVersionPage(**page.envelope, versions=[_version(row) for row in page.rows])

    async def _insert_version(
        self, tx: Transaction, design_id: UUID, version: int, file: StoredFile, caller: Caller
    ) -> None:
        hashes = [name for name, _ in file.components]
        bodies = dict(file.components)
        await tx.execute(
            """
            insert into component_bodies (organization_id, hash, body)
            select $1, b.hash, b.body from unnest($2::bytea[], $3::bytea[]) b(hash, body)
            on conflict do nothing
            """,
            caller.organization_id,
            list(bodies),
            list(bodies.values()),
        )
        await tx.execute(
            """
            insert into design_versions
                (design_id, version, organization_id, name, shell, component_hashes, user_id)
            values ($1, $2, $3, $4, $5, $6, $7)
            """,
            design_id,
            version,
            caller.organization_id,
            file.name,
            file.shell,
            hashes,
            caller.user_id,
        )


def missing(design_id: UUID) -> NotFound:
    """The error for a design that is not there, or not for this caller."""
    return NotFound(
        f"There is no design {design_id}.",
        code="design_unknown",
        cause="It was deleted, or it is private and not shared with you.",
        remedy="List the designs to see which there are.",
    )


def _version(row: Row) -> DesignVersion:
    return DesignVersion(
        version=row["version"],
        name=row["name"],
        components=row["components"],
        user_id=row["user_id"],
        created_at=row["created_at"],
    )


def _design(row: Row) -> Design:
    source = row["source_content"]
    return Design(
        id=row["id"],
        name=row["name"],
        pattern_file=row["file"],
        user_id=row["owner_id"],
        organization_id=row["organization_id"],
        visibility=row["visibility"],
        type=NullString(string=row["design_type"], valid=True),
        source_content=base64.b64encode(source).decode() if source is not None else None,
        location=row["location"],
        catalog_data=row["catalog_data"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        view_count=row["view_count"],
        share_count=row["share_count"],
        download_count=row["download_count"],
        clone_count=row["clone_count"],
        deployment_count=row["deployment_count"],
    )
