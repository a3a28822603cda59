"""How a suite runs a test: with a harness, which is an open host with the plugin's part in it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from typing_extensions import override

from visado import (
    Accept,
    Challenge,
    Decision,
    Fail,
    Fields,
    Login,
    LoginCheck,
    Outcome,
    Pass,
    Request,
    Strategy,
    Success,
)


class Suite(Protocol):
    """A class of tests that can open a harness."""

    def harness(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open a host that stores its data in `folder`, with what is tested in it."""
        ...


S = TypeVar("S", bound=Suite)


def with_harness(test: Callable[[S, Any], Awaitable[None]]) -> Callable[[S, Path], None]:
    """Make a test of a coroutine: it runs with a harness of its own, in a new folder."""

    @functools.wraps(test)
    def run(self: S, tmp_path: Path) -> None:
        async def play() -> None:
            async with self.harness(tmp_path) as harness:
                await test(self, harness)

        asyncio.run(play())

    del run.__wrapped__  # or pytest reads the parameters of the coroutine
    return run


class StubStrategy(Strategy):
    """Logs in any user by id, with the password `right`: for tests of what follows a login.

    The members of its body have names that no login check uses for its answers.
    """

    name = "stub"
    RIGHT = "right"

    @override
    async def authenticate(self, request: Request) -> Outcome:
        fields = request.fields
        return Success(fields["stub_user"]) if fields.get("stub_password") == self.RIGHT else Fail()


class StubCheck(LoginCheck):
    """Challenges the users of `users`, who answer with `RIGHT`: the alternative to another check of its factor."""

    name = "stub-check"
    RIGHT: Final[Fields] = {"stub_code": "right"}

    def __init__(self, factor: str) -> None:
        self.factor = factor
        self.users = set[str]()

    @override
    async def check(self, login: Login) -> Decision:
        return Challenge() if login.user.id in self.users else Pass()

    @override
    async def answer(self, login: Login, state: Fields) -> Decision:
        return Accept() if login.request.fields.get("stub_code") == self.RIGHT["stub_code"] else Fail()
