"""The strategies, by name, each behind its limits: one that hangs or fails harms nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar, assert_never

from typing_extensions import override

from visado import errors, wire
from visado.events import CredentialsChanged
from visado.request import Fields, Request, User
from visado.security.credentials import Credentials
from visado.security.guard import guarded
from visado.security.observers import Observers
from visado.security.users import Users
from visado.strategy import Fail, Outcome, Pass, Redirect, Strategy, Success
from visado.values import are_header_texts, is_object

T = TypeVar("T")
_MOST = 1_000_000
_log = logging.getLogger("visado.strategies")


class Strategies(Mapping[str, Strategy]):
    """Every way to log in."""

    def __init__(self, users: Users, credentials: Credentials, observers: Observers) -> None:
        self._users, self._credentials, self._observers = users, credentials, observers
        self._strategies: dict[str, Strategy] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    def add(self, strategy: Strategy) -> None:
        """Register a strategy. Raises `TypeError` for what is none, `ValueError` naming both where a name is taken."""
        _check(strategy)
        other = self._strategies.setdefault(strategy.name, strategy)
        if other is not strategy:
            raise ValueError(f"the strategy {strategy.name!r} is declared by {_place(other)} and by {_place(strategy)}")
        self._places[strategy.name] = asyncio.Semaphore(strategy.concurrency)
        self._credentials.declare(strategy.name)

    def drop(self, name: str) -> None:
        """Forget a strategy: what it came with does not work."""
        del self._strategies[name]

    @override
    def __getitem__(self, name: str) -> Strategy:
        return self._strategies[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._strategies)

    @override
    def __len__(self) -> int:
        return len(self._strategies)

    def find(self, name: str) -> Strategy:
        """The strategy of this name. Raises `UnknownStrategy`."""
        strategy = self._strategies.get(name)
        if strategy is None:
            raise errors.UnknownStrategy(strategy=name)
        return strategy

    async def run(self, name: str, call: Callable[[Strategy], Awaitable[T]]) -> T:
        """Ask a strategy something, within its time limit.

        Raises what it raises of `visado.errors`, `StrategyTimeout`, and `PluginFailed` for anything else.
        """
        strategy = self.find(name)
        late = errors.StrategyTimeout(strategy=name, seconds=strategy.timeout)
        return await guarded(f'the strategy "{name}"', strategy.timeout, lambda: call(strategy), late)

    async def create(self, name: str, user_id: str, fields: Fields) -> Fields:
        """Give a user credentials that the strategy agrees to. Raises what `run` raises."""
        await self.run(name, lambda each: each.validate(user_id, fields, update=False))
        shown = await self.run(name, lambda each: each.create(user_id, fields))
        self._observers.note(CredentialsChanged(change="created", target=user_id, strategy=name))
        return shown

    async def update(self, name: str, user_id: str, fields: Fields) -> Fields:
        """Change a user's credentials in a way that the strategy agrees to. Raises what `run` raises."""
        await self.run(name, lambda each: each.validate(user_id, fields, update=True))
        shown = await self.run(name, lambda each: each.update(user_id, fields))
        self._observers.note(CredentialsChanged(change="updated", target=user_id, strategy=name))
        return shown

    async def delete(self, name: str, user_id: str) -> None:
        """Take a user's credentials of a strategy. Raises what `run` raises."""
        await self.run(name, lambda each: each.delete(user_id))
        self._observers.note(CredentialsChanged(change="deleted", target=user_id, strategy=name))

    async def authenticate(self, name: str, request: Request) -> tuple[User, Success] | Redirect:
        """Let a strategy find out who asks. Raises `LoginRefused`, and an error for whatever is no outcome."""
        outcome = await self.attempt(name, request)
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
        """Ask a strategy for its outcome, within its limits.

        Raises `Overloaded` where as many wait as are served, and an error for whatever is no outcome.
        """
        if self._waiting[name] >= self.find(name).concurrency:
            raise errors.Overloaded
        self._waiting[name] += 1
        try:
            await self._places[name].acquire()
        finally:
            self._waiting[name] -= 1
        try:
            outcome = await self.run(name, lambda strategy: strategy.authenticate(request))
        finally:
            self._places[name].release()
        if not _is_outcome(outcome):  # what a plugin returns is checked at run time, too
            _log.error("the strategy %r returned a %s", name, type(outcome).__name__)
            raise errors.InvalidOutcome(strategy=name)
        return outcome

    async def _user(self, name: str, user_id: Any) -> User:
        if type(user_id) is not str or not user_id:
            raise errors.InvalidUserId(strategy=name, kind=type(user_id).__name__)
        user = await self._users.get(user_id)
        if user is None:
            raise errors.UnknownUserId(strategy=name)
        return user

    async def open(self) -> None:
        """Let every strategy begin. Raises what a strategy raises: it is not one that could be served without."""
        for name in self:
            await self.run(name, lambda each: each.open())

    async def close(self) -> None:
        """Let every strategy end; one that fails to is left to itself."""
        for name in self:
            try:
                await self.run(name, lambda each: each.close())
            except errors.VisadoError:
                _log.warning("the strategy %r did not close", name)

    async def logout(self, request: Request) -> str | None:
        """Tell the strategies of a user that it logs out; the first address that one returns is where to go on."""
        locations: list[str] = []
        for name in await self.of(request.user):
            try:
                location = await self.run(name, lambda each: each.logout(request))
            except errors.VisadoError:
                continue  # nothing keeps a user from logging out here
            if location:
                locations.append(location)
        return locations[0] if locations else None

    async def of(self, user: User) -> list[str]:
        """The strategies in which a user has credentials; one that fails to say counts as none."""
        if user.anonymous:
            return []
        return [name for name in self if await self._has(name, user.id)]

    async def _has(self, name: str, user_id: str) -> bool:
        try:
            return await self.run(name, lambda strategy: strategy.exists(user_id)) is True
        except errors.VisadoError:
            return False


def _check(strategy: Any) -> None:
    if not isinstance(strategy, Strategy):
        raise TypeError(f"a strategy is needed, not {type(strategy).__name__}")
    if not isinstance(getattr(strategy, "name", None), str) or not strategy.name:
        raise TypeError("the name of a strategy is a text")
    if not 0 < strategy.concurrency <= _MOST or not strategy.timeout > 0:
        raise TypeError(f"the strategy {strategy.name!r} has a concurrency or a timeout that is none")


def _is_outcome(value: object) -> bool:
    """Whether a plugin returned an outcome that can be sent: what goes into a header has no line of its own."""
    match value:
        case Success():
            return are_header_texts(value.cookies) and (value.location is None or are_header_texts((value.location,)))
        case Fail():
            return are_header_texts(value.cookies)
        case Redirect():
            known = type(value.status) is int and (value.status == 200 or 300 <= value.status < 400)  # noqa: PLR2004
            return (
                known
                and are_header_texts((value.location,))
                and are_header_texts(value.cookies)
                and _is_json(value.data)
            )
        case _:
            return isinstance(value, Pass)


def _is_json(value: Any) -> bool:
    try:
        wire.encode(value)
    except Exception:
        return False
    return is_object(value)


def _place(strategy: Strategy) -> str:
    return f"{type(strategy).__module__}.{type(strategy).__qualname__}"
