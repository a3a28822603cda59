"""`admin`: load and reset what the host knows of security."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from visado import errors
from visado.arguments import Body, Flag, Text
from visado.codec import is_object
from visado.controller import Controller, action, post
from visado.controllers import results
from visado.request import Fields, Request
from visado.security.accounts import Accounts
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.security.users.users import Users
from visado.storage.query import Query

_ON_EXISTING: Final = ("fail", "skip", "overwrite")
_DATABASES: Final = ("internalCache", "memoryStorage")


class AdminController(Controller):
    """What concerns all users, profiles and roles at once."""

    name = "admin"

    def __init__(self, accounts: Accounts, users: Users, profiles: Profiles, roles: Roles) -> None:
        self._accounts, self._users, self._profiles, self._roles = accounts, users, profiles, roles
        self._resetting = asyncio.Lock()

    @action(post("/admin/_resetSecurity"))
    async def reset_security(self, request: Request) -> results.Reset:
        """Unmake every user and go back to the roles and profiles of the first start."""
        if self._resetting.locked():
            raise errors.ActionLocked(action="Kuzzle is already reseting roles, profiles and users.")
        async with self._resetting:
            users = (await self._users.search(Query())).hits
            for user_id, _ in users:
                await self._accounts.delete(user_id)
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
    ) -> results.Loaded:
        """Make roles, profiles and users in one go; `onExistingUsers` says what about users that exist."""
        if on_existing_users not in _ON_EXISTING:
            raise errors.InvalidArgument(argument="onExistingUsers", expected='"fail", "skip" or "overwrite"')
        users = _section(body, "users")
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
                await self._accounts.delete(user_id)
            await self._accounts.create(_object(fields, "content"), _object(fields, "credentials"), user_id)
        return {"acknowledge": True}

    @action(post("/admin/_resetDatabase"))
    async def reset_database(self, request: Request) -> results.Loaded:
        """Forget every document of applications: this host keeps none."""
        return {"acknowledge": True}

    @action(post("/admin/_resetCache/:database"))
    async def reset_cache(self, request: Request, database: Text) -> results.Loaded:
        """Empty a cache of applications: this host keeps none."""
        if database not in _DATABASES:
            raise errors.UnexpectedArgument(argument=database, accepted=", ".join(_DATABASES))
        return {"acknowledge": True}

    @action(post("/admin/_loadMappings"))
    async def load_mappings(self, request: Request, body: Body | None = None) -> results.Loaded:
        """Declare the fields of application documents: this host keeps none."""
        return {"acknowledge": True}


def _section(body: Fields, name: str) -> dict[str, Fields]:
    """Take one of the three tables. Raises `InvalidArgument` unless it is an object of objects."""
    section: Any = body.get(name) or {}
    if not is_object(section):
        raise errors.InvalidArgument(argument=f"body.{name}", expected="object")
    for each, fields in section.items():
        if not is_object(fields):
            raise errors.InvalidArgument(argument=f"body.{name}.{each}", expected="object")
    return section


def _object(fields: Fields, name: str) -> Fields:
    value: Any = fields.get(name) or {}
    if not is_object(value):
        raise errors.InvalidArgument(argument=name, expected="object")
    return value
