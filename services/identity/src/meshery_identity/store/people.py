"""People, organisations and workspaces in PostgreSQL, and what somebody may do in an organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_common.paging import OrderBy, SelectBuilder, Sort, contains
from meshery_contracts.errors import NotFound
from meshery_contracts.identity import Organization, OrganizationPage, User, Workspace, WorkspacePage
from meshery_contracts.paging import PageRequest
from meshery_identity.domain.people import Standing

_USER_COLUMNS: LiteralString = """
    u.user_id, u.username, u.first_name, u.last_name, u.email, u.avatar_url, u.provider, u.status, u.bio,
    u.created_at, u.updated_at
"""
_ORGANIZATION_COLUMNS: LiteralString = """
    o.organization_id, o.name, o.country, o.region, o.description, o.owner_id, o.created_at, o.updated_at
"""
_WORKSPACE_COLUMNS: LiteralString = """
    w.workspace_id, w.organization_id, w.name, w.description, w.owner_id, w.created_at, w.updated_at
"""
_ORGANIZATION_ORDER = OrderBy(
    columns={
        "name": Sort("lower(o.name)", str),
        "created_at": Sort("o.created_at"),
        "updated_at": Sort("o.updated_at"),
    },
    default="name asc",
    id_sql="o.organization_id",
)
_WORKSPACE_ORDER = OrderBy(
    columns={
        "name": Sort("lower(w.name)", str),
        "created_at": Sort("w.created_at"),
        "updated_at": Sort("w.updated_at"),
    },
    default="name asc",
    id_sql="w.workspace_id",
)


class PeopleStore:
    """Statements over people and what they belong to."""

    async def standing(self, queries: Queries, user_id: UUID, organization_id: UUID) -> Standing | None:
        """What somebody is in an organisation, in one round trip; None when there is no such person.

        Keys are the union over roles held everywhere, in the organisation and through its teams.
        """
        row = await queries.fetchrow(
            """
            with held as (
                select r.role_id from user_roles r where r.user_id = $1
                union
                select r.role_id from organization_member_roles r
                where r.user_id = $1 and r.organization_id = $2
                union
                select m.role_id from team_members m join teams t on t.team_id = m.team_id
                where m.user_id = $1 and m.organization_id = $2 and t.deleted_at is null
            )
            select u.user_id, u.provider, u.status,
                exists (
                    select from organization_members m
                    join organizations o on o.organization_id = m.organization_id
                    where m.user_id = $1 and m.organization_id = $2 and o.deleted_at is null
                ) as member,
                array(
                    select distinct k.key_id from held
                    join roles r on r.role_id = held.role_id
                    join role_keychains rk on rk.role_id = held.role_id
                    join keychains c on c.keychain_id = rk.keychain_id
                    join keychain_keys k on k.keychain_id = rk.keychain_id
                    where r.deleted_at is null and c.deleted_at is null
                ) as key_ids,
                array(
                    select m.team_id from team_members m join teams t on t.team_id = m.team_id
                    where m.user_id = $1 and m.organization_id = $2 and t.deleted_at is null
                    order by m.team_id
                ) as team_ids,
                array(
                    select w.workspace_id from workspaces w
                    where w.organization_id = $2 and w.deleted_at is null and (
                        exists (
                            select from workspace_members m
                            where m.workspace_id = w.workspace_id and m.user_id = $1
                        ) or exists (
                            select from workspace_teams wt
                            join team_members m on m.team_id = wt.team_id
                            join teams t on t.team_id = wt.team_id
                            where wt.workspace_id = w.workspace_id and m.user_id = $1 and t.deleted_at is null
                        )
                    )
                    order by w.workspace_id
                ) as workspace_ids
            from users u where u.user_id = $1 and u.deleted_at is null
            """,
            user_id,
            organization_id,
        )
        if row is None:
            return None
        return Standing(
            user_id=row["user_id"],
            provider=row["provider"],
            status=row["status"],
            organization_id=organization_id,
            member=row["member"],
            key_ids=tuple(row["key_ids"]),
            team_ids=tuple(row["team_ids"]),
            workspace_ids=tuple(row["workspace_ids"]),
        )

    async def home(self, queries: Queries, user_id: UUID) -> UUID | None:
        """The organisation somebody acts in when he names none: the one he chose, else his first."""
        found: UUID | None = await queries.fetchval(
            """
            select m.organization_id from organization_members m
            join organizations o on o.organization_id = m.organization_id
            left join preferences p on p.user_id = m.user_id
            where m.user_id = $1 and o.deleted_at is null
            order by (p.document ->> 'selected_organization_id') is not distinct from m.organization_id::text desc,
                m.created_at, m.organization_id
            limit 1
            """,
            user_id,
        )
        return found

    async def organization_exists(self, queries: Queries, organization_id: UUID) -> bool:
        """Whether there is such an organisation."""
        found: bool = await queries.fetchval(
            "select exists (select from organizations where organization_id = $1 and deleted_at is null)",
            organization_id,
        )
        return found

    async def user(self, queries: Queries, user_id: UUID, organization_id: UUID) -> User:
        """A member of an organisation, with his roles there. Raises NotFound."""
        row = await queries.fetchrow(
            f"""
            select {_USER_COLUMNS},
                array(
                    select r.name from organization_member_roles m join roles r on r.role_id = m.role_id
                    where m.user_id = $1 and m.organization_id = $2 and r.deleted_at is null order by r.name
                ) as role_names
            from users u
            join organization_members m on m.user_id = u.user_id and m.organization_id = $2
            where u.user_id = $1 and u.deleted_at is null
            """,  # noqa: S608 -- the columns are a constant of ours
            user_id,
            organization_id,
        )
        if row is None:
            raise NotFound(
                f"There is no person {user_id} in your organisation.",
                code="user_unknown",
                cause="The id is wrong, or the person belongs to another organisation.",
            )
        return User(
            id=row["user_id"],
            user_id=row["username"],
            first_name=row["first_name"],
            last_name=row["last_name"],
            email=row["email"],
            avatar_url=row["avatar_url"],
            provider=row["provider"],
            status=row["status"],
            bio=row["bio"],
            role_names=list(row["role_names"]),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    async def preferences(self, queries: Queries, user_id: UUID) -> tuple[dict[str, Any], datetime | None]:
        """A person's preferences as they are kept, and when they were changed."""
        row = await queries.fetchrow(
            "select document, updated_at from preferences where user_id = $1", user_id
        )
        return (row["document"], row["updated_at"]) if row is not None else ({}, None)

    async def lock_preferences(self, tx: Transaction, user_id: UUID) -> None:
        """Let nobody else change this person's preferences until the transaction ends."""
        # A row of their own may not exist yet, but the person does.
        await tx.execute("select from users where user_id = $1 for no key update", user_id)

    async def put_preferences(
        self, tx: Transaction, user_id: UUID, document: dict[str, Any], now: datetime
    ) -> None:
        """Replace a person's preferences."""
        await tx.execute(
            """
            insert into preferences (user_id, document, updated_at) values ($1, $2, $3)
            on conflict (user_id) do update set document = excluded.document, updated_at = excluded.updated_at
            """,
            user_id,
            document,
            now,
        )

    async def organizations(self, queries: Queries, user_id: UUID, request: PageRequest) -> OrganizationPage:
        """The organisations that somebody belongs to."""
        select = (
            SelectBuilder(
                "organizations",
                _ORGANIZATION_COLUMNS,
                "organizations o join organization_members m on m.organization_id = o.organization_id",
            )
            .where("m.user_id = {}", user_id)
            .where("o.deleted_at is null")
        )
        if request.search:
            select.where("o.name ilike {}", contains(request.search))
        page = await select.page(queries, _ORGANIZATION_ORDER, request)
        return OrganizationPage(**page.envelope, organizations=[_organization(row) for row in page.rows])

    async def workspaces(
        self, queries: Queries, organization_id: UUID, workspace_ids: tuple[UUID, ...], request: PageRequest
    ) -> WorkspacePage:
        """Those of these workspaces that are the organisation's and still there."""
        select = (
            SelectBuilder("workspaces", _WORKSPACE_COLUMNS, "workspaces w")
            .where("w.organization_id = {}", organization_id)
            .where("w.workspace_id = any ({})", list(workspace_ids))
            .where("w.deleted_at is null")
        )
        if request.search:
            select.where("w.name ilike {}", contains(request.search))
        page = await select.page(queries, _WORKSPACE_ORDER, request)
        return WorkspacePage(**page.envelope, workspaces=[_workspace(row) for row in page.rows])


def _organization(row: Row) -> Organization:
    return Organization(
        id=row["organization_id"],
        name=row["name"],
        country=row["country"],
        region=row["region"],
        description=row["description"],
        owner=row["owner_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _workspace(row: Row) -> Workspace:
    return Workspace(
        id=row["workspace_id"],
        name=row["name"],
        description=row["description"],
        organization_id=row["organization_id"],
        owner=row["owner_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
