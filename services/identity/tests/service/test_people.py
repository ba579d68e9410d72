"""People's own data over the bus."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import identity
from meshery_contracts.errors import Forbidden, Invalid, NotFound, TooLarge
from meshery_contracts.identity import Assertion, GetUser, ListKeys, Preferences, SavePreferences
from meshery_contracts.keys import LOCAL_KEYS, Key
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest


async def save(bus: Bus, who: Assertion, change: dict[str, Any], *, key: str = "") -> Preferences:
    return await bus.request(
        identity.SAVE_PREFERENCES,
        SavePreferences(preferences=change),
        assertion=who.assertion,
        idempotency_key=key,
    )


async def another_user(db: Database, organization_id: UUID, *, mail: str = "") -> UUID:
    """A second member of an organisation, without any role."""
    user_id = uuid4()
    await db.execute(
        EVERY_ORGANIZATION,
        "insert into users (user_id, provider, username, first_name, email) values ($1, 'None', $2, 'Ann', $3)",
        user_id,
        str(user_id),
        mail,
    )
    await db.execute(
        EVERY_ORGANIZATION,
        "insert into organization_members (organization_id, user_id) values ($1, $2)",
        organization_id,
        user_id,
    )
    return user_id


async def a_role(db: Database, name: str, key: Key) -> UUID:
    """A role of one's own making that grants one key."""
    role_id, keychain_id = uuid4(), uuid4()
    everybody = EVERY_ORGANIZATION
    await db.execute(everybody, "insert into roles (role_id, name) values ($1, $2)", role_id, name)
    await db.execute(
        everybody, "insert into keychains (keychain_id, name) values ($1, $2)", keychain_id, name
    )
    await db.execute(everybody, "insert into role_keychains values ($1, $2)", role_id, keychain_id)
    await db.execute(everybody, "insert into keychain_keys values ($1, $2)", keychain_id, key.id)
    return role_id


async def test_the_providers_are_shown_to_everybody(gateway: Bus) -> None:
    answer = orjson.loads(await gateway.request_bytes(identity.LIST_PROVIDERS, b"{}", assertion=""))
    assert list(answer["providers"]) == ["None"]
    local = answer["providers"]["None"]
    # The Go command line reads these spellings; an empty address means: no login in a browser.
    assert (local["provider_name"], local["provider_url"], local["provider_type"]) == ("None", "", "local")
    assert {one["feature"] for one in local["capabilities"]} >= {"persist-meshery-patterns"}


async def test_the_local_users_profile(gateway: Bus, local: Assertion) -> None:
    user = await gateway.request(identity.GET_USER, GetUser(), assertion=local.assertion)
    assert user.id == local.user_id
    assert (user.user_id, user.first_name, user.last_name) == ("meshery", "Meshery", "Meshery")
    assert (user.provider, user.status, user.role_names) == ("None", "active", ["Local user"])
    raw = orjson.loads(await gateway.request_bytes(identity.GET_USER, b"{}", assertion=local.assertion))
    assert raw["user_id"] == raw["userId"] == "meshery"
    with pytest.raises(NotFound):
        await gateway.request(identity.GET_USER, GetUser(user_id=uuid4()), assertion=local.assertion)


