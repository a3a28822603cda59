from __future__ import annotations

import asyncio
import inspect
import json
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from tests.core.added import CONFIG, KIND
from tests.core.throwaway import command, put
from visado import app, errors
from visado.request import Connection, Request
from visado.response import Response
from visado.strategy import Actor, KeepsCredentials
from visado_kit.live import LiveHost

START = 2_000_000_000_000


@dataclass
class Clock:
    """Time that stands still until told, in milliseconds."""

    now: int = START

    def __call__(self) -> int:
        return self.now


@dataclass
class Inside:
    """A host in this process."""

    host: app.Visado
    clock: Clock
    connection: Connection = field(default_factory=Connection)

    async def ask(
        self,
        action: str,
        body: Any = None,
        *,
        token: str | None = None,
        cookie: str | None = None,
        connection: Connection | None = None,
        volatile: Any = None,
        textual: bool = False,
        **args: Any,
    ) -> Response:
        controller, _, name = action.rpartition(":")
        request = Request("1", controller, name, args, body, volatile, token, cookie, textual)
        request.connection = connection or Connection()

        async def decoded() -> Request:
            return request

        return await self.host.pipeline.run(decoded())

    async def error(self, action: str, body: Any = None, **others: Any) -> str | None:
        """Ask, and return the id of the error."""
        response = await self.ask(action, body, **others)
        return response.error.id if response.error else None

    async def result(self, action: str, body: Any = None, **others: Any) -> Any:
        response = await self.ask(action, body, **others)
        assert response.error is None, response.error
        return response.reply.result

    async def user(self, user_id: str, *profiles: str) -> str:
        """Make a user, and return a token of it."""
        await self.host.security.users.create({"profileIds": list(profiles or ["default"])}, user_id)
        return await self.token(user_id)

    async def token(self, user_id: str, expires_in: int | None = None, **how: Any) -> str:
        return (await self.host.security.tokens.create(user_id, expires_in, **how)).text

    async def restrict(self) -> None:
        await self.host.security.roles.restrict()
        await self.host.security.profiles.restrict()

    async def rows(self, collection: str) -> dict[str, Any]:
        from visado.storage.query import Query

        return dict((await self.host.storage.search(collection, Query())).hits)


@pytest.fixture
def play(tmp_path):
    """Run a coroutine function with a host in this process, under these settings."""

    def run(scene, *, folder=None, strategies=(), clock=None, **given):
        async def main():
            time = clock or Clock()
            given["server"] = {"data": str(folder or tmp_path / "data"), **given.get("server", {})}
            host = app.create_app(given, clock=time)
            for strategy in strategies:
                host.security.strategies.add(strategy(host) if inspect.isfunction(strategy) else strategy)
            await host.open()
            try:
                return await scene(Inside(host, time))
            finally:
                await host.close()

        return asyncio.run(main())

    return run


class WordForm(BaseModel):
    """The credentials of the scripted strategy."""

    word: str


class Scripted(KeepsCredentials):
    """A strategy that keeps credentials in a dictionary, and does what it is told."""

    credentials_form = WordForm

    def __init__(self, name="scripted", outcome=None, timeout=10.0, concurrency=64):
        self.name, self.outcome, self.timeout, self.concurrency = name, outcome, timeout, concurrency
        self.kept: dict[str, Any] = {}
        self.faults: dict[str, BaseException] = {}
        self.actors: list[tuple[str, Actor]] = []
        self.running = self.most = 0

    def _step(self, name):
        if name in self.faults:
            raise self.faults[name]

    async def authenticate(self, request):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.outcome(request) if inspect.isfunction(self.outcome) else self.outcome
        finally:
            self.running -= 1

    async def create(self, user_id, credentials, by):
        self._step("create")
        self.actors.append(("create", by))
        self.kept[user_id] = credentials
        self._step("created")
        return {"word": "shown"}

    async def update(self, user_id, credentials, by):
        self._step("update")
        self.actors.append(("update", by))
        self.kept[user_id] = credentials
        return {"word": "shown"}

    async def delete(self, user_id, by):
        self._step("delete")
        self.actors.append(("delete", by))
        self.kept.pop(user_id, None)

    async def validate(self, user_id, credentials, by, *, update):
        self._step("validate")
        self.actors.append(("validate", by))
        if credentials.get("word") == "bad":
            raise errors.CredentialsRejected(reason="a bad word")

    async def exists(self, user_id):
        self._step("exists")
        return user_id in self.kept

    async def info(self, user_id):
        self._step("info")
        return {"of": user_id}


@pytest.fixture
def scripted():
    """The class of a strategy that does what it is told."""
    return Scripted


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A real host, whose administrator is `admin`, that is closed for everybody else: one per module."""
    host = LiveHost(tmp_path_factory.mktemp("live")).start()
    try:
        host.admin = host.create_admin()  # type: ignore[attr-defined]
        yield host
    finally:
        host.stop()


@dataclass
class Raw:
    """What came back over a bare socket."""

    data: bytes
    closed: bool

    @property
    def status(self) -> int | None:
        return int(self.data.split(b" ", 2)[1]) if self.data.startswith(b"HTTP/") else None

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.data.partition(b"\r\n\r\n")[2])


def exchange(port, *parts, patience=10.0, until_closed=True):
    """Send bytes over a socket of their own, and read until the host closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as opened:
        received = b""
        try:
            for part in parts:
                opened.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while chunk := opened.recv(65_536):
                received += chunk
                if not until_closed and _whole(received):
                    return Raw(received, False)
        except TimeoutError:
            return Raw(received, False)
        except ConnectionResetError:
            pass
        return Raw(received, True)


def _whole(data):
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True


@pytest.fixture(scope="session")
def raw():
    """Speak to a port in bytes: `raw(port, b"GET / HTTP/1.1...")`."""
    return exchange


@pytest.fixture
def install(tmp_path):
    """Install a throw-away plugin for the fixture `visado`; return the folder for PYTHONPATH."""
    return lambda name, source, point=None: put(tmp_path / "site", name, source, point)


@pytest.fixture
def visado(tmp_path):
    """Run the command `visado` with the throw-away plugins."""
    return lambda *words, **given: command(tmp_path, *words, **given)


@pytest.fixture
def word(tmp_path):
    """A host of a test's own, with the kind `word`; not started yet."""
    site = put(tmp_path / "site", "word", KIND)
    host = LiveHost(tmp_path, config=CONFIG, environment={"PYTHONPATH": str(site)})
    yield host
    host.stop()
