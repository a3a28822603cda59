"""Strategies that an administrator adds, changes and removes while the host runs: made by kinds, and kept."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar, cast
from weakref import WeakValueDictionary

from pydantic import BaseModel, ValidationError

from visado import errors
from visado.events import Change, StrategyChanged
from visado.plugins import calls
from visado.plugins.calls import call_plugin
from visado.request import Fields
from visado.security.logins.strategies import Strategies, check
from visado.security.observers import Observers
from visado.settings.loading import describe_errors
from visado.storage.protocol import Collection, Storage
from visado.storage.query import Query
from visado.strategy import Strategy, StrategyKind

T = TypeVar("T")

COLLECTION: Final = "strategies"
_PATIENCE: Final = 10.0
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_log = logging.getLogger("visado.strategies")


class AddedStrategies:
    """The strategies that the storage holds, beside those of the settings, and the kinds that they are made of.

    Kinds of plugins that are `off` make nothing.
    """

    def __init__(
        self,
        storage: Storage,
        strategies: Strategies,
        observers: Observers,
        unavailable: AbstractSet[str] = frozenset(),
    ) -> None:
        self._storage, self._strategies, self._observers, self._unavailable = (
            storage,
            strategies,
            observers,
            unavailable,
        )
        self._kinds: dict[str, tuple[StrategyKind, str]] = {}
        self._problems: dict[str, str] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        storage.declare(Collection(COLLECTION))

    def add(self, kind: Any, plugin: str) -> None:
        """Let strategies be made of a kind. Raises `TypeError` for what is none, `ValueError` where a name is taken."""
        if not isinstance(kind, StrategyKind):
            raise TypeError(f"a kind of strategy is needed, not {type(kind).__name__}")
        if not isinstance(getattr(kind, "name", None), str) or not _is_model(getattr(kind, "settings", None)):
            raise TypeError("a kind of strategy has a name, and a model of pydantic as its settings")
        other, of_plugin = self._kinds.setdefault(kind.name, (kind, plugin))
        if other is not kind:
            raise ValueError(f"the kind of strategy {kind.name!r} is declared by {of_plugin} and by {plugin}")

    @property
    def kinds(self) -> list[str]:
        """The names of the kinds."""
        return [name for name, (_, plugin) in self._kinds.items() if plugin not in self._unavailable]

    @property
    def problems(self) -> Mapping[str, str]:
        """The strategies that are kept and cannot be made, with the reason."""
        return self._problems

    async def open(self) -> None:
        """Make every strategy that is kept; one that cannot be made is left out, and the reason is told."""
        for name, row in (await self._storage.search(COLLECTION, Query())).hits:
            try:
                if name in self._strategies.names:
                    raise errors.StrategyExists(strategy=name)
                strategy, plugin = await self._begin(name, row["kind"], row["settings"], "open")
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
            problem = calls.get_problem(self._strategies.find(name))
        plugin = self._strategies.plugin_of(name) if name in self._strategies else None
        shown: Fields = {"kind": None, "plugin": plugin, "added": row is not None, "settings": None, "problem": problem}
        if row is not None:
            shown["kind"] = kind = row["kind"]
            with suppress(errors.VisadoError):
                shown["settings"] = await self._shown(kind, row["settings"])
        return shown

    async def _shown(self, kind: str, settings: Fields) -> Fields | None:
        found = self._kinds.get(kind)
        if found is None:
            return None
        return await _guarded(kind, lambda: _read(found[0], settings).model_dump(mode="json", exclude_unset=True))

    async def rehearse(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        """Make a strategy, open it and check that it would work. Raises `StrategyRejected`, and what it raises."""
        if not _NAME.fullmatch(name):
            raise errors.StrategyRejected(reason="a name has 1 to 64 letters, digits, dashes and underscores")
        if kind not in self.kinds:
            raise _unknown(kind, self.kinds)
        return await self._begin(name, kind, settings, "open", "check")

    async def _begin(self, name: str, kind: str, settings: Fields, *steps: str) -> tuple[Strategy, str]:
        strategy, plugin = await self._make(name, kind, settings)
        try:
            for step in steps:
                await self._call(strategy, step)
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
        async with self._alone(name):
            if name in self._strategies.names or await self._storage.get(COLLECTION, name) is not None:
                raise errors.StrategyExists(strategy=name)
            strategy, plugin = await self.rehearse(name, kind, settings)
            async with self._serving(strategy, plugin, "created"):
                await self._storage.create(COLLECTION, name, {"kind": kind, "settings": settings})

    async def update(self, name: str, changes: Fields) -> None:
        """Change members of a strategy's settings; null puts one back to its default.

        The old strategy serves until the new one is ready. Raises `StrategyDeclared`, and what `rehearse` raises.
        """
        async with self._alone(name):
            row = await self._row(name)
            if name in self._problems and name in self._strategies.names:
                raise errors.StrategyExists(strategy=name)
            settings = {key: value for key, value in {**row["settings"], **changes}.items() if value is not None}
            strategy, plugin = await self.rehearse(name, row["kind"], settings)
            async with self._serving(strategy, plugin, "updated"):
                await self._storage.update(COLLECTION, name, lambda before: {**before, "settings": settings})

    @asynccontextmanager
    async def _serving(self, strategy: Strategy, plugin: str, change: Change) -> AsyncGenerator[None]:
        """Let a strategy that is kept in the block serve as soon as it is kept, and no sooner.

        Nobody has to be there any more by then: a client may go away while its request is being answered.
        """
        name = strategy.name
        try:
            async with self._storage.transaction():
                yield
                self._observers.note(StrategyChanged(change=change, target=name))
                self._storage.after_commit(lambda: self._replace(strategy, plugin))
        except BaseException:
            if self._strategies.get(name) is not strategy:
                await self.dismiss(strategy)
            raise

    def _replace(self, strategy: Strategy, plugin: str) -> None:
        self._forget(strategy.name)
        self._strategies.add(strategy, plugin)

    async def delete(self, name: str) -> None:
        """Remove a strategy; credentials and tokens stay. Raises `StrategyDeclared`, `UnknownStrategy`."""
        async with self._alone(name):
            await self._row(name)
            async with self._storage.transaction():
                await self._storage.delete(COLLECTION, name)
                self._observers.note(StrategyChanged(change="deleted", target=name))
                self._storage.after_commit(lambda: self._forget(name))

    def _alone(self, name: str) -> asyncio.Lock:
        """Let changes of one strategy wait for each other."""
        return self._changing.setdefault(name, asyncio.Lock())

    def _forget(self, name: str) -> None:
        left_out = self._problems.pop(name, None) is not None  # the settings may have a strategy of its name
        if not left_out and name in self._strategies.names:
            self._strategies.remove(name)

    async def _row(self, name: str) -> Mapping[str, Any]:
        row = await self._storage.get(COLLECTION, name)
        if row is None:
            self._strategies.find(name)
            raise errors.StrategyDeclared(strategy=name)
        return row

    async def _make(self, name: str, kind: str, settings: Fields) -> tuple[Strategy, str]:
        """Make a strategy, whatever the plugin does. Raises `StrategyRejected`, `StrategyTimeout`, `PluginFailed`."""
        found = self._kinds.get(kind)
        if found is None:
            raise _unknown(kind, self.kinds)

        def make() -> Strategy:
            made: Any = found[0].make(name, _read(found[0], settings))
            check(made)
            if made.name != name:
                raise TypeError("it made a strategy of another name")
            return cast("Strategy", made)

        return await _guarded(kind, make), found[1]

    async def _call(self, strategy: Strategy, method: str) -> None:
        late = errors.StrategyTimeout(strategy=strategy.name, seconds=strategy.timeout)
        await call_plugin(f'the strategy "{strategy.name}"', strategy.timeout, getattr(strategy, method), late)


async def _guarded(kind: str, call: Callable[[], T]) -> T:
    async def called() -> T:
        return call()

    late = errors.StrategyTimeout(strategy=kind, seconds=_PATIENCE)
    return await call_plugin(f'the kind of strategy "{kind}"', _PATIENCE, called, late)


def _read(kind: StrategyKind, settings: Fields) -> Any:
    try:
        return kind.settings.model_validate(settings)
    except ValidationError as error:
        raise errors.StrategyRejected(reason="; ".join(describe_errors(error, "settings"))) from None


def _unknown(kind: str, known: list[str]) -> errors.StrategyRejected:
    listed = ", ".join(known) or "none is installed"
    return errors.StrategyRejected(reason=f"there is no kind of strategy {kind!r} ({listed})")


def _is_model(settings: Any) -> bool:
    return isinstance(settings, type) and issubclass(settings, BaseModel)
