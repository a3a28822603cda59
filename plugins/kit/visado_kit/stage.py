"""Where strategies are tested: a host of their own, what clients should not send, and what must not happen."""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import textwrap
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pytest

from visado import app, errors
from visado.app import Visado
from visado.codec import is_object
from visado.host import now
from visado.request import Connection, Fields, Request, Response, User
from visado.storage.protocol import Collection, Document
from visado.storage.query import Query
from visado.strategy import Outcome, Redirect, Strategy, Success
from visado.tinydb import TinyStorage

NOBODY: Final = "kuid-of-nobody-0"
_SERVER_ERROR: Final = 500
_PATIENCE: Final = 60.0


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
async def open_host(
    folder: Path, settings: Mapping[str, Fields], clock: Callable[[], int] = now
) -> AsyncGenerator[Visado, None]:
    """Build a host with its data in this folder. It is still to be opened, and will be closed.

    `clock` returns the time in ms since 1970, as `visado_kit.clock.Clock` does.
    """
    given = {"server": {"data": str(folder)}, "storage": {"url": "tinydb:"}, **settings}
    host = app.create_app(given, clock=clock)
    try:
        yield host
    finally:
        await host.close()


async def ask(host: Visado, action: str, body: Any = None, *, token: str | None = None, **arguments: Any) -> Response:
    """Run an action in a host of this process, as a client nearby would: through the whole of its pipeline."""
    controller, _, name = action.rpartition(":")
    request = Request("1", controller, name, arguments, _copied(body), jwt=token, connection=Connection())

    async def decoded() -> Request:
        return request

    async def answer() -> Response:
        return await host.pipeline.run(decoded())

    return await asyncio.create_task(answer())  # a request has a context of its own


def _copied(body: Any) -> Any:
    return body.copy() if is_object(body) else body  # a plugin may change it


async def create_user(host: Visado, number: int = 0) -> str:
    """Make the user of this number, and return its id."""
    return (await host.security.users.create({"profileIds": ["default"]}, f"kuid-of-user-{number}")).id


async def dump(host: Visado) -> Mapping[str, Mapping[str, Document]]:
    """Read everything that is kept: documents by their id, by their collection."""
    storage = host.storage.inner
    assert isinstance(storage, TinyStorage), "the host of a test keeps its data in its folder"
    return {name: dict((await storage.search(name, Query())).hits) for name in storage.collections}


def load(folder: Path, rows: Mapping[str, Mapping[str, Document]]) -> None:
    """Write what `dump` has read into the data folder of a host that does not run."""

    async def write() -> None:
        storage = TinyStorage(folder)
        for name in rows:
            storage.declare(Collection(name))
        await storage.open()
        try:
            async with storage.transaction():
                for name, documents in rows.items():
                    for id_, document in documents.items():
                        await storage.create(name, id_, document)
        finally:
            await storage.close()

    asyncio.run(write())


@dataclass(frozen=True, slots=True)
class Stage:
    """A strategy at work in a host."""

    host: Visado
    strategy: Strategy

    async def user(self, number: int = 0) -> str:
        """Make a user, and return its id."""
        return await create_user(self.host, number)

    async def login(self, body: Any) -> Outcome:
        """Log in with this body, and return what the strategy answers."""
        return await self.strategy.authenticate(self._request(body))

    async def enter(self, body: Any) -> tuple[User, Success] | Redirect:
        """Log in with this body by the host's own path, which checks what the strategy answers.

        Raises `errors.LoginRefused` for `Fail` and `Pass`, what the strategy raises of `visado.errors`, and an error
        of 500 for anything else.
        """
        return await self.host.security.strategies.authenticate(self.strategy.name, self._request(body))

    def _request(self, body: Any) -> Request:
        return Request("login", "auth", "login", {"strategy": self.strategy.name}, _copied(body))


class Staging(Protocol):
    """A class of tests that knows how to make a stage."""

    def stage(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open a host with what is tested in it."""
        ...


C = TypeVar("C", bound=Staging)


def staged(test: Callable[[C, Any], Awaitable[None]]) -> Callable[[C, Path], None]:
    """Run a test of a coroutine with a stage of its own."""

    @functools.wraps(test)
    def run(self: C, tmp_path: Path) -> None:
        async def play() -> None:
            async with self.stage(tmp_path) as stage:
                await test(self, stage)

        asyncio.run(play())

    del run.__wrapped__  # or pytest reads the signature of the coroutine
    return run


async def survived(call: Awaitable[object], sent: object = None) -> object:
    """Return what the call returns, or its refusal, which must be the client's fault; `sent` is what provoked it."""
    try:
        return await call
    except errors.VisadoError as error:
        if error.status < _SERVER_ERROR:
            return error
        found = f"{error.id} ({error})"
    except Exception as error:
        found = repr(error)
    pytest.fail(
        f"{found} came of {told(sent)}: check what a client sends before it is used, and refuse it with an error of 4xx"
    )


async def refused(call: Awaitable[object], mend: str = "refuse it with one of visado.errors") -> errors.VisadoError:
    """Expect a refusal that is the client's fault, and return it. `mend` says what to do where there is none."""
    found = await survived(call)
    if not isinstance(found, errors.VisadoError):
        pytest.fail(f"{mend}; it returned {told(found)}")
    return found


def told(value: object) -> str:
    """Show a value in a message: not all of it, where it is long."""
    try:
        return textwrap.shorten(repr(value), 100, placeholder="...") if value is not None else "this call"
    except ValueError:  # a number of too many digits
        return f"a very long {type(value).__name__}"


async def held(call: Callable[[int], Awaitable[object]], enough: float) -> float:
    """Return for how long a call keeps the event loop from everybody else in one go, in seconds.

    It is called with 0, 1, ... until it is no longer than `enough`, ten times at most: what holds the loop does so each
    time, while a machine may have other things to do now and then.
    """
    longest = _PATIENCE
    for number in range(10):
        longest = min(longest, await _held(call(number)))
        if longest <= enough:
            break
    return longest


async def _held(call: Awaitable[object]) -> float:
    last, longest = time.perf_counter(), 0.0

    async def beat() -> None:
        nonlocal last, longest
        while True:
            await asyncio.sleep(0.001)
            last, longest = time.perf_counter(), max(longest, time.perf_counter() - last)

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        await call
    finally:
        heart.cancel()
    return max(longest, time.perf_counter() - last)


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
