"""`security`: users."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Literal

from visado import errors
from visado.arguments import TEXTS, Body, BodyAny, BodyObject, BodyTexts, Flag, Id, Integer, List, Place, Text
from visado.codec import is_object
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.controllers.auth import may
from visado.request import NOTHING, Fields, Request, User
from visado.search.cursors import Searches, delete_all
from visado.search.mappings import Mappings
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.documents import found, shown
from visado.security.logins.strategies import Strategies
from visado.security.rights import rights
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.security.users.users import Users
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, SecuritySection
from visado.storage.protocol import Storage


class UsersController(Controller):
    """Users, as an administrator sees them."""

    name = "security"

    def __init__(
        self,
        access: Access,
        accounts: Accounts,
        strategies: Strategies,
        mappings: Mappings,
        searches: Searches,
        settings: Settings,
    ) -> None:
        self._users, self._profiles, self._tokens = access.users, access.profiles, access.tokens
        self._accounts, self._strategies = accounts, strategies
        self._mappings, self._searches = mappings, searches
        self._restricted_profile_ids = settings[SecuritySection].restricted_profile_ids
        self._write_count = settings[LimitsSection].write_count

    # -- one user

    @action(get("/users/:_id"), cacheable=True)
    async def get_user(self, request: Request, id: Id) -> results.Document:
        """Show a user."""
        user = await self._users.find(id)
        return shown(user.id, user.content)

    @action(get("/users/:_id/_strategies"), cacheable=True)
    async def get_user_strategies(self, request: Request, id: Id) -> results.StrategyList:
        """List the strategies by which a user can log in."""
        strategies = await self._strategies.of(await self._users.find(id))
        return {"strategies": strategies, "total": len(strategies)}

    @action(get("/users/:_id/_rights"), cacheable=True)
    async def get_user_rights(self, request: Request, id: Id) -> results.Found:
        """List the rights of a user."""
        user = await self._users.find(id)
        return rights.listing(self._profiles.policies(user.profile_ids))

    @action(post("/_checkRights/:userId"), example={"controller": "auth", "action": "getCurrentUser"})
    async def check_rights(self, request: Request, user_id: Id, body: Body) -> results.Allowed:
        """Say whether a user may execute a request, which the body holds."""
        user = await self._users.find(user_id)
        return {"allowed": may(body, request, self._profiles.rights(user))}

    @action(delete("/users/:_id/tokens"))
    async def revoke_tokens(self, request: Request, id: Id) -> results.Empty:
        """End every token of a user; API keys stay."""
        await self._tokens.revoke_all(id)

    # -- making and changing

    @action(
        post("/users/_create"),
        post("/users/:_id/_create"),
        example={
            "content": {"profileIds": ["default"]},
            "credentials": {"local": {"username": "melis", "password": "password"}},
        },
    )
    async def create_user(
        self,
        request: Request,
        content: BodyObject,
        credentials: BodyObject | None = None,
        id: Id | None = None,
        kuid: Text = "human",
    ) -> results.Document:
        """Make a user with profiles, and credentials for any number of strategies: all of it, or nothing."""
        user = await self._accounts.create(content, credentials or {}, id, _style(kuid))
        return shown(user.id, user.content)

    @action(post("/users/_createRestricted"), post("/users/:_id/_createRestricted"))
    async def create_restricted_user(
        self,
        request: Request,
        content: BodyObject | None = None,
        credentials: BodyObject | None = None,
        id: Id | None = None,
        kuid: Text = "human",
    ) -> results.Document:
        """Make a user whose profiles the settings choose."""
        given = _without_profiles(content) | {"profileIds": self._restricted_profile_ids}
        user = await self._accounts.create(given, credentials or {}, id, _style(kuid))
        return shown(user.id, user.content)

    @action(post("/users/:_id/_upsert"))
    async def upsert_user(
        self,
        request: Request,
        id: Id,
        content: BodyObject,
        default: BodyObject | None = None,
        credentials: BodyObject | None = None,
    ) -> results.Document:
        """Change a user's content, or make the user, with `default` beneath it and the credentials."""
        if "profileIds" not in content:
            raise errors.MissingArgument(argument="body.content.profileIds")
        user: User | None = None
        if await self._users.get(id) is None:
            with suppress(errors.UserExists):  # somebody else made it meanwhile
                user = await self._accounts.create((default or {}) | content, credentials or {}, id)
        if user is None:
            user = await self._users.update(id, content, request.user.id)
        return shown(user.id, user.content)

    @action(put("/users/:_id/_update"))
    async def update_user(
        self, request: Request, id: Id, body: Body, retry_on_conflict: Integer = 10
    ) -> results.Document:
        """Change members of a user's content."""
        user = await self._users.update(id, body, request.user.id)
        return shown(user.id, user.content)

    @action(put("/users/:_id/_replace"))
    async def replace_user(self, request: Request, id: Id, body: Body) -> results.Document:
        """Put other content in the place of a user's; credentials stay."""
        user = await self._users.replace(id, body, request.user.id)
        return shown(user.id, user.content)

    @action(delete("/users/:_id"))
    async def delete_user(self, request: Request, id: Id) -> results.Deleted:
        """Unmake a user, with credentials, tokens and API keys."""
        await self._accounts.delete(id)
        return {"_id": id}

    # -- many users

    @action(get("/users/_mGet"), post("/users/_mGet"))
    async def m_get_users(
        self,
        request: Request,
        listed: Annotated[list[str] | None, TEXTS, Place.BODY, "ids"] = None,
        ids: List | None = None,
    ) -> results.Hits:
        """Show several users; those who do not exist are left out."""
        wanted = listed if listed is not None else ids
        if not wanted:
            raise errors.MissingArgument(argument="ids")
        users = [await self._users.get(each) for each in wanted]
        return {"hits": [found(user.id, user.content) for user in users if user is not None and not user.anonymous]}

    @action(post("/users/_mDelete"))
    async def m_delete_users(self, request: Request, ids: BodyTexts) -> results.Names:
        """Unmake several users."""
        return await delete_all(ids, self._write_count, self._accounts.delete)

    @action(post("/users/_search"), example={"query": {"term": {"profileIds": "default"}}, "sort": [{"_id": "asc"}]})
    async def search_users(
        self,
        request: Request,
        from_: Integer = 0,
        size: Integer | None = None,
        lang: Text = "elasticsearch",
        scroll: Text | None = None,
    ) -> results.Found:
        """Search users by any field."""
        query = self._searches.query(request.fields, lang, from_, size)
        return await self._searches.page("users", self._users.search, query, scroll)

    @action(get("/users/_scroll/:scrollId"))
    async def scroll_users(self, request: Request, scroll_id: Text) -> results.Found:
        """Go on with a search of users."""
        return await self._searches.scroll("users", self._users.search, scroll_id)

    # -- what the collection looks like

    @action(get("/users/_mapping"))
    async def get_user_mapping(self, request: Request) -> results.Mapping:
        """Show the declared fields of users."""
        return {"mapping": await self._mappings.get("users")}

    @action(put("/users/_mapping"))
    async def update_user_mapping(self, request: Request, body: Body) -> results.ChangedMapping:
        """Declare fields of users."""
        return await self._mappings.update("users", body)

    @action(post("/_security/:collection/_refresh"))
    async def refresh(self, request: Request, collection: Text) -> results.Empty:
        """Make changes visible to searches: they are at once."""
        if collection not in ("users", "profiles", "roles"):
            raise errors.UnexpectedArgument(argument=collection, accepted="users, profiles, roles")


