from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from visado import Actor, Success
from visado.request import ANONYMOUS, Request, Token, User, current_request, set_current
from visado_kit.in_process import build_host
from visado_local.controller import PasswordController
from visado_local.strategy import LocalStrategy

CHEAP = {"memory": 7168, "iterations": 5}


@dataclass
class Local:
    """The strategy in a host, with a clock that stands still."""

    host: object
    now: int = 1_800_000_000_000
    strategy: LocalStrategy = field(init=False)

    def __post_init__(self):
        self.strategy = self.made()

    def made(self):
        return LocalStrategy(self.host.settings, replace(self.host.security.host, clock=lambda: self.now))

    @property
    def controller(self):
        return PasswordController(self.strategy, self.host.security.host)

    async def user(self, user_id, *profiles):
        return await self.host.security.users.create({"profileIds": list(profiles or ["default"])}, user_id)

    async def enroll(self, username="ann", password="a long enough phrase", profiles=("default",), *, by=None):
        user_id = f"kuid-{username}"
        await self.user(user_id, *profiles)
        self.ask(by or user_id)
        credentials = {"username": username, "password": password}
        await self.create(user_id, credentials)
        return user_id

    async def create(self, user_id, credentials):
        await self.strategy.validate(user_id, credentials, self.by(user_id), update=False)
        return await self.strategy.create(user_id, credentials, self.by(user_id))

    async def change(self, user_id, **credentials):
        await self.strategy.validate(user_id, credentials, self.by(user_id), update=True)
        return await self.strategy.update(user_id, credentials, self.by(user_id))

    def success(self, user_id):
        return Success(user_id, methods=frozenset({"pwd"}))

    async def delete(self, user_id):
        await self.strategy.delete(user_id, self.by(user_id))

    def by(self, user_id):
        """Who acts on a user's credentials: whoever made the request of the last `ask`."""
        request = current_request()
        if request is None:
            return Actor("host")
        if request.user.anonymous:
            return Actor("stranger", request)
        return Actor("owner" if request.user.id == user_id else "administrator", request)

    def ask(self, user_id=None, body=None, args=None, token=None, textual=False):
        """Set the current request."""
        user = ANONYMOUS if user_id is None else User(user_id, ("default",))
        row = None if token is None else Token(token, user_id, -1, -1)
        request = Request("1", "any", "x", args or {}, body, user=user, token=row, textual=textual)
        set_current(request)
        return request

    async def login(self, username="ann", password="a long enough phrase", **others):
        body = {"username": username, "password": password}
        return await self.strategy.authenticate(Request("1", "auth", "login", {}, body | others))

    async def row(self, user_id):
        return (await self.host.security.credentials.get_of_user("local", user_id))[1]

    async def seed(self, user_id, **fields):
        await self.host.security.credentials.merge("local", user_id, fields)


@pytest.fixture
def play(tmp_path):
    """Run a coroutine function with a `Local` that has these settings of `[local]`."""

    def run(scene, *, preset="compatible", **section):
        async def main():
            settings = {"local": {**CHEAP, **section}, "security": {"preset": preset}}
            async with build_host(tmp_path, settings) as host:
                await host.open()
                return await scene(Local(host))

        return asyncio.run(main())

    return run
