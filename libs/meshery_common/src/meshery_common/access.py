"""Who may see and change an object is decided where it lives, by two tables of one shape in every service.

`grants` let a person, a team or an organisation do something with one object; `memberships` put it into
workspaces. Owner, organisation and visibility are columns of the object's own table. A service joins the
predicates here in its list queries, so that what may not be seen is neither listed nor counted. Permission keys
(what a caller may do at all) are another matter: see `Caller.require`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

from meshery_common.database.transaction import Queries, Row, Transaction
from meshery_common.paging import Predicate
from meshery_contracts.caller import Caller, CallerKind


class Access(StrEnum):
    """What a grant allows; each includes those before it."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OPERATOR = "operator"


class ActorKind(StrEnum):
    """Whom a grant is for."""

    USER = "user"
    TEAM = "team"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of `grants`."""

    object_id: UUID
    object_kind: str
    actor_kind: ActorKind
    actor_id: UUID
    access: Access
    expires_at: datetime | None
    granted_by: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """How the columns of an object's table are called in a query, e.g. `d.design_id`.

    `visibility` holds `private`, `public` (the whole organisation reads) or `published` (everybody reads); a table
    without it has private objects only.
    """

    id: LiteralString
    owner: LiteralString
    organization: LiteralString
    visibility: LiteralString | None = None


def visible_to(caller: Caller, table: ObjectTable) -> Predicate:
    """The condition for rows that the caller may read. A service on its own reads its whole organisation."""
    if caller.kind is CallerKind.SERVICE:
        return Predicate(f"{table.organization} = {{}}", (caller.organization_id,))
    owned = f"({table.owner} = {{}} and {table.organization} = {{}})"
    granted, actors = _granted(caller, table, tuple(Access))
    member = f"exists (select from memberships m where m.object_id = {table.id} and m.workspace_id = any({{}}::uuid[]))"
    sql = f"{owned} or {granted} or {member}"
    values = (caller.user_id, caller.organization_id, *actors, list(caller.workspace_ids))
    if table.visibility is not None:
        sql += (
            f" or {table.visibility} = 'published'"
            f" or ({table.visibility} = 'public' and {table.organization} = {{}})"
        )
        values = (*values, caller.organization_id)
    return Predicate(sql, values)


def owns_or_reads_openly(caller: Caller, row: Row) -> bool:
    """Whether a row's own columns (`owner_id`, `organization_id`, `visibility`) let the caller read it.

    Of what `visible_to` says the part that needs no other table. Reads of single objects ask this first: for most of
    them it is enough, and PostgreSQL spends more on preparing to look at grants and workspaces than on the row.
    """
    own_organization = row["organization_id"] == caller.organization_id
    if caller.kind is CallerKind.SERVICE:
        return bool(own_organization)
    if own_organization and row["owner_id"] == caller.user_id:
        return True
    return bool(row["visibility"] == "published" or (own_organization and row["visibility"] == "public"))


def can_edit(caller: Caller, table: ObjectTable) -> Predicate:
    """The condition for rows that the caller may change: the owner's, those granted, those of his workspaces.

    Being public or published lets nobody change anything.
    """
    return _at_least(caller, table, (Access.EDITOR, Access.OPERATOR))


def can_operate(caller: Caller, table: ObjectTable) -> Predicate:
    """The condition for rows that the caller may run or deploy."""
    return _at_least(caller, table, (Access.OPERATOR,))


def _at_least(caller: Caller, table: ObjectTable, accesses: tuple[Access, ...]) -> Predicate:
    if caller.kind is CallerKind.SERVICE:
        return Predicate(f"{table.organization} = {{}}", (caller.organization_id,))
    granted, actors = _granted(caller, table, accesses)
    return Predicate(
        f"({table.owner} = {{}} and {table.organization} = {{}}) or {granted} or "
        f"exists (select from memberships m where m.object_id = {table.id} and m.workspace_id = any({{}}::uuid[]))",
        (caller.user_id, caller.organization_id, *actors, list(caller.workspace_ids)),
    )


def _granted(
    caller: Caller, table: ObjectTable, accesses: tuple[Access, ...]
) -> tuple[LiteralString, tuple[object, ...]]:
    # One array of actors: the kinds need no telling apart, ids are unique across them.
    actors = [caller.user_id, *caller.team_ids, caller.organization_id]
    sql = (
        f"exists (select from grants g where g.object_id = {table.id} and g.actor_id = any({{}}::uuid[]) "
        "and g.access = any({}::text[]) and (g.expires_at is null or g.expires_at > now()))"
    )
    return sql, (actors, [access.value for access in accesses])


async def add_grant(
    tx: Transaction,
    caller: Caller,
    *,
    object_id: UUID,
    object_kind: str,
    actor_kind: ActorKind,
    actor_id: UUID,
    access: Access,
    expires_at: datetime | None = None,
) -> None:
    """Grant access, or change what was granted to the same actor before."""
    await tx.execute(
        """
        insert into grants
            (object_id, object_kind, organization_id, actor_kind, actor_id, access, expires_at, granted_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (object_id, actor_kind, actor_id) do update
        set access = excluded.access, expires_at = excluded.expires_at, granted_by = excluded.granted_by
        """,
        object_id,
        object_kind,
        caller.organization_id,
        actor_kind,
        actor_id,
        access,
        expires_at,
        caller.user_id,
    )


async def remove_grant(tx: Transaction, *, object_id: UUID, actor_kind: ActorKind, actor_id: UUID) -> bool:
    """Take a grant back; whether there was one."""
    return bool(
        await tx.execute(
            "delete from grants where object_id = $1 and actor_kind = $2 and actor_id = $3",
            object_id,
            actor_kind,
            actor_id,
        )
    )


async def grants_of(queries: Queries, object_id: UUID) -> list[Grant]:
    """Everybody an object was granted to, expired grants included, oldest first."""
    rows = await queries.fetch(
        """
        select object_id, object_kind, actor_kind, actor_id, access, expires_at, granted_by, created_at
        from grants where object_id = $1 order by created_at, actor_id
        """,
        object_id,
    )
    return [
        Grant(
            object_id=row["object_id"],
            object_kind=row["object_kind"],
            actor_kind=ActorKind(row["actor_kind"]),
            actor_id=row["actor_id"],
            access=Access(row["access"]),
            expires_at=row["expires_at"],
            granted_by=row["granted_by"],
            created_at=row["created_at"],
        )
        for row in rows
    ]


async def add_membership(
    tx: Transaction, caller: Caller, *, workspace_id: UUID, object_id: UUID, object_kind: str
) -> bool:
    """Put an object into a workspace; False when it was there."""
    return bool(
        await tx.execute(
            """
            insert into memberships (workspace_id, object_id, object_kind, organization_id, added_by)
            values ($1, $2, $3, $4, $5) on conflict do nothing
            """,
            workspace_id,
            object_id,
            object_kind,
            caller.organization_id,
            caller.user_id,
        )
    )


async def remove_membership(tx: Transaction, *, workspace_id: UUID, object_id: UUID) -> bool:
    """Take an object out of a workspace; whether it was in it."""
    return bool(
        await tx.execute(
            "delete from memberships where workspace_id = $1 and object_id = $2", workspace_id, object_id
        )
    )


async def workspaces_of(queries: Queries, object_id: UUID) -> list[UUID]:
    """The workspaces an object is in."""
    rows = await queries.fetch(
        "select workspace_id from memberships where object_id = $1 order by workspace_id", object_id
    )
    return [row["workspace_id"] for row in rows]


async def forget_object(tx: Transaction, object_id: UUID) -> None:
    """Remove all grants and memberships of an object that is being deleted."""
    await tx.execute("delete from grants where object_id = $1", object_id)
    await tx.execute("delete from memberships where object_id = $1", object_id)


async def forget_workspace(tx: Transaction, workspace_id: UUID) -> int:
    """Remove the memberships of a workspace that was deleted in identity; how many they were."""
    return await tx.execute("delete from memberships where workspace_id = $1", workspace_id)