class FirstAdminController(Controller):
    """The first administrator, and the rights that the host restricts once it has one."""

    name = "security"

    def __init__(self, storage: Storage, accounts: Accounts, users: Users, profiles: Profiles, roles: Roles) -> None:
        self._storage, self._accounts = storage, accounts
        self._users, self._profiles, self._roles = users, profiles, roles
        self._lock = asyncio.Lock()

    @action(
        post("/_createFirstAdmin/:_id"),
        post("/_createFirstAdmin"),
        example={
            "content": {},
            "credentials": {"local": {"username": "admin", "password": "password"}},
        },
    )
    async def create_first_admin(
        self,
        request: Request,
        content: BodyAny = None,
        credentials: BodyAny = None,
        id: Id | None = None,
        reset: Flag = False,
        kuid: Text = "human",
    ) -> results.Document:
        """Make the first administrator, and with `reset` close the host for everybody else: both, or neither."""
        async with self._lock, self._storage.transaction():  # of many who ask at once, one is the first
            if await self._users.admin_exists():
                raise errors.AdminExists
            given = _without_profiles(_object(content, "content")) | {"profileIds": ["admin"]}
            user = await self._accounts.create(given, _object(credentials, "credentials"), id, _style(kuid))
            if reset:
                await self._roles.restrict()
                await self._profiles.restrict()
        return shown(user.id, user.content)

    @action(post("/_restrictDefaultRights"))
    async def restrict_default_rights(self, request: Request) -> Any:
        """Close the host: give the three standard roles and profiles their restricted rights."""
        await self._roles.restrict()
        await self._profiles.restrict()
        return NOTHING


def _object(value: Any, name: str) -> Fields:
    if value is not None and not is_object(value):
        raise errors.InvalidType(argument=f"body.{name}", expected="object")
    return value or {}


def _without_profiles(content: Fields | None) -> Fields:
    if content and content.get("profileIds") is not None:
        raise errors.ForbiddenArgument(argument="body.content.profileIds")
    return {**(content or {})}


def _style(kuid: str) -> Literal["human", "uuid"]:
    return "uuid" if kuid == "uuid" else "human"
