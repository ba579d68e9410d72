"""Policies that models bring along, beside those of organisations."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.errors import NotFound
from meshery_contracts.policies import PolicyLanguage
from meshery_contracts.registry import ListPolicies
from meshery_registry.domain.entities import PolicyEntity
from meshery_registry.domain.policies.records import own_document
from meshery_registry.store.policies import PolicyStore

OURS, THEIRS, SHIPPED = uuid4(), uuid4(), UUID(int=0)
REGO = PolicyEntity("Evaluate Mounts.rego", "rego", "package mounts\r\n", {"kind": "mount"})
CEL = PolicyEntity("no-root", "cel", "name: no-root\n", {"name": "no-root"})


async def a_model(db: Database, organization_id: UUID) -> UUID:
    model_id = uuid4()
    await db.execute(
        EVERY_ORGANIZATION,
        """
        insert into models (organization_id, id, registrant_kind, registrant_id, name, display_name, model_version,
            model_order, category_id)
        select $1, $2, 'meshery', $2, 'base', 'Base', 'v1.0.0', '{1,0,0}', id from categories limit 1
        """,
        organization_id,
        model_id,
    )
    return model_id


async def put(db: Database, organization_id: UUID, *entities: PolicyEntity, model_id: UUID) -> list[UUID]:
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        hashes = [one.source.encode() for one in entities]
        return await PolicyStore().put_definitions(tx, organization_id, model_id, "base", entities, hashes)


async def test_definitions_of_models_are_seen_by_whom_they_are_for(db: Database) -> None:
    store = PolicyStore()
    shipped, ours = await a_model(db, SHIPPED), await a_model(db, OURS)
    (cel,) = await put(db, SHIPPED, CEL, model_id=shipped)
    (rego,) = await put(db, OURS, REGO, model_id=ours)
    for organization, names in [(OURS, ["Evaluate Mounts.rego", "no-root"]), (THEIRS, ["no-root"])]:
        page, listed = await store.page(db.within(organization), organization, ListPolicies(model="base"))
        assert [one.name for one in listed] == names
        assert page.total_count == len(names)
        assert {one.state for one in listed} == {""}
    for wish, count in (
        ({"name": "no-root"}, 1),
        ({"name": "root"}, 0),
        ({"name": "ROOT", "greedy": True}, 1),
    ):
        page, _ = await store.page(db.within(OURS), OURS, ListPolicies(**wish))
        assert page.total_count == count, wish
    found = await store.definition(db.within(OURS), OURS, rego)
    assert (found.source, found.language, found.definition) == (
        "package mounts\r\n",
        PolicyLanguage.REGO,
        {"kind": "mount"},
    )
    assert own_document(found, None) == {
        "name": "evaluate-mounts.rego",
        "language": "rego",
        "description": "",
    }
    assert own_document(await store.definition(db.within(THEIRS), THEIRS, cel), None) == {"name": "no-root"}
    with pytest.raises(NotFound):
        await store.definition(db.within(THEIRS), THEIRS, rego)


async def test_the_same_again_changes_nothing(db: Database) -> None:
    model_id = await a_model(db, OURS)
    first = await put(db, OURS, REGO, CEL, model_id=model_id)
    before = await db.fetch(OURS, "select id, updated_at from policies order by id")
    changed = PolicyEntity(CEL.name, "cel", "name: no-root # new\n", CEL.definition)
    assert await put(db, OURS, REGO, changed, model_id=model_id) == first
    after = await db.fetch(OURS, "select id, updated_at from policies order by id")
    newer = [
        row["id"] for row, old in zip(after, before, strict=True) if row["updated_at"] > old["updated_at"]
    ]
    assert newer == [first[1]]
