"""Policies: what models bring along, organisations' own ones and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

import orjson

from meshery_common.database import ConstraintViolated, Queries, Row, Transaction
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.errors import Conflict, NotFound
from meshery_contracts.policies import Enforcement, PolicyLanguage, PolicyState, PolicyVersion
from meshery_contracts.registry import ListPolicies
from meshery_registry.domain.entities import PolicyEntity
from meshery_registry.domain.policies.records import (
    Listed,
    PolicyDefinition,
    StoredPolicy,
    definition_id,
)

_SHIPPED = UUID(int=0)
_POLICY: LiteralString = """
    o.id, o.state, o.enforcement, o.version as newest_version, o.active_version, o.definition_id, v.version, v.name,
    v.language, v.document, v.source, v.user_id, o.created_at, o.updated_at
"""
_LISTED: LiteralString = """
    (select p.organization_id, p.id, p.name, p.sort_name, p.language, p.source, p.definition as document,
            p.model_name, '' as state, '' as enforcement, null::integer as version, null::integer as active_version,
            p.created_at, p.updated_at
        from policies p
     union all
     select o.organization_id, o.id, o.name, lower(o.name), v.language, v.source, v.document,
            '', o.state, o.enforcement, o.version, o.active_version, o.created_at, o.updated_at
        from own_policies o join policy_versions v on v.policy_id = o.id and v.version = o.version) e