async def test_mail_addresses_are_not_for_everybody(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    ann = await another_user(database, local.organization_id, mail="ann@example.org")
    request = GetUser(user_id=ann)
    assert (await gateway.request(identity.GET_USER, request, assertion=local.assertion)).email == ""
    await database.execute(
        EVERY_ORGANIZATION,
        """
        insert into keychain_keys (keychain_id, key_id)
        select keychain_id, $1 from keychains where name = 'Local user'
        """,
        Key.ASSIGN_USER_ROLES.id,
    )
    admin = await gateway.request(identity.AUTHENTICATE, identity.Authenticate(from_loopback=True))
    seen = await gateway.request(identity.GET_USER, request, assertion=admin.assertion)
    assert seen.email == "ann@example.org"


async def test_members_of_other_organisations_are_not_seen(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    elsewhere = uuid4()
    await database.execute(
        EVERY_ORGANIZATION, "insert into organizations (organization_id, name) values ($1, 'Else')", elsewhere
    )
    stranger = await another_user(database, elsewhere)
    with pytest.raises(NotFound):
        await gateway.request(identity.GET_USER, GetUser(user_id=stranger), assertion=local.assertion)


async def test_preferences_begin_with_defaults_and_merge(gateway: Bus, local: Assertion) -> None:
    first = await gateway.request(identity.GET_PREFERENCES, Nothing(), assertion=local.assertion)
    assert first == Preferences()
    # Our own defaults: nothing is sent anywhere unless somebody asks for it.
    assert not first.anonymous_usage_stats
    assert not first.anonymous_perf_results

    await save(gateway, local, {"loadTestPrefs": {"qps": 5, "t": "30s"}, "anonymousUsageStats": True})
    saved = await save(gateway, local, {"load_test_prefs": {"c": 2}, "somethingNewer": {"deepKey": 1}})
    assert saved.load_test_prefs == {"qps": 5, "t": "30s", "c": 2}
    assert saved.anonymous_usage_stats
    read = orjson.loads(
        await gateway.request_bytes(identity.GET_PREFERENCES, b"{}", assertion=local.assertion)
    )
    assert read["loadTestPrefs"] == read["load_test_prefs"] == {"qps": 5, "t": "30s", "c": 2}
    assert read["somethingNewer"] == {"deepKey": 1}
    assert read["updatedAt"]

    back = await save(gateway, local, {"anonymousUsageStats": None, "loadTestPrefs": {"t": None}})
    assert not back.anonymous_usage_stats
    assert back.load_test_prefs == {"qps": 5, "c": 2}


async def test_a_repeated_change_of_preferences_is_made_once(gateway: Bus, local: Assertion) -> None:
    first = await save(gateway, local, {"loadTestPrefs": {"qps": 1}}, key="once")
    await save(gateway, local, {"loadTestPrefs": {"qps": 2}})
    assert await save(gateway, local, {"loadTestPrefs": {"qps": 1}}, key="once") == first
    now = await gateway.request(identity.GET_PREFERENCES, Nothing(), assertion=local.assertion)
    assert now.load_test_prefs == {"qps": 2}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"loadTestPrefs": {"qps": -1}}, "loadTestPrefs.qps"),
        ({"loadTestPrefs": {"c": "many"}}, "loadTestPrefs.c"),
        ({"loadTestPrefs": {"t": "5 minutes"}}, "loadTestPrefs.t"),
        ({"loadTestPrefs": {"gen": "ab"}}, "loadTestPrefs.gen"),
        ({"meshAdapters": "all"}, "meshAdapters"),
    ],
)
async def test_wrong_preferences_change_nothing(
    gateway: Bus, local: Assertion, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await save(gateway, local, {"anonymousPerfResults": True, **change})
    assert [one.path for one in caught.value.problem.fields] == [path]
    now = await gateway.request(identity.GET_PREFERENCES, Nothing(), assertion=local.assertion)
    assert now == Preferences()


async def test_preferences_are_no_place_for_data(gateway: Bus, local: Assertion) -> None:
    with pytest.raises(TooLarge):
        await save(gateway, local, {"usersExtensionPreferences": {"blob": "x" * 300_000}})


async def test_the_one_organisation_and_workspace(gateway: Bus, local: Assertion) -> None:
    organizations = await gateway.request(
        identity.LIST_ORGANIZATIONS, PageRequest(), assertion=local.assertion
    )
    assert organizations.total_count == 1
    (organization,) = organizations.organizations
    assert (organization.id, organization.name) == (local.organization_id, "My Org")
    workspaces = await gateway.request(identity.LIST_WORKSPACES, PageRequest(), assertion=local.assertion)
    (workspace,) = workspaces.workspaces
    assert (workspace.name, workspace.organization_id) == ("Default", local.organization_id)
    none = await gateway.request(
        identity.LIST_WORKSPACES, PageRequest(search="100%"), assertion=local.assertion
    )
    assert none.total_count == 0


async def test_workspaces_come_from_membership_and_from_teams(
    gateway: Bus, local: Assertion, database: Database
) -> None:
    team_id, by_team, foreign = uuid4(), uuid4(), uuid4()
    organization = local.organization_id
    for workspace_id, name in ((by_team, "By team"), (foreign, "Foreign")):
        await database.execute(
            EVERY_ORGANIZATION,
            "insert into workspaces (workspace_id, organization_id, name) values ($1, $2, $3)",
            workspace_id,
            organization,
            name,
        )
    await database.execute(
        EVERY_ORGANIZATION,
        "insert into teams (team_id, organization_id, name) values ($1, $2, 'Team')",
        team_id,
        organization,
    )
    await database.execute(
        EVERY_ORGANIZATION,
        "insert into team_members (team_id, organization_id, user_id) values ($1, $2, $3)",
        team_id,
        organization,
        local.user_id,
    )
    await database.execute(
        EVERY_ORGANIZATION,
        "insert into workspace_teams (workspace_id, team_id, organization_id) values ($1, $2, $3)",
        by_team,
        team_id,
        organization,
    )
    page = await gateway.request(identity.LIST_WORKSPACES, PageRequest(), assertion=local.assertion)
    assert [one.name for one in page.workspaces] == ["By team", "Default"]


async def test_keys_are_listed_in_words_that_the_ui_compares(gateway: Bus, local: Assertion) -> None:
    request = ListKeys(organization_id=local.organization_id, page_size=1000)
    page = await gateway.request(identity.LIST_KEYS, request, assertion=local.assertion)
    assert page.total_count == len(LOCAL_KEYS)
    assert {(one.id, one.function) for one in page.keys} == {(key.id, key.function) for key in LOCAL_KEYS}
    second = await gateway.request(
        identity.LIST_KEYS,
        ListKeys(organization_id=local.organization_id, page=1, page_size=10),
        assertion=local.assertion,
    )
    assert [one.id for one in second.keys] == [key.id for key in LOCAL_KEYS[10:20]]
    with pytest.raises(NotFound):
        await gateway.request(
            identity.LIST_KEYS, ListKeys(organization_id=uuid4()), assertion=local.assertion
        )


async def test_keys_come_from_roles_of_every_kind(gateway: Bus, local: Assertion, database: Database) -> None:
    """Held everywhere, in the organisation, and through a team: the union counts, and nothing by name."""
    organization = local.organization_id
    ann = await another_user(database, organization)
    wanted = identity.Delegate(organization_id=organization, user_id=ann, actor="designs")
    assert (await gateway.request(identity.DELEGATE, wanted)).key_ids == []

    expected = set()
    role_ids = {}
    for place, key in (("user", Key.VIEW_AUDIT), ("organization", Key.VIEW_EVENTS), ("team", Key.EDIT_TEAM)):
        role_ids[place] = await a_role(database, place, key)
        expected.add(key.id)
    team_id = uuid4()
    everywhere, here = (ann, role_ids["user"]), (organization, ann, role_ids["organization"])
    await database.execute(EVERY_ORGANIZATION, "insert into user_roles values ($1, $2)", *everywhere)
    await database.execute(
        EVERY_ORGANIZATION, "insert into organization_member_roles values ($1, $2, $3)", *here
    )
    await database.execute(
        EVERY_ORGANIZATION,
        "insert into teams (team_id, organization_id, name) values ($1, $2, 'T')",
        team_id,
        organization,
    )
    await database.execute(
        EVERY_ORGANIZATION,
        "insert into team_members values ($1, $2, $3, $4)",
        team_id,
        organization,
        ann,
        role_ids["team"],
    )
    assert set((await gateway.request(identity.DELEGATE, wanted)).key_ids) == expected

    await database.execute(EVERY_ORGANIZATION, "update teams set deleted_at = now()")
    left = await gateway.request(identity.DELEGATE, wanted)
    assert set(left.key_ids) == expected - {Key.EDIT_TEAM.id}


async def test_a_service_has_no_preferences(gateway: Bus, local: Assertion) -> None:
    service = await gateway.request(
        identity.DELEGATE, identity.Delegate(organization_id=local.organization_id, actor="designs")
    )
    with pytest.raises(Forbidden):
        await save(gateway, service, {"anonymousUsageStats": True})
