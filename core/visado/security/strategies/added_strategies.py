"""Strategies that administrators add, change and remove while the host runs. The storage holds their settings."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakValueDictionary

from visado import errors
from visado.events import Change, StrategyChanged
from visado.plugins.calls import call_plugin, get_problem
from visado.request import Fields
from visado.security.observers import Observers
from visado.security.strategies.strategies import Strategies
from visado.security.strategies.strategy_kinds import StrategyKinds
from visado.storage.protocol import Collection, Storage
from visado.storage.query import Query
from visado.strategy import Strategy

COLLECTION: Final = "strategies"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_log = logging.getLogger("visado.strategies")


class AddedStrategies:
    """The strategies of the storage, beside those that plugins register from the settings."""

    def __init__(self, storage: Storage, strategies: Strategies, kinds: StrategyKinds, observers: Observers) -> None:
        self._storage, self._strategies, self._kinds, self._observers = storage, strategies, kinds, observers
        self._problems: dict[str, str] = {}
        self._public: dict[str, tuple[str, Fields]] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        storage.declare(Collection(COLLECTION))

    @property
    def problems(self) -> Mapping[str, str]:
        """The added strategies that could not be built at the start, with the reasons."""
        return self._problems

    def find(self, kind: str, **settings: Any) -> tuple[str, ...]:
        """Return the names of the added strategies of a kind whose settings have these values; secrets have none."""
        return tuple(
            name
            for name, (own_kind, public) in self._public.items()
            if own_kind == kind and name in self._strategies and settings.items() <= public.items()
        )

    async def open(self) -> None:
        """Build and open every added strategy; where one fails, the reason is logged and in `problems`."""
        for name, document in (await self._storage.search(COLLECTION, Query())).hits:
            try:
                if name in self._strategies.taken_names:
                    raise errors.StrategyExists(strategy=name)
                strategy, plugin = await self._build_open(name, document["kind"], document["settings"])
                public = await self._kinds.public_settings(document["kind"], document["settings"])
            except errors.VisadoError as error:
                self._problems[name] = error.text
                _log.error("the strategy %r is left out: %s", name, error.text)
            else:
                self._strategies.add(strategy, plugin)
                self._public[name] = document["kind"], public

    async def describe(self, name: str) -> Fields:
        """Return `{kind, plugin, added, settings, problem}` of any strategy, secrets as asterisks.

        Raises `UnknownStrategy`.
        """
        document = await self._storage.get(COLLECTION, name)
        problem = self._problems.get(name)
        if problem is None:
            problem = get_problem(self._strategies.find(name))
        plugin = self._strategies.plugin_of(name) if name in self._strategies else None
        kind = document["kind"] if document is not None else None
        settings: Fields | None = None
        if document is not None:
            with suppress(errors.VisadoError):
                settings = await self._kinds.mask_settings(document["kind"], document["settings"])
        return {
            "kind": kind,
            "plugin": plugin,
            "added": document is not None,
            "settings": settings,
            "problem": problem,
        }

    async def validate(self, name: str, kind: str, settings: Fields) -> None:
        """Build a strategy, open it, check that a login could work, and close it.

        Raises `StrategyRejected` for an invalid name or kind, and what the strategy raises.
        """
        strategy, _ = await self._build_checked(name, kind, settings)
        await self._close(strategy)

    async def add(self, kind: str, name: str, settings: Fields) -> None:
        """Add a strategy, which the next request can use. Raises `StrategyExists`, and what `validate` raises."""
        async with self._lock(name):
            if name in self._strategies.taken_names or await self._storage.get(COLLECTION, name) is not None:
                raise errors.StrategyExists(strategy=name)
            strategy, plugin = await self._build_checked(name, kind, settings)
            async with self._replacing(strategy, plugin, "created", kind, settings):
                await self._storage.create(COLLECTION, name, {"kind": kind, "settings": settings})

    async def update(self, name: str, changes: Fields) -> None:
        """Change settings of a strategy; None resets a setting to its default.

        The old strategy works until the new one is open. Raises `UnknownStrategy`, `StrategyDeclared` for a strategy
        that comes from the settings, and what `validate` raises.
        """
        async with self._lock(name):
            document = await self._find(name)
            if name in self._problems and name in self._strategies.taken_names:
                raise errors.StrategyExists(strategy=name)
            merged = {**document["settings"], **changes}
            settings = {key: value for key, value in merged.items() if value is not None}
            strategy, plugin = await self._build_checked(name, document["kind"], settings)
            async with self._replacing(strategy, plugin, "updated", document["kind"], settings):
                await self._storage.update(COLLECTION, name, lambda before: {**before, "settings": settings})

    async def remove(self, name: str) -> None:
        """Remove a strategy; its credentials and tokens stay. Raises `UnknownStrategy`, `StrategyDeclared`."""
        async with self._lock(name):
            await self._find(name)
            async with self._storage.transaction():
                await self._storage.delete(COLLECTION, name)
                self._observers.note(StrategyChanged(change="deleted", target=name))
                self._storage.after_commit(lambda: self._remove(name))

    @asynccontextmanager
    async def _replacing(
        self, strategy: Strategy, plugin: str, change: Change, kind: str, settings: Fields
    ) -> AsyncGenerator[None]:
        """Replace the strategy in the registry when the transaction of the block commits; close it otherwise.

        The replacement is not awaited here: the task of the request may be cancelled after the commit.
        """
        name = strategy.name
        try:
            public = await self._kinds.public_settings(kind, settings)
            async with self._storage.transaction():
                yield
                self._observers.note(StrategyChanged(change=change, target=name))
                self._storage.after_commit(lambda: self._replace(strategy, plugin, kind, public))
        except BaseException:
            if self._strategies.get(name) is not strategy:
                await self._close(strategy)
            raise

    def _replace(self, strategy: Strategy, plugin: str, kind: str, public: Fields) -> None:
        self._remove(strategy.name)
        self._strategies.add(strategy, plugin)
        self._public[strategy.name] = kind, public

    def _remove(self, name: str) -> None:
        self._public.pop(name, None)
        was_left_out = self._problems.pop(name, None) is not None  # then the settings may have a strategy of the name
        if not was_left_out and name in self._strategies.taken_names:
            self._strategies.remove(name)

    def _lock(self, name: str) -> asyncio.Lock:
        """Return the lock that orders the changes of one strategy."""
        return self._changing.setdefault(name, asyncio.Lock())

    async def _find(self, name: str) -> Mapping[str, Any]:
        document = await self._storage.get(COLLECTION, name)
        if document is None:
            self._strategies.find(name)
            raise errors.StrategyDeclared(strategy=name)
        return document

    async def _build_open(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        strategy, plugin = await self._kinds.build(kind, name, settings)
        await self._call_or_close(strategy, strategy.open)
        return strategy, plugin

    async def _build_checked(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        if not _NAME.fullmatch(name):
            raise errors.StrategyRejected(reason="a name has 1 to 64 letters, digits, dashes and underscores")
        self._kinds.check_available(kind)
        strategy, plugin = await self._build_open(name, kind, settings)
        await self._call_or_close(strategy, strategy.check)
        return strategy, plugin

    async def _call_or_close(self, strategy: Strategy, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await _call(strategy, call)
        except BaseException:
            await self._close(strategy)
            raise

    async def _close(self, strategy: Strategy) -> None:
        with suppress(errors.VisadoError):  # it is in the log
            await _call(strategy, strategy.close)


async def _call(strategy: Strategy, call: Callable[[], Awaitable[None]]) -> None:
    timeout_error = errors.StrategyTimeout(strategy=strategy.name, seconds=strategy.timeout)
    await call_plugin(f'the strategy "{strategy.name}"', strategy.timeout, call, timeout_error)
