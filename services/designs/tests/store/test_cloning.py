"""What counting a clone writes, and what it leaves alone."""

from __future__ import annotations

from uuid import UUID, uuid4

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.caller import Caller
from meshery_contracts.designs import DesignType, Visibility
from meshery_designs.domain.design_files import checked
from meshery_designs.store import DesignStore
from meshery_testkit.nats import People

STORE = DesignStore()


async def inserted(db: Database, caller: Caller) -> UUID:
    design_id = uuid4()
    file = checked({}, design_id=design_id, name="shop", version=1, new_id=uuid4)
    async with db.transaction(caller.organization_id) as tx:
        await STORE.insert(
            tx, design_id, file, caller, visibility=Visibility.PRIVATE, design_type=DesignType.DESIGN
        )
    return design_id


async def test_a_clone_is_counted_and_changes_nothing_else(db: Database, people: People) -> None:
    caller = people.caller()
    cloned, other = await inserted(db, caller), await inserted(db, caller)
    queries = db.within(caller.organization_id)
    before = await STORE.get(queries, cloned, caller)
    for _ in range(2):
        async with db.transaction(caller.organization_id) as tx:
            await STORE.count_clone(tx, cloned)
    assert await STORE.get(queries, cloned, caller) == before.model_copy(update={"clone_count": 2})
    assert (await STORE.get(queries, other, caller)).clone_count == 0


async def test_counting_stays_in_the_scope_of_the_transaction(db: Database, people: People) -> None:
    caller = people.caller()
    cloned = await inserted(db, caller)
    async with db.transaction(uuid4()) as tx:
        await STORE.count_clone(tx, cloned)
    queries = db.within(caller.organization_id)
    assert (await STORE.get(queries, cloned, caller)).clone_count == 0
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await STORE.count_clone(tx, cloned)
    assert (await STORE.get(queries, cloned, caller)).clone_count == 1
