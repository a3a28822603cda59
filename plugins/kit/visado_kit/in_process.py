"""A host in the process of the test, built as `visado serve` builds it.

The only module of the kit that uses inner modules of the host to build one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from visado import Fields, LoginCheck, Observer, Request, Strategy, TokenVerifier
from visado.app import Visado, create_app
from visado.request import set_current
from visado.response import Response
from visado.storage import Collection, Document
from visado.storage.query import Query
from visado.tinydb import TinyStorage
from visado_kit.client_request import ClientRequest, build_request
from visado_kit.clock import system_time

__all__ = ["InProcessHost", "Response", "build_host", "dump_documents", "load_documents", "run_in_request"]

T = TypeVar("T")


class InProcessHost:
    """A host in the process of the test: `settings`, and the parts of `visado.Host` under the same names.

    `strategies`, `login_checks`, `token_verifiers` and `observers` hold what the installed plugins have registered:
    `host.strategies["mine"]`, and iterations over login checks, over token verifiers, and over pairs of a plugin's name
    and an observer.
    """

    def __init__(self, app: Visado) -> None:
        self.app = app
        self.settings, self.clock, self.storage = app.settings, app.clock, app.storage
        self.security = security = app.security
        self.users, self.credentials, self.tokens = security.users, security.credentials, security.tokens
        self.strategies, self.login_checks, self.observers = (
            security.strategies,
            security.login_checks,
            security.observers,
        )
        self.logins, self.token_verifiers = security.logins, security.token_verifiers

    async def open(self) -> None:
        """Open the storage and the parts of every plugin."""
        await self.app.open()

    async def run(
        self,
        action: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Response:
        """Run an action, such as `auth:login`, through the host's pipeline as a local client; return the response.

        `token` is the text of its bearer token. `headers` are further headers, by their lower-case names.
        """
        return await self.send(ClientRequest(body, arguments, headers or {}, token=token), action)

    async def send(self, sent: ClientRequest, action: str) -> Response:
        """Run an action through the host's pipeline with what a client sends; return the response."""
        return await self._run(build_request(sent, action=action))

    async def log_in(self, sent: object, strategy: str) -> Response:
        """Log in with a strategy through the host's pipeline; `sent` is a `ClientRequest`, or the body alone."""
        return await self._run(build_request(sent, args={"strategy": strategy}))

    async def _run(self, request: Request) -> Response:
        async def decode() -> Request:
            return request

        async def respond() -> Response:
            return await self.app.pipeline.run(decode())

        return await asyncio.create_task(respond())  # each request has a context of its own

    async def create_user(self, number: int = 0) -> str:
        """Create the user `kuid-of-user-NUMBER` with the profile `default`; return the id."""
        return (await self.users.create({"profileIds": ["default"]}, f"kuid-of-user-{number}")).id

    def replace_strategy(self, strategy: Strategy) -> None:
        """Register a strategy in the place of the host's own of the same name, before the host is open."""
        installed = self.strategies.get(strategy.name)
        if installed is strategy:
            return
        if installed is not None:
            self.strategies.drop(strategy.name)
        self.strategies.add(strategy)

    def replace_login_check(self, check: LoginCheck) -> None:
        """Register a login check in the place of the host's own of the same name, before the host is open."""
        self.login_checks.drop(check.name)
        self.login_checks.add(check)

    def replace_token_verifier(self, verifier: TokenVerifier) -> None:
        """Register a token verifier in the place of the host's own of the same name, before the host is open."""
        self.token_verifiers.drop(verifier.name)
        self.token_verifiers.add(verifier)

    def add_observer(self, observer: Observer) -> None:
        """Register an observer, unless it is the host's own, before the host is open."""
        if all(each is not observer for _, each in self.observers):
            self.observers.add(observer=observer, plugin="under-test")


@asynccontextmanager
async def build_host(
    folder: Path, settings: Mapping[str, Fields], clock: Callable[[], int] = system_time
) -> AsyncGenerator[InProcessHost, None]:
    """Build a host that stores its data in `folder`, and close it after the block.

    The block opens it, once everything is registered: `await host.open()`. `settings` are by section, such as
    `{"security": {"preset": "strict"}}`. `clock` returns the time in ms since 1970, as `Clock` does. Raises
    `SettingsError` and `StartError`.
    """
    app = create_app({"server": {"data": str(folder)}, "storage": {"url": "tinydb:"}, **settings}, clock=clock)
    try:
        yield InProcessHost(app)
    finally:
        await app.close()


async def run_in_request(request: Request, call: Callable[[], Awaitable[T]]) -> T:
    """Await a call as the host does during a request: `visado.current_request()` returns it."""

    async def work() -> T:
        set_current(request)
        return await call()

    return await asyncio.create_task(work())  # with a context of its own


async def dump_documents(host: InProcessHost) -> Mapping[str, Mapping[str, Document]]:
    """Return every stored document by its collection and its id."""
    storage = host.app.storage.inner
    assert isinstance(storage, TinyStorage), "build_host() stores documents in its folder"
    return {name: dict((await storage.search(name, Query())).hits) for name in storage.collections}


def load_documents(folder: Path, documents: Mapping[str, Mapping[str, Document]]) -> None:
    """Write what `dump_documents` returned into the data folder of a host that is not running."""

    async def write() -> None:
        storage = TinyStorage(folder)
        for collection in documents:
            storage.declare(Collection(collection))
        await storage.open()
        try:
            async with storage.transaction():
                for collection, by_id in documents.items():
                    for id_, document in by_id.items():
                        await storage.create(collection, id_, document)
        finally:
            await storage.close()

    asyncio.run(write())
