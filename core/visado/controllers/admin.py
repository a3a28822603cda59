"""The first administrator (`security`), and actions on all users, profiles and roles (`admin`)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from visado import errors
from visado.arguments import Body, BodyAny, Flag, Id, Text
from visado.codec import is_object
from visado.controller import Controller, action, post
from visado.controllers.result_types import AcknowledgeResult, DocumentResult, ResetResult
from visado.controllers.users import id_style, without_profiles
from visado.request import Fields, Request
from visado.response import NO_RESULT
from visado.security.accounts import Accounts
from visado.security.documents import format_document
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.security.users.users import Users
from visado.storage.protocol import Storage
from visado.storage.query import Query
from visado.strategy import Actor

_EXISTING_USER_POLICIES: Final = ("fail", "skip", "overwrite")
_DATABASES: Final = ("internalCache", "memoryStorage")


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
    ) -> DocumentResult:
        """Create the first administrator, a user with the profile `admin`.

        `content` contains any members except `profileIds`. `credentials` contains the credentials by strategy.
        With `reset`, also restrict the rights of the roles and profiles `admin`, `default` and `anonymous`, as
        `security:restrictDefaultRights` does; both happen, or nothing. Respond with an error if the host has an
        administrator.
        """
        async with self._lock, self._storage.transaction():  # one of several simultaneous requests succeeds
            if await self._users.admin_exists():
                raise errors.AdminExists
            by = Actor("administrator", request)
            members = without_profiles(_optional_object(content, "content")) | {"profileIds": ["admin"]}
            user = await self._accounts.create(
                members, _optional_object(credentials, "credentials"), by, id, id_style(kuid)
            )
            if reset:
                await self._roles.restrict()
                await self._profiles.restrict()
        return format_document(user.id, user.content)

    @action(post("/_restrictDefaultRights"))
    async def restrict_default_rights(self, request: Request) -> Any:
        """Restrict the rights of the roles and profiles `admin`, `default` and `anonymous`.

        Until then, on a new host, all three allow every action. Afterwards anonymous requests may log in, and users
        with the profile `default` may read and change themselves.
        """
        await self._roles.restrict()
        await self._profiles.restrict()
        return NO_RESULT


class AdminController(Controller):
    """Actions on all users, profiles and roles at once, and Kuzzle's actions on data that visado does not store."""

    name = "admin"

    def __init__(self, accounts: Accounts, users: Users, profiles: Profiles, roles: Roles) -> None:
        self._accounts, self._users, self._profiles, self._roles = accounts, users, profiles, roles
        self._resetting = asyncio.Lock()

    @action(post("/admin/_resetSecurity"))
    async def reset_security(self, request: Request) -> ResetResult:
        """Delete every user, and reset the roles and profiles to those of a new host.

        Those are `admin`, `default` and `anonymous`, and all three allow every action.
        """
        if self._resetting.locked():
            raise errors.ActionLocked(action="Kuzzle is already reseting roles, profiles and users.")
        async with self._resetting:
            users = (await self._users.search(Query())).hits
            for user_id, _ in users:
                await self._accounts.delete(user_id, Actor("administrator", request))
            deleted = await self._profiles.reset()
            await self._roles.reset()
        return {"deletedUsers": len(users), "deletedProfiles": deleted}

    @action(post("/admin/_loadSecurities"))
    async def load_securities(
        self,
        request: Request,
        body: Body,
        on_existing_users: Text = "fail",
        force: Flag = False,
    ) -> AcknowledgeResult:
        """Create roles, profiles and users.

        The body contains `roles`, `profiles` and `users`, each an object of documents by id; a user has `content` and
        `credentials`. Existing roles and profiles are replaced. `onExistingUsers` is `fail` (change nothing and respond
        with an error), `skip` or `overwrite`. With `force`, roles may name unknown controllers.
        """
        if on_existing_users not in _EXISTING_USER_POLICIES:
            raise errors.InvalidArgument(argument="onExistingUsers", expected='"fail", "skip" or "overwrite"')
        users, by = _section(body, "users"), Actor("administrator", request)
        roles, profiles = _section(body, "roles"), _section(body, "profiles")
        existing = [each for each in users if await self._users.get(each) is not None]
        if existing and on_existing_users == "fail":
            raise errors.UserOverwritePrevented
        for role, fields in roles.items():
            await self._roles.replace(role, fields, force=force)
        for profile, fields in profiles.items():
            await self._profiles.replace(profile, fields)
        for user_id, fields in users.items():
            if user_id in existing:
                if on_existing_users == "skip":
                    continue
                await self._accounts.delete(user_id, by)
            await self._accounts.create(_member(fields, "content"), _member(fields, "credentials"), by, user_id)
        return {"acknowledge": True}

    @action(post("/admin/_resetDatabase"))
    async def reset_database(self, request: Request) -> AcknowledgeResult:
        """Do nothing: visado stores no documents of applications."""
        return {"acknowledge": True}

    @action(post("/admin/_resetCache/:database"))
    async def reset_cache(self, request: Request, database: Text) -> AcknowledgeResult:
        """Do nothing: visado has no cache for applications. `database` is `internalCache` or `memoryStorage`."""
        if database not in _DATABASES:
            raise errors.UnexpectedArgument(argument=database, accepted=", ".join(_DATABASES))
        return {"acknowledge": True}

    @action(post("/admin/_loadMappings"))
    async def load_mappings(self, request: Request, body: Body | None = None) -> AcknowledgeResult:
        """Do nothing: visado stores no documents of applications."""
        return {"acknowledge": True}


def _section(body: Fields, name: str) -> dict[str, Fields]:
    """Return one of the body's three sections. Raises `InvalidArgument` unless it is an object of objects."""
    section: Any = body.get(name) or {}
    if not is_object(section):
        raise errors.InvalidArgument(argument=f"body.{name}", expected="object")
    for each, fields in section.items():
        if not is_object(fields):
            raise errors.InvalidArgument(argument=f"body.{name}.{each}", expected="object")
    return section


def _member(fields: Fields, name: str) -> Fields:
    value: Any = fields.get(name) or {}
    if not is_object(value):
        raise errors.InvalidArgument(argument=name, expected="object")
    return value


def _optional_object(value: Any, name: str) -> Fields:
    """Return an object from the body, or an empty one for null. Raises `InvalidType` for any other value."""
    if value is not None and not is_object(value):
        raise errors.InvalidType(argument=f"body.{name}", expected="object")
    return value or {}
