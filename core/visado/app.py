"""The host, built in order: plugins, settings, storage, security, actions, ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from visado.controllers.building import build_table
from visado.host import Clock, now
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.plugins.discovery import discover, open_storage
from visado.plugins.manager import Plugin, Plugins
from visado.plugins.switching import Switches
from visado.plugins.watchdog import Watchdog
from visado.security.building import UNVERSIONED_COLLECTIONS, Security
from visado.security.users import names
from visado.settings.loading import Settings
from visado.storage.versions import Version, VersionedStorage
from visado.web.cache import ResponseCache
from visado.web.http import HttpEnd
from visado.web.mounts import Pages
from visado.web.websocket import WebSocketEnd


class Application:
    """A host, ready to be opened and served: `asgi` is the application."""

    def __init__(self, installed: Plugins, settings: Settings, clock: Clock = now) -> None:
        self.plugins, self.settings, self.clock = installed, settings, clock
        self.node = names.node_id()
        self.version = Version()
        self.storage = VersionedStorage(open_storage(installed, settings), self.version, UNVERSIONED_COLLECTIONS)
        installed.on_change.append(self.version.advance)
        self.security = Security(settings, self.storage, self.version, installed, clock, self._actions_of)
        self.switches = Switches(self.storage, installed, self.security.observers)
        self._lend()
        self.security.register()
        self._build_actions()
        self._build_ends()
        installed.check_required()

    def _lend(self) -> None:
        """Give callers of the application the parts of `security` by their short names."""
        security = self.security
        self.observers, self.roles, self.profiles, self.users = (
            security.observers,
            security.roles,
            security.profiles,
            security.users,
        )
        self.links, self.tokens, self.api_keys = security.connections, security.tokens, security.api_keys
        self.credentials, self.strategies = security.credentials, security.strategies
        self.added_strategies, self.challenges, self.logins = (
            security.added_strategies,
            security.challenges,
            security.logins,
        )
        self.access, self.accounts, self.lent = security.access, security.accounts, security.host

    def _actions_of(self, controller: str) -> frozenset[str] | None:
        return self.table.names(controller) if controller in self.table else None

    def _build_actions(self) -> None:
        self.metrics = Metrics()
        self.table = build_table(
            self.settings, self.clock, self.storage, self.security, self.plugins, self.switches, self.metrics
        )

    def _build_ends(self) -> None:
        self.pipeline = Pipeline(self.table, self.access, self.observers, self.settings, self.clock, self.metrics)
        self.answers = ResponseCache(self.pipeline, self.table, self.access, self.version, self.metrics)
        http = HttpEnd(self.pipeline, self.table, self.answers, self.settings, self.node)
        self._sockets = WebSocketEnd(self.pipeline, self.answers, self.links, self.settings, self.node)
        self.asgi: ASGIApp = _dispatch(http, self._sockets)
        pages = Pages(self.asgi, self.plugins.unavailable)

        def add_routes(plugin: Plugin, found: Iterable[BaseRoute]) -> None:
            pages.add_routes(plugin.name, new := list(found))
            plugin.note("route", [getattr(each, "path", "?") for each in new])

        def add_middleware(plugin: Plugin, found: Iterable[Middleware]) -> None:
            pages.add_middleware(plugin.name, new := list(found))
            plugin.note("middleware", [getattr(each.cls, "__name__", "?") for each in new])

        self.plugins.call("register_routes", add_routes, settings=self.settings, host=self.lent)
        self.plugins.call("register_middleware", add_middleware, settings=self.settings, host=self.lent)
        if pages:
            self.asgi = pages

    async def open(self) -> None:
        """Open the storage and load what is kept in memory. Raises `StorageError`."""
        await self.storage.open()
        await self.switches.open()
        await self.security.open()
        self.plugins.check_required()

    async def stop(self) -> None:
        """Take no new request, and let every socket finish."""
        self.pipeline.stopping = True
        await self._sockets.close()

    async def close(self) -> None:
        """Let go of everything."""
        await self.security.close()
        await self.storage.close()


def _dispatch(http: ASGIApp, sockets: ASGIApp) -> ASGIApp:
    async def end(scope: Scope, receive: Receive, send: Send) -> None:
        await (http if scope["type"] == "http" else sockets)(scope, receive, send)

    return end


def build(
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock = now,
    watchdog: Watchdog | None = None,
) -> Application:
    """Build a host from settings. Raises `SettingsError` and `StartError`, each with a text for the operator.

    With a watchdog, plugins that take too long are interrupted.
    """
    installed, read = discover(config=config, secrets=secrets, given=given, watchdog=watchdog)
    return Application(installed, read, clock)
