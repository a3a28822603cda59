"""The registry of strategies, by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Final, TypeVar

from typing_extensions import override

from visado import errors
from visado.request import Fields, Request
from visado.security.strategies.attempts import Admits, Attempt, Gate
from visado.security.strategies.identity_credentials import IdentityCredentials
from visado.security.strategies.limited_strategy import LimitedStrategy, check_strategy
from visado.security.users.credentials import Credentials
from visado.strategy import Fail, Identity, KeepsCredentials, Outcome, Pass, Strategy, Success, form_fields

T = TypeVar("T")
_log = logging.getLogger("visado.strategies")
MAX_HOPS: Final = 8
"""How many strategies may pass one login on to another by name."""
_asked: ContextVar[tuple[str, ...]] = ContextVar("visado_asked_strategies", default=())
"""The strategies that wait for another strategy in this task: a chain, and one that calls `attempt`."""


class Strategies(Mapping[str, Strategy]):
    """The strategies of the host by name, except those of unavailable plugins."""

    def __init__(self, credentials: Credentials, unavailable: AbstractSet[str] = frozenset()) -> None:
        self._credentials, self._unavailable = credentials, unavailable
        self._strategies: dict[str, LimitedStrategy] = {}
        self._identities: dict[str, KeepsCredentials] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.gates: list[Gate] = []
        """What each attempt passes, in this order, before its strategy works."""
        self.admits: Admits | None = None
        """Decides whether an identity may log in."""
        self.on_change: list[Callable[[], None]] = []
        """Called after a strategy was added or removed."""

    def add(self, strategy: Strategy, plugin: str = "") -> None:
        """Register a strategy of a plugin; the host's own has no plugin.

        Raises `TypeError` for an object that is no strategy, and `ValueError`, which names both, for a taken name.
        """
        check_strategy(strategy)
        own = strategy if isinstance(strategy, KeepsCredentials) else None
        added = LimitedStrategy(strategy, own or IdentityCredentials(strategy.name, self._credentials), plugin)
        other = self._strategies.setdefault(strategy.name, added).strategy
        if other is not strategy:
            raise ValueError(f"the strategy {strategy.name!r} is declared by {_class(other)} and by {_class(strategy)}")
        self._credentials.declare(strategy.name)
        self._changed()

    def drop(self, name: str) -> None:
        """Remove a strategy that was never opened. For the test kit, which replaces it."""
        del self._strategies[name]

    def remove(self, name: str) -> None:
        """Remove a strategy, and close it once no call of it runs."""
        task = asyncio.create_task(self._strategies.pop(name).close_when_idle())
        self._changed()
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _changed(self) -> None:
        for callback in self.on_change:
            callback()

    @override
    def __getitem__(self, name: str) -> Strategy:
        limited = self._strategies[name]
        if limited.plugin in self._unavailable:
            raise KeyError(name)
        return limited.strategy

    @override
    def __iter__(self) -> Iterator[str]:
        return (name for name, limited in self._strategies.items() if limited.plugin not in self._unavailable)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def taken_names(self) -> AbstractSet[str]:
        """The names of all strategies, including those of unavailable plugins."""
        return self._strategies.keys()

    def plugin_of(self, name: str) -> str:
        """Return the plugin of a strategy; empty for a chain."""
        return self._strategies[name].plugin

    def find(self, name: str) -> Strategy:
        """Return the strategy of a name. Raises `UnknownStrategy`."""
        return self._find(name).strategy

    def _find(self, name: str) -> LimitedStrategy:
        limited = self._strategies.get(name)
        if limited is None or limited.plugin in self._unavailable:
            raise errors.UnknownStrategy(strategy=name)
        return limited

    def names(self) -> tuple[str, ...]:
        """Return the names of the available strategies."""
        return tuple(self)

    def keep_identities(self, name: str) -> None:
        """Manage the identities of a token verifier: its users have credentials like those of a strategy."""
        self._credentials.declare(name)
        self._identities[name] = IdentityCredentials(name, self._credentials)

    def keeper(self, name: str) -> KeepsCredentials:
        """Return what manages the credentials of a strategy's users. Raises `UnknownStrategy`."""
        if name not in self._strategies and name in self._identities:
            return self._identities[name]
        return self._find(name).keeper

    def fields(self, name: str) -> tuple[str, ...]:
        """Return the names of the members of a strategy's credentials. Raises `UnknownStrategy`."""
        return form_fields(self.keeper(name).credentials_form)

    async def run(self, name: str, call: Callable[[Strategy], Awaitable[T]]) -> T:
        """Call a strategy within its time limit.

        Raises `UnknownStrategy`, and what `LimitedStrategy.call` raises.
        """
        limited = self._find(name)
        return await limited.call(lambda: call(limited.strategy))

    async def run_keeper(self, name: str, call: Callable[[KeepsCredentials], Awaitable[T]]) -> T:
        """Call what manages the credentials of a strategy's users, within the time limit of the strategy.

        Raises `UnknownStrategy`, and what `LimitedStrategy.call` raises.
        """
        keeper = self.keeper(name)
        if keeper is self._identities.get(name):  # the host's own: no plugin is called
            return await call(keeper)
        return await self._strategies[name].call(lambda: call(keeper))

    def reference(self, name: str, request: Request) -> str | None:
        """Return the reference of an earlier step that a request brings back to a strategy, or None.

        Raises `UnknownStrategy`, and what the strategy raises.
        """
        limited = self._find(name)
        return limited.read(limited.strategy.reference, request)

    async def ask(
        self, name: str, request: Request, state: Fields | None = None, *, needs_user: bool = False
    ) -> Attempt:
        """Ask a strategy, or the one to which it passes the login; with `state`, for a further step.

        With `needs_user`, an identity that may not log in is a `Fail`: chains and gates treat it like a wrong password,
        so that neither the time of a response nor a count of failed logins tells who has no user.

        Raises `UnknownStrategy`, `InvalidOutcome` for strategies that ask each other in a circle, what a gate raises,
        and what `LimitedStrategy.ask` raises.
        """
        waiting = _asked.get()
        for _ in range(MAX_HOPS):
            limited = self._find(name)
            if name in waiting:  # it would wait for itself, and hold one of its places each time
                break
            outer = _asked.set((*waiting, name))
            try:
                async with self._pass_gates(limited, request) as decided:
                    attempt = await limited.ask(request, state, needs_user=needs_user)
                    attempt = await self._check_user(attempt, needs_user=needs_user)
                    decided.append(attempt.outcome)
            finally:
                _asked.reset(outer)
            outcome = attempt.outcome
            if not isinstance(outcome, Pass) or outcome.to is None:
                return attempt
            name, state = outcome.to, None
        _log.error("strategies ask each other in a circle: %s", ", ".join((*waiting, name)))
        raise errors.InvalidOutcome(strategy=name)

    async def _check_user(self, attempt: Attempt, *, needs_user: bool) -> Attempt:
        """Return the attempt, or with `needs_user` a `Fail` for an identity that may not log in."""
        who = attempt.outcome.who if isinstance(attempt.outcome, Success) else None
        if needs_user and self.admits is not None and isinstance(who, Identity):
            try:
                await self.admits(attempt.strategy, who, self.find(attempt.strategy).accounts)
            except errors.LoginRefused as refusal:
                return replace(attempt, outcome=Fail(refusal.text))
        return attempt

    @asynccontextmanager
    async def _pass_gates(self, limited: LimitedStrategy, request: Request) -> AsyncGenerator[list[Outcome]]:
        """Enter every gate before the block; leave them after it, with the outcome that the block appends, if any."""
        name, entered, decided = limited.strategy.name, list[Gate](), list[Outcome]()
        subject = limited.read(limited.strategy.subject, request) if self.gates else None
        try:
            for gate in self.gates:
                await gate.enter(name, subject, request)
                entered.append(gate)
            yield decided
        finally:
            for gate in reversed(entered):
                await gate.leave(name, subject, request, decided[0] if decided else None)

    async def open(self, quarantine: Callable[[str, str], None]) -> None:
        """Open every strategy. `quarantine` is called with the plugin and the reason where one fails to open.

        Strategies of disabled plugins are opened too: the plugin can be enabled while the host runs.
        """
        for limited in list(self._strategies.values()):
            try:
                await limited.call(limited.strategy.open)
            except errors.VisadoError as error:
                quarantine(limited.plugin, error.text)

    async def close(self) -> None:
        """Close every strategy."""
        await asyncio.gather(*self._closing)
        for limited in self._strategies.values():
            await limited.close()


def _class(strategy: Strategy) -> str:
    return f"{type(strategy).__module__}.{type(strategy).__qualname__}"
