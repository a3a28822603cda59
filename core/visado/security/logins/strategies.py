"""The registry of strategies, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, assert_never

from typing_extensions import override

from visado import errors
from visado.request import Request, User
from visado.security.logins.limited_strategy import LimitedStrategy, check_strategy
from visado.security.users.credentials import Credentials
from visado.security.users.users import Users
from visado.strategy import Fail, Outcome, Pass, Redirect, Strategy, Success

T = TypeVar("T")


class Strategies(Mapping[str, Strategy]):
    """The strategies of the host by name, except those of unavailable plugins."""

    def __init__(self, users: Users, credentials: Credentials, unavailable: AbstractSet[str] = frozenset()) -> None:
        self._users, self._credentials, self._unavailable = users, credentials, unavailable
        self._strategies: dict[str, LimitedStrategy] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.on_change: list[Callable[[], None]] = []
        """Called after a strategy was added or removed."""

    def add(self, strategy: Strategy, plugin: str = "") -> None:
        """Register a strategy of a plugin; the host's own has no plugin.

        Raises `TypeError` for an object that is no strategy, and `ValueError`, which names both, for a taken name.
        """
        check_strategy(strategy)
        added = LimitedStrategy(strategy, plugin)
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

    async def run(self, name: str, call: Callable[[Strategy], Awaitable[T]]) -> T:
        """Call a strategy within its time limit.

        Raises `UnknownStrategy`, and what `LimitedStrategy.call` raises.
        """
        limited = self._find(name)
        return await limited.call(lambda: call(limited.strategy))

    async def authenticate(self, name: str, request: Request) -> tuple[User, Success] | Redirect:
        """Log in with a strategy: return the user and the outcome, or where to redirect the client.

        Raises `LoginRefused`, `InvalidUserId`, `UnknownUserId`, and what `attempt` raises.
        """
        outcome = await self._find(name).authenticate(request)
        match outcome:
            case Success(user_id):
                return await self._user(name, user_id), outcome
            case Redirect():
                return outcome
            case Fail(reason, set_cookies):
                refusal = errors.LoginRefused(reason=str(reason))
                refusal.cookies = set_cookies
                raise refusal
            case Pass():
                raise errors.LoginRefused(reason="Missing credentials")
            case _:
                assert_never(outcome)

    async def attempt(self, name: str, request: Request) -> Outcome:
        """Return the outcome of a strategy as it is, for a chain.

        Raises `UnknownStrategy`, and what `LimitedStrategy.authenticate` raises.
        """
        return await self._find(name).authenticate(request)

    async def _user(self, name: str, user_id: Any) -> User:
        if type(user_id) is not str or not user_id:
            raise errors.InvalidUserId(strategy=name, kind=type(user_id).__name__)
        user = await self._users.get(user_id)
        if user is None:
            raise errors.UnknownUserId(strategy=name)
        return user

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
