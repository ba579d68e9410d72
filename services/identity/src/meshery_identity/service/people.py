"""People's own data: profiles, preferences, organisations, workspaces and permission keys."""

from __future__ import annotations

from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Forbidden, NotFound
from meshery_contracts.identity import (
    GetUser,
    ListKeys,
    OrganizationPage,
    PermissionKey,
    PermissionKeyPage,
    Preferences,
    Provider,
    Providers,
    SavePreferences,
    User,
    WorkspacePage,
)
from meshery_contracts.keys import Key, keys_of_bits
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_identity.domain import people, preferences, roles
from meshery_identity.store import PeopleStore

_LOCAL = Provider(
    provider_type="local",
    provider_name=people.LOCAL_PROVIDER,
    provider_description=[
        "Everything is kept in this installation.",
        "One user, no login: served to this very machine only.",
    ],
    capabilities=[
        {"feature": feature, "endpoint": ""}
        for feature in (
            "persist-meshery-patterns",
            "persist-meshery-applications",
            "persist-meshery-filters",
            "persist-credentials",
        )
    ],
)


class PeopleService:
    """Use cases over people's own data."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._queries = db.within(EVERY_ORGANIZATION)
        self._store = PeopleStore()
        self._clock = clock

    async def providers(self, request: Nothing, caller: Caller) -> Providers:
        """Where people can come from."""
        return Providers(providers={_LOCAL.provider_name: _LOCAL})

    async def user(self, request: GetUser, caller: Caller) -> User:
        """Somebody of the caller's organisation, by default the caller himself.

        Mail addresses are for oneself and for those who assign roles: a list of members is no address book.
        """
        user_id = request.user_id or caller.user_id
        user = await self._store.user(self._queries, user_id, caller.organization_id)
        if user.id != caller.user_id and not caller.holds(Key.ASSIGN_USER_ROLES):
            user = user.model_copy(update={"email": ""})
        return user

    async def preferences(self, request: Nothing, caller: Caller) -> Preferences:
        """The caller's preferences; the defaults for what he never chose."""
        document, updated_at = await self._store.preferences(self._queries, caller.user_id)
        return preferences.check(document).model_copy(update={"updated_at": updated_at})

    async def save_preferences(self, request: SavePreferences, caller: Caller) -> Preferences:
        """Merge a change into the caller's preferences."""
        _require_person(caller)
        async with self._db.command(EVERY_ORGANIZATION) as tx:
            await self._store.lock_preferences(tx, caller.user_id)
            before, _ = await self._store.preferences(tx, caller.user_id)
            document = preferences.merge(before, request.preferences)
            document.pop("updated_at", None)
            saved = preferences.check(document)
            now = self._clock()
            await self._store.put_preferences(tx, caller.user_id, document, now)
            return await tx.answer(saved.model_copy(update={"updated_at": now}))

    async def organizations(self, request: PageRequest, caller: Caller) -> OrganizationPage:
        """The organisations that the caller belongs to."""
        return await self._store.organizations(self._queries, caller.user_id, request)

    async def workspaces(self, request: PageRequest, caller: Caller) -> WorkspacePage:
        """The workspaces that the caller is a member of, in the organisation he acts in."""
        standing = await self._store.standing(self._queries, caller.user_id, caller.organization_id)
        # Asked anew, so that a workspace made a moment ago is listed; an assertion is up to two minutes old.
        workspace_ids = standing.workspace_ids if standing is not None else ()
        queries = self._db.within(caller.organization_id)
        return await self._store.workspaces(queries, caller.organization_id, workspace_ids, request)

    async def keys(self, request: ListKeys, caller: Caller) -> PermissionKeyPage:
        """The caller's permission keys in an organisation of his; in the present one at most those he asks with."""
        standing = await self._store.standing(self._queries, caller.user_id, request.organization_id)
        if standing is None or not standing.member:
            raise NotFound(
                f"There is no organisation {request.organization_id} that you belong to.",
                code="organization_unknown",
                remedy="List your organisations to see which there are.",
            )
        bits = roles.bits_of_ids(standing.key_ids)
        if request.organization_id == caller.organization_id:
            bits &= caller.key_bits
        wanted = request.search.lower()
        held = [key for key in keys_of_bits(bits) if wanted in f"{key.category} {key.function}".lower()]
        start = request.page * request.page_size
        return PermissionKeyPage(
            page=request.page,
            page_size=request.page_size,
            total_count=len(held),
            keys=[_permission_key(key) for key in held[start : start + request.page_size]],
        )


def _permission_key(key: Key) -> PermissionKey:
    return PermissionKey(id=key.id, function=key.function, category=key.category)


def _require_person(caller: Caller) -> None:
    if caller.user_id == people.NOBODY_ID:
        raise Forbidden("Only people have preferences.", code="not_a_person")