"""
_ORDER = OrderBy(
    columns={
        "name": Sort("e.sort_name", str),
        "created_at": Sort("e.created_at"),
        "updated_at": Sort("e.updated_at"),
    },
    default="name asc",
    id_sql="e.id",
)


class PolicyStore:
    """Statements over policies. Those that write definitions expect the lock of the registry's generation."""

    async def page(
        self, queries: Queries, organization_id: UUID, request: ListPolicies
    ) -> tuple[Page, list[Listed]]:
        """A page of all policies that an organisation sees, its own and those of models."""
        select = SelectBuilder("policies", "e.*", _LISTED)
        select.where("e.organization_id = any({}::uuid[])", [organization_id, _SHIPPED])
        if request.model:
            select.where("e.model_name = {}", request.model)
        if request.name and not request.greedy:
            select.where("e.sort_name = {}", request.name.lower())
        for text in (request.name if request.greedy else "", request.search):
            if text:
                select.where("e.sort_name like {}", contains(text.lower()))
        page = await select.page(queries, _ORDER, request)
        return page, [_listed(row) for row in page.rows]

    # --- what models bring along ------------------------------------------------------------------------------

    async def put_definitions(
        self,
        tx: Transaction,
        organization_id: UUID,
        model_id: UUID,
        model_name: str,
        entities: Sequence[PolicyEntity],
        content_hashes: Sequence[bytes],
    ) -> list[UUID]:
        """Store the policies of a model, in place of those with the same language and name; their ids."""
        ids = [definition_id(model_id, one) for one in entities]
        await tx.execute(
            """
            insert into policies as p (organization_id, model_id, model_name, id, name, language, source, definition,
                content_hash)
            select $1, $2, $3, n.id, n.name, n.language, n.source, n.definition::jsonb, n.content_hash
            from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])
                n(id, name, language, source, definition, content_hash)
            on conflict (organization_id, id) do update
            set source = excluded.source, definition = excluded.definition, content_hash = excluded.content_hash,
                updated_at = now()
            where p.content_hash <> excluded.content_hash
            """,
            organization_id,
            model_id,
            model_name,
            ids,
            [one.name for one in entities],
            [one.language for one in entities],
            [one.source for one in entities],
            [orjson.dumps(dict(one.definition)).decode() for one in entities],
            list(content_hashes),
        )
        return ids

    async def definition(self, queries: Queries, organization_id: UUID, policy_id: UUID) -> PolicyDefinition:
        """A policy that came with a model. Raises NotFound."""
        row = await queries.fetchrow(
            """
            select id, name, language, source, definition, model_name from policies
            where organization_id = any($1::uuid[]) and id = $2
            """,
            [organization_id, _SHIPPED],
            policy_id,
        )
        if row is None:
            raise _missing(policy_id)
        return _definition(row)

    # --- an organisation's own --------------------------------------------------------------------------------

    async def get(
        self,
        queries: Queries,
        organization_id: UUID,
        policy_id: UUID,
        version: int | None = None,
        *,
        lock: bool = False,
    ) -> StoredPolicy:
        """A policy in its newest or in a named version; with `lock` nobody else changes it. Raises NotFound."""
        locking: LiteralString = "for update of o" if lock else ""
        row = await queries.fetchrow(
            f"""
            select {_POLICY} from own_policies o
            join policy_versions v on v.policy_id = o.id and v.version = coalesce($3, o.version)
            where o.organization_id = $1 and o.id = $2
            {locking}
            """,  # noqa: S608 -- texts of our own
            organization_id,
            policy_id,
            version,
        )
        if row is None:
            raise _missing(policy_id, version)
        return _policy(row)

    async def enabled(self, queries: Queries, organization_id: UUID) -> list[StoredPolicy]:
        """The policies in force, each in the version that is, by name."""
        rows = await queries.fetch(
            f"""
            select {_POLICY} from own_policies o
            join policy_versions v on v.policy_id = o.id and v.version = o.active_version
            where o.organization_id = $1 and o.state = 'enabled'
            order by v.name, o.id
            """,  # noqa: S608 -- texts of our own
            organization_id,
        )
        return [_policy(row) for row in rows]

    async def insert(
        self, tx: Transaction, organization_id: UUID, policy_id: UUID, name: str, origin: UUID | None
    ) -> None:
        """A new policy, which has no version yet. Raises Conflict when its name is taken."""
        try:
            await tx.execute(
                """
                insert into own_policies (id, organization_id, name, version, definition_id)
                values ($1, $2, $3, 0, $4)
                """,
                policy_id,
                organization_id,
                name,
                origin,
            )
        except ConstraintViolated as error:
            raise _named_twice(error, name) from None

    async def add_version(
        self,
        tx: Transaction,
        organization_id: UUID,
        policy_id: UUID,
        *,
        name: str,
        language: PolicyLanguage,
        document: dict[str, Any],
        source: str,
        user_id: UUID,
    ) -> StoredPolicy:
        """The next version of a policy. Raises Conflict when another one has its name."""
        try:
            version = await tx.fetchval(
                """
                update own_policies set version = version + 1, name = $2, updated_at = now()
                where id = $1 returning version
                """,
                policy_id,
                name,
            )
        except ConstraintViolated as error:
            raise _named_twice(error, name) from None
        await tx.execute(
            """
            insert into policy_versions
                (policy_id, version, organization_id, name, language, document, source, user_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            policy_id,
            version,
            organization_id,
            name,
            language.value,
            document,
            source,
            user_id,
        )
        return await self.get(tx, organization_id, policy_id)

    async def switch(
        self,
        tx: Transaction,
        policy_id: UUID,
        state: PolicyState,
        enforcement: Enforcement,
        active_version: int | None,
    ) -> None:
        """Put a policy, in a version, in force, or out of it."""
        await tx.execute(
            """
            update own_policies set state = $2, enforcement = $3, active_version = $4, updated_at = now()
            where id = $1
            """,
            policy_id,
            state.value,
            enforcement.value,
            active_version,
        )

    async def delete(self, tx: Transaction, policy_id: UUID) -> None:
        """Delete a policy with all its versions."""
        await tx.execute("delete from own_policies where id = $1", policy_id)

    async def versions(
        self, queries: Queries, policy_id: UUID, *, limit: int, offset: int
    ) -> tuple[list[PolicyVersion], int]:
        """Versions of a policy, newest first, and how many there are."""
        rows = await queries.fetch(
            """
            select v.version, v.name, v.user_id, v.created_at, v.version is not distinct from o.active_version as active
            from policy_versions v join own_policies o on o.id = v.policy_id
            where v.policy_id = $1 order by v.version desc limit $2 offset $3
            """,
            policy_id,
            limit,
            offset,
        )
        total = await queries.fetchval("select count(*) from policy_versions where policy_id = $1", policy_id)
        return [PolicyVersion.model_validate(dict(row.items())) for row in rows], int(total)


def _missing(policy_id: UUID, version: int | None = None) -> NotFound:
    which = f"{policy_id} in version {version}" if version is not None else str(policy_id)
    return NotFound(
        f"There is no policy {which}.",
        code="policy_unknown",
        remedy="List the policies to see which there are.",
    )


def _named_twice(error: ConstraintViolated, name: str) -> Exception:
    if error.constraint != "own_policies_name_unique":
        return error
    return Conflict(
        f"There is a policy '{name}' already.",
        code="policy_name_taken",
        remedy="Save it as the next version of that one, or give it another name.",
    )


def _policy(row: Row) -> StoredPolicy:
    return StoredPolicy(
        policy_id=row["id"],
        state=PolicyState(row["state"]),
        enforcement=Enforcement(row["enforcement"]),
        newest_version=row["newest_version"],
        active_version=row["active_version"],
        definition_id=row["definition_id"],
        version=row["version"],
        name=row["name"],
        language=PolicyLanguage(row["language"]),
        document=row["document"],
        source=row["source"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _definition(row: Row) -> PolicyDefinition:
    return PolicyDefinition(
        definition_id=row["id"],
        name=row["name"],
        language=PolicyLanguage(row["language"]),
        source=row["source"],
        definition=row["definition"],
        model_name=row["model_name"],
    )


def _listed(row: Row) -> Listed:
    return Listed(
        policy_id=row["id"],
        name=row["name"],
        language=PolicyLanguage(row["language"]),
        source=row["source"],
        document=row["document"],
        model_name=row["model_name"],
        state=row["state"],
        enforcement=row["enforcement"],
        version=row["version"],
        active_version=row["active_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
