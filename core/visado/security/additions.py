"""Strategies that an administrator adds, changes and removes while the host runs: made by kinds, and kept."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import ValidationError

from visado import errors
from visado.events import StrategyChanged
from visado.query import Query
from visado.request import Fields
from visado.security.guard import guarded
from visado.security.observers import Observers
from visado.security.strategies import Strategies
from visado.settings import complaints
from visado.storage import Collection, Storage
from visado.strategy import Strategy, StrategyKind

COLLECTION: Final = "strategies"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_log = logging.getLogger("visado.strategies")


class Additions:
    """The strategies that the storage holds, beside those of the settings, and the kinds that they are made of."""

    def __init__(self, storage: Storage, strategies: Strategies, observers: Observers) -> None:
        self._storage, self._strategies, self._observers = storage, strategies, observers
        self._kinds: dict[str, tuple[StrategyKind, str]] = {}
        self._problems: dict[str, str] = {}
        self._changing = asyncio.Lock()
        storage.declare(Collection(COLLECTION))

    def add(self, kind: Any, plugin: str) -> None:
        """Let strategies be made of a kind. Raises `TypeError` for what is none, `ValueError` where a name is taken."""
        if not isinstance(kind, StrategyKind):
            raise TypeError(f"a kind of strategy is needed, not {type(kind).__name__}")
        other, of_plugin = self._kinds.setdefault(kind.name, (kind, plugin))
        if other is not kind:
            raise ValueError(f"the kind of strategy {kind.name!r} is declared by {of_plugin} and by {plugin}")

    @property
    def kinds(self) -> list[str]:
        """The names of the kinds."""
        return list(self._kinds)

    @property
    def problems(self) -> Mapping[str, str]:
        """The strategies that are kept and cannot be made, with the reason."""
        return self._problems

    async def open(self) -> None:
        """Make every strategy that is kept; one that cannot be made is left out, and the reason is told."""
        for name, row in (await self._storage.search(COLLECTION, Query())).hits:
            try:
                strategy, plugin = self._make(name, row["kind"], row["settings"])
                if name in self._strategies.names:
                    raise errors.StrategyExists(strategy=name)
                await self._call(strategy, "open")
            except errors.VisadoError as error:
                self._problems[name] = error.text
                _log.error("the strategy %r is left out: %s", name, error.text)
            else:
                self._strategies.add(strategy, plugin)

    async def find(self, name: str) -> Fields:
        """Show a strategy: `{kind, plugin, added, settings, problem}`, secrets as stars. Raises `UnknownStrategy`."""
        row = await self._storage.get(COLLECTION, name)
        problem = self._problems.get(name)
        if problem is None:
            problem = self._strategies.find(name).problem()
        plugin = self._strategies.plugin_of(name) if name in self._strategies else None
        shown: Fields = {"kind": None, "plugin": plugin, "added": row is not None, "settings": None, "problem": problem}
        if row is not None:
            shown["kind"] = row["kind"]
            with suppress(errors.VisadoError):
                shown["settings"] = self._read(row["kind"], row["settings"])[0].model_dump(
                    mode="json", exclude_unset=True
                )
        return shown

    async def rehearse(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        """Make a strategy, open it and check that it would work. Raises `StrategyRejected`, and what it raises."""
        if not _NAME.fullmatch(name):
            raise errors.StrategyRejected(reason="a name has 1 to 64 letters, digits, dashes and underscores")
        strategy, plugin = self._make(name, kind, settings)
        try:
            await self._call(strategy, "open")
            await self._call(strategy, "check")
        except BaseException:
            await self.dismiss(strategy)
            raise
        return strategy, plugin

    async def dismiss(self, strategy: Strategy) -> None:
        """Close a strategy that was rehearsed and is not kept."""
        with suppress(errors.VisadoError):
            await self._call(strategy, "close")

    async def create(self, name: str, kind: str, settings: Fields) -> None:
        """Add a strategy: the next request finds it. Raises `StrategyExists`, and what `rehearse` raises."""
        async with self._changing:
            if name in self._strategies.names or await self._storage.get(COLLECTION, name) is not None:
                raise errors.StrategyExists(strategy=name)
            strategy, plugin = await self.rehearse(name, kind, settings)
            try:
                async with self._storage.transaction():
                    await self._storage.create(COLLECTION, name, {"kind": kind, "settings": settings})
                    self._observers.note(StrategyChanged(change="created", target=name))
            except BaseException:
                await self.dismiss(strategy)
                raise
            self._strategies.add(strategy, plugin)

    async def update(self, name: str, changes: Fields) -> None:
        """Change members of a strategy's settings; null puts one back to its default.

        The old strategy serves until the new one is ready. Raises `StrategyDeclared`, and what `rehearse` raises.
        """
        async with self._changing:
            row = await self._row(name)
            settings = {key: value for key, value in {**row["settings"], **changes}.items() if value is not None}
            strategy, plugin = await self.rehearse(name, row["kind"], settings)
            try:
                async with self._storage.transaction():
                    await self._storage.update(COLLECTION, name, lambda before: {**before, "settings": settings})
                    self._observers.note(StrategyChanged(change="updated", target=name))
            except BaseException:
                await self.dismiss(strategy)
                raise
            self._forget(name)
            self._strategies.add(strategy, plugin)

    async def delete(self, name: str) -> None:
        """Remove a strategy; credentials and tokens stay. Raises `StrategyDeclared`, `UnknownStrategy`."""
        async with self._changing:
            await self._row(name)
            async with self._storage.transaction():
                await self._storage.delete(COLLECTION, name)
                self._observers.note(StrategyChanged(change="deleted", target=name))
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._problems.pop(name, None)
        if name in self._strategies.names:
            self._strategies.remove(name)

    async def _row(self, name: str) -> Mapping[str, Any]:
        row = await self._storage.get(COLLECTION, name)
        if row is None:
            self._strategies.find(name)
            raise errors.StrategyDeclared(strategy=name)
        return row

    def _make(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        read, plugin = self._read(kind, settings)
        try:
            strategy: Any = self._kinds[kind][0].make(name, read)
        except errors.VisadoError:
            raise
        except Exception:
            _log.exception("the strategy %r cannot be made", name)
            raise errors.PluginFailed(cause=f'the kind "{kind}" failed') from None
        if not isinstance(strategy, Strategy) or strategy.name != name:
            raise errors.PluginFailed(cause=f'the kind "{kind}" made no strategy of this name')
        return strategy, plugin

    def _read(self, kind: str, settings: Fields) -> tuple[Any, str]:
        found = self._kinds.get(kind)
        if found is None:
            known = ", ".join(self._kinds) or "none is installed"
            raise errors.StrategyRejected(reason=f"there is no kind of strategy {kind!r} ({known})")
        try:
            return found[0].settings.model_validate(settings), found[1]
        except ValidationError as error:
            raise errors.StrategyRejected(reason="; ".join(complaints(error, "settings"))) from None

    async def _call(self, strategy: Strategy, method: str) -> None:
        late = errors.StrategyTimeout(strategy=strategy.name, seconds=strategy.timeout)
        await guarded(f'the strategy "{strategy.name}"', strategy.timeout, getattr(strategy, method), late)
