"""The host, built in order: plugins, settings, storage, security, actions, ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from visado.controller import ActionTable, Controller
from visado.controllers import building
from visado.host import Clock, Host, now
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.plugins.discovery import discover, open_storage
from visado.plugins.manager import Plugin, Plugins, StartError
from visado.plugins.switching import Switches
from visado.plugins.watchdog import Watchdog
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.logins import challenges
from visado.security.logins.added_strategies import AddedStrategies
from visado.security.logins.chains import Chain
from visado.security.logins.challenges import Challenges
from visado.security.logins.checks import Logins
from visado.security.logins.strategies import Strategies
from visado.security.observers import Observers
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.security.tokens import tokens
from visado.security.tokens.api_keys import ApiKeys
from visado.security.tokens.connections import Connections
from visado.security.tokens.signing import Signer
from visado.security.tokens.tokens import Tokens
from visado.security.users import names
from visado.security.users.credentials import Credentials
from visado.security.users.users import Users
from visado.settings import sections
from visado.settings.loading import Settings
from visado.storage.versions import Version, VersionedStorage
from visado.web.cache import ResponseCache
from visado.web.http import HttpEnd
from visado.web.mounts import Pages
from visado.web.websocket import WebSocketEnd

_PURGE_EVERY: Final = 600.0
_log = logging.getLogger("visado")


class Registry(Protocol):
    """What takes the objects that plugins offer."""

    def add(self, offered: Any, plugin: str, /) -> None:
        """Take one. Raises `TypeError` for what is of another kind, `ValueError` where its name is taken."""
        ...


class Application:
    """A host, ready to be opened and served: `asgi` is the application."""

    def __init__(self, installed: Plugins, settings: Settings, clock: Clock = now) -> None:
        self.plugins, self.settings, self.clock = installed, settings, clock
        self.node = names.node_id()
        self.version = Version()
        unversioned = {tokens.COLLECTION, challenges.COLLECTION}
        self.storage = VersionedStorage(open_storage(installed, settings), self.version, unversioned)
        installed.on_switch.append(self.version.advance)
        self._build_security()
        self._ask_plugins()
        self._build_actions()
        self._build_ends()
        installed.check_required()
        self._purging: asyncio.Task[None] | None = None

    def _build_security(self) -> None:
        security = self.settings[sections.SecuritySection]
        rights = self.settings[sections.RightsSection]
        storage, clock, plugins = self.storage, self.clock, self.plugins
        self.observers = observers = Observers(storage, plugins.unavailable, plugins.disabled)
        self.roles = Roles(storage, clock, self._known, observers)
        self.profiles = Profiles(storage, clock, self.roles, lambda index: _set(rights.indexes.get(index)), observers)
        self.users = Users(storage, clock, self.profiles, observers)
        self.links = Connections(clock)
        self._signer = signer = Signer(security.token, self.settings[sections.ServerSection].data)
        self.tokens = Tokens(storage, clock, signer, security.token, self.links, observers)
        self.api_keys = ApiKeys(storage, clock, signer, self.tokens, observers)
        self.credentials = Credentials(storage, observers)
        self.strategies = Strategies(self.users, self.credentials, observers, self.version, plugins.unavailable)
        self.strategies.on_change.append(self.version.advance)
        self.added_strategies = AddedStrategies(storage, self.strategies, observers, plugins.unavailable)
        self.challenges = Challenges(storage, clock)
        self.tokens.on_revoke.append(self.challenges.forget)
        self.logins = Logins(self.users, self.tokens, self.challenges, observers, plugins.unavailable, plugins.disabled)
        self.users.on_delete.append(self.logins.forget)
        self.access = Access(self.users, self.profiles, self.tokens, self.api_keys, security.open_bootstrap)
        self.accounts = Accounts(storage, self.users, self.strategies, self.tokens, self.api_keys)
        self.switches = Switches(storage, plugins, observers)

    def _ask_plugins(self) -> None:
        self.lent = Host(
            storage=self.storage,
            users=self.users,
            credentials=self.credentials,
            tokens=self.tokens,
            logins=self.logins,
            strategies=self.strategies,
            events=self.observers,
            clock=self.clock,
        )
        lent = {"settings": self.settings, "host": self.lent}
        self.plugins.call("register_strategies", self._taking("strategy", self.strategies), **lent)
        self._add_chains()
        self.plugins.call("register_strategy_kinds", self._taking("kind", self.added_strategies), **lent)
        self.plugins.call("register_login_checks", self._taking("login check", self.logins), **lent)
        self.plugins.call("register_observers", self._taking("observer", self.observers), **lent)

    def _taking(self, what: str, registry: Registry) -> Callable[[Plugin, Iterable[Any]], None]:
        """Let a registry take what a plugin offers."""

        def take(plugin: Plugin, found: Iterable[Any]) -> None:
            for each in list(found):  # a plugin that fails halfway brings nothing
                try:
                    registry.add(each, plugin.name)
                except ValueError as error:
                    raise StartError(str(error)) from None
                plugin.note(what, [getattr(each, "name", type(each).__name__)])

        return take

    def _known(self, controller: str) -> tuple[frozenset[str], bool] | None:
        if controller in self.table:
            return self.table.names(controller), True
        names = self.settings[sections.RightsSection].resources.get(controller)
        return None if names is None else (frozenset(names), False)

    def _add_chains(self) -> None:
        for name, chain in self.settings[sections.ChainSection].chains.items():
            try:
                self.strategies.add(Chain(name, chain.strategies, self.strategies))
            except ValueError as error:
                raise StartError(f"chain.{name}: {error}") from None

    def _build_actions(self) -> None:
        self.metrics = Metrics()
        controllers = building.build(
            building.Parts(
                settings=self.settings,
                clock=self.clock,
                storage=self.storage,
                access=self.access,
                accounts=self.accounts,
                roles=self.roles,
                strategies=self.strategies,
                added_strategies=self.added_strategies,
                logins=self.logins,
                observers=self.observers,
                plugins=self.plugins,
                switches=self.switches,
                metrics=self.metrics,
                table=lambda: self.table,
            )
        )

        def add(plugin: Plugin, found: Iterable[Controller]) -> None:
            new = list(found)
            for each in new:
                each.plugin = plugin.name
            plugin.note("action", [each.id for controller in new for each in controller.actions()])
            controllers.extend(new)

        self.plugins.call("register_controllers", add, settings=self.settings, host=self.lent)
        try:
            self.table = ActionTable(controllers, self.plugins.unavailable)
        except ValueError as error:
            raise StartError(str(error)) from None

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
        self._signer.open()
        await self.switches.open()
        await self.observers.open(self._quarantine)
        await self.roles.open()
        await self.profiles.open()
        await self.credentials.open()
        await self.strategies.open(self._quarantine)
        await self.added_strategies.open()
        await self.logins.open(self._quarantine)
        self.plugins.check_required()
        self._purging = asyncio.create_task(self._purge())

    def _quarantine(self, plugin: str, reason: str) -> None:
        """Go on without a plugin that cannot begin."""
        if not plugin:
            raise StartError(reason)
        self.plugins.fail(plugin, reason)

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


def _set(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def build(
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock = now,
    watchdog: Watchdog | None = None,
) -> Application:
    """Build a host from settings. Raises `SettingsError` and `StartError`, each with a text for the operator.

    With an watchdog, plugins that take too long are interrupted.
    """
    installed, read = discover(config=config, secrets=secrets, given=given, watchdog=watchdog)
    return Application(installed, read, clock)
