"""The strategies, by name, each behind its limits: one that hangs or fails harms nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeVar, assert_never

from typing_extensions import override

from visado import codec, errors
from visado.codec import is_object
from visado.events import CredentialsChanged
from visado.plugins.calls import call_plugin
from visado.request import Fields, Request, User, are_header_texts, current_request
from visado.security.observers import Observers
from visado.security.users.credentials import Credentials
from visado.security.users.users import Users
from visado.storage.versions import Version, VersionedCache
from visado.strategy import Fail, Outcome, Pass, Redirect, Strategy, Success

T = TypeVar("T")
_MOST = 1_000_000
_MAX_CACHED_USERS = 16_384
_log = logging.getLogger("visado.strategies")


@dataclass(slots=True)
class _Place:
    """A strategy at work: whose it is, how many wait for it, and how many calls are under way."""

    strategy: Strategy
    plugin: str
    free: asyncio.Semaphore
    waiting: int = 0
    running: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)


class Strategies(Mapping[str, Strategy]):
    """Every way to log in, but those of plugins that are `off`."""

    def __init__(
        self,
        users: Users,
        credentials: Credentials,
        observers: Observers,
        version: Version,
        unavailable: AbstractSet[str] = frozenset(),
    ) -> None:
        self._users, self._credentials, self._observers, self._unavailable = users, credentials, observers, unavailable
        self._known = VersionedCache[list[str]](version, _MAX_CACHED_USERS)
        self._places: dict[str, _Place] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.on_change: list[Callable[[], None]] = []

    def add(self, strategy: Strategy, plugin: str = "") -> None:
        """Register a strategy. Raises `TypeError` for what is none, `ValueError` naming both where a name is taken."""
        check(strategy)
        place = _Place(strategy, plugin, asyncio.Semaphore(strategy.concurrency))
        other = self._places.setdefault(strategy.name, place).strategy
        if other is not strategy:
            raise ValueError(f"the strategy {strategy.name!r} is declared by {_class(other)} and by {_class(strategy)}")
        self._credentials.declare(strategy.name)
        self._changed()

    def drop(self, name: str) -> None:
        """Forget a strategy that was never opened: the test kit puts another in its place."""
        del self._places[name]

    def remove(self, name: str) -> None:
        """Forget a strategy, and close it once nobody is in the middle of a call."""
        task = asyncio.create_task(self._retire(self._places.pop(name)))
        self._changed()
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _changed(self) -> None:
        for hear in self.on_change:
            hear()

    async def _retire(self, place: _Place) -> None:
        while place.running or place.waiting:
            place.left.clear()
            await place.left.wait()
        await self._close(place)

    @override
    def __getitem__(self, name: str) -> Strategy:
        place = self._places[name]
        if place.plugin in self._unavailable:
            raise KeyError(name)
        return place.strategy

    @override
    def __iter__(self) -> Iterator[str]:
        return (name for name, place in self._places.items() if place.plugin not in self._unavailable)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def names(self) -> AbstractSet[str]:
        """The names that are taken, also by strategies that are off."""
        return self._places.keys()

    def plugin_of(self, name: str) -> str:
        """The plugin that a strategy comes from; empty for a chain."""
        return self._places[name].plugin

    def find(self, name: str) -> Strategy:
        """The strategy of this name. Raises `UnknownStrategy`."""
        return self._place(name).strategy

    def _place(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None or place.plugin in self._unavailable:
            raise errors.UnknownStrategy(strategy=name)
        return place

    async def run(self, name: str, call: Callable[[Strategy], Awaitable[T]]) -> T:
        """Ask a strategy something, within its time limit.

        Raises what it raises of `visado.errors`, `StrategyTimeout`, and `PluginFailed` for anything else.
        """
        return await self._run(self._place(name), call)

    async def _run(self, place: _Place, call: Callable[[Strategy], Awaitable[T]]) -> T:
        strategy = place.strategy
        late = errors.StrategyTimeout(strategy=strategy.name, seconds=strategy.timeout)
        place.running += 1
        try:
            return await call_plugin(f'the strategy "{strategy.name}"', strategy.timeout, lambda: call(strategy), late)
        finally:
            place.running -= 1
            place.left.set()

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

    async def forget(self, user_id: str) -> None:
        """Take a user's credentials of every strategy. Raises `CredentialsRejected` where one does not let go.

        Of a strategy that is off, or was removed, what the host keeps for it is deleted: somebody else may get the id.
        """
        for name in self._credentials.strategies:
            place = self._places.get(name)
            if place is None or place.plugin in self._unavailable:
                await self._credentials.unlink(name, user_id)
                continue
            try:
                if await self.run(name, lambda each: each.exists(user_id)):
                    await self.delete(name, user_id)
            except errors.VisadoError as error:
                raise errors.CredentialsRejected(reason=f"{name}: {error.text}") from None

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
        place = self._place(name)
        if place.waiting >= place.strategy.concurrency:
            raise errors.Overloaded
        place.waiting += 1
        try:
            await place.free.acquire()
        finally:
            place.waiting -= 1
            place.left.set()
        try:
            outcome = await self._run(place, lambda strategy: strategy.authenticate(request))
        finally:
            place.free.release()
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

    async def open(self, failed: Callable[[str, str], None]) -> None:
        """Let every strategy begin; `failed` hears of the plugin and the reason where one cannot.

        Also those of plugins that are switched off: they may be switched on.
        """
        for place in list(self._places.values()):
            try:
                await self._run(place, lambda each: each.open())
            except errors.VisadoError as error:
                failed(place.plugin, error.text)

    async def close(self) -> None:
        """Let every strategy end; one that fails to is left to itself."""
        await asyncio.gather(*self._retiring)
        for place in self._places.values():
            await self._close(place)

    async def _close(self, place: _Place) -> None:
        try:
            await self._run(place, lambda each: each.close())
        except errors.VisadoError:
            _log.warning("the strategy %r did not close", place.strategy.name)

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
        """The strategies in which a user has credentials; one that fails to say counts as none.

        Not within a transaction: what is found is remembered, and it may not come to be.
        """
        if user.anonymous:
            return []
        known = self._known.get(user.id)
        if known is None:
            version = self._known.version
            known = [name for name in self if await self._has(name, user.id)]
            if all(self[name].stored for name in self):
                self._known.set(user.id, known, version)
        return known.copy()

    async def _has(self, name: str, user_id: str) -> bool:
        if self._places[name].strategy.stored:
            return await self._credentials.get_of_user(name, user_id) is not None
        request = current_request()
        if request is not None:
            request.depends_on = None
        try:
            return await self.run(name, lambda strategy: strategy.exists(user_id)) is True
        except errors.VisadoError:
            return False


def check(strategy: Any) -> None:
    """Raise `TypeError` for what is no strategy, or one whose name or limits are none."""
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
                and is_object(value.data)
                and codec.can_encode(value.data)
            )
        case _:
            return isinstance(value, Pass)


def _class(strategy: Strategy) -> str:
    return f"{type(strategy).__module__}.{type(strategy).__qualname__}"
