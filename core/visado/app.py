"""The application: `create_app` finds the plugins, reads the settings and builds every part, in order.

Owns the order of building, opening and closing. Does not own the parts: each drawer builds its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from visado.controllers.building import build_table
from visado.host import Clock, system_clock
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.plugins.loading import load_plugins, open_storage
from visado.plugins.manager import Plugins
from visado.plugins.switching import Switches
from visado.plugins.watchdog import Watchdog
from visado.security.building import UNVERSIONED_COLLECTIONS, Security
from visado.security.users import names
from visado.settings.loading import Settings
from visado.storage.versions import Version, VersionedStorage
from visado.web.authenticator import Authenticator
from visado.web.cache import ResponseCache
from visado.web.http import HttpEndpoint
from visado.web.mounts import Mounts
from visado.web.routes import ActionRoute, Routes, SocketRoute
from visado.web.websocket import WebSocketEndpoint
from visado.web.write import RAW_RESPONSE

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
_INTERNAL_ERROR: Final = 1011
_log = logging.getLogger("visado")


class Visado(Starlette):
    """The host as a Starlette application: any ASGI server runs it, any Starlette or FastAPI application mounts it.

    Its lifespan opens and closes it. Where no lifespan runs, such as below a `Mount`, the first request opens it.
    """

    def __init__(self, plugins: Plugins, settings: Settings, clock: Clock = system_clock) -> None:
        self.plugins, self.settings, self.clock, self.node = plugins, settings, clock, names.new_node_id()
        self.metrics, version = Metrics(), Version()
        self.storage = VersionedStorage(open_storage(plugins, settings), version, UNVERSIONED_COLLECTIONS)
        self.security = Security(settings, self.storage, version, plugins, clock, self._actions_of)
        self.switches = Switches(self.storage, plugins, self.security.observers)
        self.security.register()
        self.table = build_table(settings, clock, self.storage, self.security, plugins, self.switches, self.metrics)
        access, observers = self.security.access, self.security.observers
        access.is_open, access.is_personal = self.table.is_open, self.table.is_personal
        may_post = self.security.logins.expects_post
        self.pipeline = Pipeline(self.table, access, observers, settings, clock, self.metrics, may_post)
        self.cache = cache = ResponseCache(self.pipeline, self.table, access, version, self.metrics)
        routes = Routes(self.table)
        self._http = HttpEndpoint(self.pipeline, self.table, routes, cache, settings, self.node)
        self._sockets = WebSocketEndpoint(self.pipeline, cache, self.security.connections, settings, self.node, clock)
        super().__init__(exception_handlers={Exception: self._http.fail}, lifespan=lambda _: self.running())
        self.router.redirect_slashes = False
        self.router.default = self._http
        self._own_routes = [
            ActionRoute(self.table, routes, self._http),
            SocketRoute("/{path:path}", self._sockets),
        ]
        self._mounts = Mounts(plugins.unavailable)
        plugins.call("register_routes", self._mounts.add_routes, settings=settings, host=self.security.host)
        plugins.call("register_middleware", self._mounts.add_middleware, settings=settings, host=self.security.host)
        self._arrange()
        plugins.on_change += [version.advance, self._arrange]
        plugins.check_required()
        self.state.visado = Authenticator(self.pipeline, self.security, settings, self.open)
        self._is_open, self._lifespans, self._opening = False, 0, asyncio.Lock()

    def _actions_of(self, controller: str) -> frozenset[str] | None:
        return self.table.names(controller) if controller in self.table else None

    def _arrange(self) -> None:
        """Serve the routes and the middleware of the plugins that are available now, and the API behind them."""
        self.router.routes[:] = [*self._mounts.routes(), *self._own_routes]
        self._has_pages = len(self.router.routes) > len(self._own_routes)
        self.user_middleware = self._mounts.middleware()
        self.middleware_stack = None

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if not (self._is_open or self.pipeline.stopping or await self._open_at_request(scope, receive, send)):
                return
            if self.user_middleware:  # which wants to see each response
                scope["extensions"] = {**scope.get("extensions", {})}
                scope["extensions"].pop(RAW_RESPONSE, None)
            elif self._may_be_cached(scope) and await self._http.answer_from_cache(scope, receive, send):
                return
        await super().__call__(scope, receive, send)

    def _may_be_cached(self, scope: Scope) -> bool:
        """Return whether to ask the cache before routing: never with a body that may be for a page of a plugin."""
        return scope["type"] == "http" and (scope["method"] == "GET" or not self._has_pages)

    async def _open_at_request(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Open the host for the first request of a server that runs no lifespan. Return False where that fails."""
        try:
            await self.open()
        except Exception:
            _log.exception("the host cannot open")
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _INTERNAL_ERROR})
            else:
                await self._http.refuse(scope, receive, send)
            return False
        return True

    async def open(self) -> None:
        """Open the storage and every part, unless the host is open already. Raises `StorageError`, `StartError`."""
        async with self._opening:
            if self._is_open:
                return
            await self.storage.open()
            try:
                await self.switches.open()
                await self.security.open()
                self.plugins.check_required()
            except BaseException:
                await self._close()
                raise
            self._is_open, self.pipeline.stopping = True, False

    async def stop(self) -> None:
        """Refuse new requests, and let every WebSocket answer the requests that it has received."""
        self.pipeline.stopping = True
        await self._sockets.close()

    async def close(self) -> None:
        """Close every part, the storage last."""
        async with self._opening:
            await self._close()

    async def _close(self) -> None:
        self._is_open = False
        try:
            await self.security.close()
        finally:
            await self.storage.close()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open the host for the time of a block. Of blocks that overlap, the last one closes it."""
        self._lifespans += 1
        try:
            await self.open()
            yield
        finally:
            self._lifespans -= 1
            if self._is_open and not self._lifespans:
                await self.stop()
                await self.close()


def create_app(
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    clock: Clock = system_clock,
    watchdog: Watchdog | None = None,
) -> Visado:
    """Make the application from the installed plugins and the settings.

    `settings` are tables such as `{"server": {"data": "auth-data"}}`. They win over `VISADO_*` variables, the files of
    the folder `secrets`, and the TOML file `config`. With a `watchdog`, the host interrupts plugins that block it.

    Raises `SettingsError` and `StartError`; the text of each tells the operator what to do.
    """
    plugins, loaded = load_plugins(settings, config=config, secrets=secrets, watchdog=watchdog)
    return Visado(plugins, loaded, clock)


def lifespan(app: Visado, outer: Lifespan | None = None) -> Lifespan:
    """Return a lifespan for the application that mounts `app`: it opens the host before `outer`, and closes it after.

    `Starlette(routes=[Mount("/auth", auth)], lifespan=visado.lifespan(auth))`
    """

    @asynccontextmanager
    async def both(application: Any) -> AsyncGenerator[Any]:
        async with app.running():
            if outer is None:
                yield
            else:
                async with outer(application) as state:
                    yield state

    return both
