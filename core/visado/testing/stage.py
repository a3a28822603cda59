"""Where strategies are tested: a host of their own, what clients should not send, and what must not happen."""

from __future__ import annotations

import asyncio
import functools
import io
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pytest

from visado import app, errors
from visado.app import Host
from visado.request import Fields, Request
from visado.strategy import Outcome, Strategy

NOBODY: Final = "kuid-of-nobody-0"
_SERVER_ERROR: Final = 500


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


_NUMBERS: Final = (0, -1, 42, 1.5, float("nan"), float("inf"), 10**5_000)
_TEXTS: Final = ("", " ", "\0", "\r\nSet-Cookie: a=b", "\x1b[2J", "\ud800", "\udfff\ud800", "a" * 100_000)
_TRICKS: Final = ("*", "*)(uid=*))(|(uid=*", "' OR '1'='1", "../../etc/passwd", "{{username}}", "%00", "\uff0d\uff11")
_LISTS: Final[tuple[Any, ...]] = ([], [None], ["a", "b"], _nested(500))
_OBJECTS: Final[tuple[Any, ...]] = ({}, {"a": 1}, {"$ne": None}, {"username": {"username": "a"}})
HOSTILE: Final[tuple[Any, ...]] = (None, True, False, *_NUMBERS, *_TEXTS, *_TRICKS, *_LISTS, *_OBJECTS)
"""Values that no client should send where a text is expected."""


@asynccontextmanager
async def open_host(folder: Path, settings: Mapping[str, Fields]) -> AsyncGenerator[Host, None]:
    """Build a host with its data in this folder. It is still to be opened, and will be closed."""
    host = app.build(given={"server": {"data": str(folder)}, **settings})
    try:
        yield host
    finally:
        await host.close()


@dataclass(frozen=True, slots=True)
class Stage:
    """A strategy at work in a host."""

    host: Host
    strategy: Strategy

    async def user(self, number: int = 0) -> str:
        """Make a user, and return its id."""
        user = await self.host.users.create({"profileIds": ["default"]}, f"kuid-of-user-{number}")
        return user.id

    async def login(self, body: Any) -> Outcome:
        """Log in with this body."""
        request = Request("login", "auth", "login", {"strategy": self.strategy.name}, body)
        return await self.strategy.authenticate(request)


class Staging(Protocol):
    """A class of tests that knows how to make a stage."""

    def stage(self, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """Open a host with the strategy in it."""
        ...


C = TypeVar("C", bound=Staging)


def staged(test: Callable[[C, Stage], Awaitable[None]]) -> Callable[[C, Path], None]:
    """Run a test of a coroutine with a stage of its own."""

    @functools.wraps(test)
    def run(self: C, tmp_path: Path) -> None:
        async def play() -> None:
            async with self.stage(tmp_path) as stage:
                await test(self, stage)

        asyncio.run(play())

    del run.__wrapped__  # or pytest reads the signature of the coroutine
    return run


async def survived(call: Awaitable[object]) -> object:
    """Return what the call returns, or its refusal, which must be the client's fault."""
    try:
        return await call
    except errors.VisadoError as error:
        if error.status >= _SERVER_ERROR:
            pytest.fail(f"{error.id}: {error}")
        return error


async def refused(call: Awaitable[object]) -> errors.VisadoError:
    """Expect a refusal that is the client's fault, and return it."""
    found = await survived(call)
    if not isinstance(found, errors.VisadoError):
        pytest.fail(f"not refused: {found}")
    return found


@contextmanager
def logged() -> Generator[io.StringIO, None, None]:
    """Collect everything that is logged meanwhile, at every level, with tracebacks."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
