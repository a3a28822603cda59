"""The host, built in order: plugins, settings, storage, security, actions, ends."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from visado import errors, openapi, plugins, sections, settings
from visado.checks import LoginCheck
from visado.controller import ActionTable, Controller
from visado.controllers.admin import AdminController
from visado.controllers.api_keys import ApiKeysController
from visado.controllers.auth import AuthController
from visado.controllers.credentials import CredentialsController
from visado.controllers.own import OwnController
from visado.controllers.profiles import ProfilesController
from visado.controllers.roles import RolesController
from visado.controllers.searches import Searches
from visado.controllers.server import ServerController
from visado.controllers.users import UsersController
from visado.events import Observer
from visado.http import HttpEnd
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.plugins import Plugin, Plugins, StartError
from visado.request import Fields
from visado.security import documents, names
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.api_keys import ApiKeys
from visado.security.chains import Chain
from visado.security.challenges import Challenges
from visado.security.credentials import Credentials
from visado.security.documents import Clock
from visado.security.links import Links
from visado.security.logins import Logins
from visado.security.mappings import Mappings
from visado.security.observers import Observers
from visado.security.profiles import Profiles
from visado.security.roles import Roles
from visado.security.signing import Signer
from visado.security.strategies import Strategies
from visado.security.tokens import Tokens
from visado.security.users import Users
from visado.settings import Section, Settings
from visado.storage import Storage
from visado.strategy import Strategy
from visado.websocket import WebSocketEnd

_PURGE_EVERY: Final = 600.0
_log = logging.getLogger("visado")


class Host:
    """A host, ready to be opened and served: `asgi` is the application."""

    def __init__(self, installed: Plugins, settings: Settings, clock: Clock = documents.now) -> None:
        self.plugins, self.settings, self.clock = installed, settings, clock
        self.node = names.node_id()
        self.storage = _storage(installed, settings)
        self._build_security()
        self._build_actions()
        self._build_ends()
        installed.check_required()
        self._purging: asyncio.Task[None] | None = None

    def _build_security(self) -> None:
        security = self.settings[sections.SecuritySection]
        rights = self.settings[sections.RightsSection]
        storage, clock = self.storage, self.clock
        self.observers = observers = Observers(storage)
        self.roles = Roles(storage, clock, self._known, observers)
        self.profiles = Profiles(storage, clock, self.roles, lambda index: _set(rights.indexes.get(index)), observers)
        self.users = Users(storage, clock, self.profiles, observers)
        self.links = Links(clock)
        self._signer = signer = Signer(security.token, self.settings[sections.ServerSection].data)
        self.tokens = Tokens(storage, clock, signer, security.token, self.links)
        self.api_keys = ApiKeys(storage, clock, signer, self.tokens, observers)
        self.credentials = Credentials(storage, observers)
        self.mappings = Mappings(storage)
        self.strategies = Strategies(self.users, self.credentials, observers)
        self.challenges = Challenges(storage, clock)
        self.tokens.on_revoke.append(self.challenges.forget)
        self.logins = Logins(self.users, self.tokens, self.challenges, observers)
        self.users.on_delete.append(self.logins.forget)
        self._brought: list[tuple[Plugin, str]] = []
        self.plugins.call("register_strategies", self._add_strategies, **self._lent())
        self.plugins.call("register_login_checks", self._add_checks, **self._lent())
        self.plugins.call("register_observers", self._add_observers, settings=self.settings, storage=storage)
        self._add_chains()
        self.access = Access(self.users, self.profiles, self.tokens, self.api_keys, security.open_bootstrap)
        self.accounts = Accounts(storage, self.users, self.strategies, self.tokens, self.api_keys)

    def _lent(self) -> Mapping[str, Any]:
        """Gather what plugins may ask for, by name."""
        return {
            "settings": self.settings,
            "storage": self.storage,
            "users": self.users,
            "credentials": self.credentials,
            "tokens": self.tokens,
            "events": self.observers,
        }

    def _known(self, controller: str) -> tuple[frozenset[str], bool] | None:
        if controller in self.table:
            return self.table.names(controller), True
        names = self.settings[sections.RightsSection].resources.get(controller)
        return None if names is None else (frozenset(names), False)

    def _add_strategies(self, plugin: Plugin, found: Iterable[Strategy]) -> None:
        for strategy in list(found):  # a plugin that fails halfway brings nothing
            try:
                self.strategies.add(strategy)
            except ValueError as error:
                raise StartError(str(error)) from None
            plugin.note("strategy", [strategy.name])
            self._brought.append((plugin, strategy.name))

    def _add_checks(self, plugin: Plugin, found: Iterable[LoginCheck]) -> None:
        for check in list(found):
            try:
                self.logins.add(check)
            except ValueError as error:
                raise StartError(str(error)) from None
            plugin.note("login check", [check.name])

    def _add_observers(self, plugin: Plugin, found: Iterable[Observer]) -> None:
        for observer in list(found):
            self.observers.add(plugin.name, observer)
            plugin.note("observer", [type(observer).__name__])

    def _add_chains(self) -> None:
        for name, chain in self.settings[sections.ChainSection].chains.items():
            try:
                self.strategies.add(Chain(name, chain.strategies, self.strategies))
            except ValueError as error:
                raise StartError(f"chain.{name}: {error}") from None

    def _build_actions(self) -> None:
        self.metrics = Metrics()
        controllers = self._own_controllers()

        def add(plugin: Plugin, found: Iterable[Controller]) -> None:
            new = list(found)
            plugin.note("action", [each.id for controller in new for each in controller.actions()])
            controllers.extend(new)

        self.plugins.call("register_controllers", add, **self._lent(), logins=self.logins, strategies=self.strategies)
        for plugin, name in self._brought:
            if plugin.state != "active":
                self.strategies.drop(name)
        try:
            self.table = ActionTable(controllers)
        except ValueError as error:
            raise StartError(str(error)) from None
        self._described: Fields | None = None

    def _own_controllers(self) -> list[Controller]:
        limits, security = self.settings[sections.LimitsSection], self.settings[sections.SecuritySection]
        searches = Searches(self.clock, limits.fetch_count)
        users, profiles, roles, strategies = self.users, self.profiles, self.roles, self.strategies
        storage, most = self.storage, limits.write_count
        return [
            AuthController(self.access, strategies, self.logins, self.observers),
            OwnController(strategies, self.api_keys, searches, security.api_key_max_ttl),
            UsersController(
                storage,
                self.access,
                self.accounts,
                roles,
                strategies,
                self.mappings,
                searches,
                self.observers,
                security.restricted_profile_ids,
                most,
            ),
            ProfilesController(profiles, users, self.mappings, searches, most),
            RolesController(roles, profiles, self.mappings, searches, most),
            CredentialsController(users, strategies, searches),
            ApiKeysController(self.api_keys, users, searches),
            self._server_controller(),
            AdminController(self.accounts, users, profiles, roles),
        ]

    def _server_controller(self) -> ServerController:
        return ServerController(
            self.users,
            self.strategies,
            self.storage,
            self.plugins,
            self.settings,
            self.clock,
            self.metrics,
            lambda: self.table,
            self.describe,
        )

    def describe(self) -> Fields:
        """Describe every action as OpenAPI: made once, when it is first asked for."""
        if self._described is None:
            self._described = openapi.document(self.table)
        return self._described

    def _build_ends(self) -> None:
        self.pipeline = Pipeline(self.table, self.access, self.observers, self.settings, self.clock, self.metrics)
        http = HttpEnd(self.pipeline, self.table, self.settings, self.node)
        self._sockets = WebSocketEnd(self.pipeline, self.links, self.settings, self.node)
        routes: list[BaseRoute] = []
        middleware: list[Middleware] = []

        def add_routes(plugin: Plugin, found: Iterable[BaseRoute]) -> None:
            routes.extend(new := list(found))
            plugin.note("route", [getattr(each, "path", "?") for each in new])

        def add_middleware(plugin: Plugin, found: Iterable[Middleware]) -> None:
            middleware.extend(new := list(found))
            plugin.note("middleware", [getattr(each.cls, "__name__", "?") for each in new])

        self.plugins.call("register_routes", add_routes, settings=self.settings)
        self.plugins.call("register_middleware", add_middleware, settings=self.settings)
        self.asgi: ASGIApp = _dispatch(http, self._sockets)
        if routes or middleware:
            self.asgi = _with_pages(self.asgi, routes, middleware)

    async def open(self) -> None:
        """Open the storage and load what is kept in memory. Raises `StorageError`."""
        await self.storage.open()
        self._signer.open()
        await self.observers.open()
        await self.roles.open()
        await self.profiles.open()
        try:
            await self.strategies.open()
            await self.logins.open()
        except errors.VisadoError as error:
            raise StartError(error.text) from None
        self._purging = asyncio.create_task(self._purge())

    async def _purge(self) -> None:
        while True:
            try:
                await self.tokens.purge()
                await self.challenges.purge()
            except Exception:
                _log.exception("ended tokens and challenges could not be purged")
            await asyncio.sleep(_PURGE_EVERY)

    async def stop(self) -> None:
        """Take no new request, and let every socket finish."""
        self.pipeline.stopping = True
        await self._sockets.close()

    async def close(self) -> None:
        """Let go of everything."""
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.gather(self._purging, return_exceptions=True)
        await self.strategies.close()
        await self.logins.close()
        await self.observers.close()
        await self.storage.close()


def _dispatch(http: ASGIApp, sockets: ASGIApp) -> ASGIApp:
    async def end(scope: Scope, receive: Receive, send: Send) -> None:
        await (http if scope["type"] == "http" else sockets)(scope, receive, send)

    return end


def _with_pages(api: ASGIApp, routes: list[BaseRoute], middleware: list[Middleware]) -> ASGIApp:
    """Put the pages of plugins before the API, and their middleware around everything."""
    pages = Starlette(routes=routes, middleware=middleware)
    router: Router = pages.router
    router.redirect_slashes = False
    router.default = api
    return pages


def _storage(installed: Plugins, settings: Settings) -> Storage:
    found: list[Storage] = []

    def take(plugin: Plugin, storage: Storage | None) -> None:
        if storage is not None:
            plugin.note("storage", [settings[sections.StorageSection].url])
            found.append(storage)

    installed.call("open_storage", take, settings=settings)
    if len(found) != 1:
        url, how = settings[sections.StorageSection].url, "no plugin opens" if not found else "two plugins open"
        raise StartError(f"storage.url: {how} {url!r}")
    return found[0]


def _set(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def discover(
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Plugins, Settings]:
    """Find the plugins, and read the settings of all. Raises `SettingsError`, `StartError`."""
    first = settings.load([sections.PluginsSection], config=config, secrets=secrets, given=given, rest="ignore")
    installed = plugins.discover(first[sections.PluginsSection])
    declared: list[type[Section]] = [*sections.SECTIONS]

    def take(plugin: Plugin, section: Any) -> None:
        if not (inspect.isclass(section) and issubclass(section, Section)):
            raise TypeError(f"register_settings returns a Section, not {type(section).__name__}")
        plugin.note("settings", [f"[{section.name}]"])
        declared.append(section)

    installed.call("register_settings", take)
    away = [plugin.name for plugin in installed if plugin.state != "active"]  # their tables do no harm
    return installed, settings.load(declared, config=config, secrets=secrets, given=given, away=away)


def build(
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock = documents.now,
) -> Host:
    """Build a host from settings. Raises `SettingsError` and `StartError`, each with a text for the operator."""
    installed, read = discover(config=config, secrets=secrets, given=given)
    return Host(installed, read, clock)
