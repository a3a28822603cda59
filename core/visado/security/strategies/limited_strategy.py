"""One strategy under its limits: time, and how many logins run and wait at once.

Does not own what a strategy may return (`plugins.outcomes`), nor which strategies the host has (`strategies`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from visado import errors
from visado.plugins.calls import call_plugin
from visado.plugins.outcomes import is_outcome
from visado.request import Fields, Request
from visado.security.strategies.attempts import Attempt, Delegate
from visado.strategy import AccountRules, KeepsCredentials, Strategy

T = TypeVar("T")
MAX_CONCURRENCY: Final = 1_000_000
_log = logging.getLogger("visado.strategies")


class LimitedStrategy:
    """A strategy of a plugin. One that hangs or fails does not affect the other strategies.

    `keeper` manages the credentials of its users: the strategy itself, or the host for strategies that keep none.
    """

    def __init__(self, strategy: Strategy, keeper: KeepsCredentials, plugin: str) -> None:
        self.strategy, self.keeper, self.plugin = strategy, keeper, plugin
        self._slots = asyncio.Semaphore(strategy.concurrency)
        self._waiting = self._running = 0
        self._call_ended = asyncio.Event()

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call the strategy within its time limit.

        Raises the `VisadoError` that the strategy raises, `StrategyTimeout`, and `PluginFailed` for other exceptions.
        """
        self._running += 1
        try:
            return await self._limit(call)
        finally:
            self._running -= 1
            self._call_ended.set()

    def _limit(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Return the call within its time limit. A plain function: a login is shallow enough to read its traceback."""
        name, seconds = self.strategy.name, self.strategy.timeout
        return call_plugin(
            f'the strategy "{name}"', seconds, call, errors.StrategyTimeout(strategy=name, seconds=seconds)
        )

    async def ask(self, request: Request, state: Fields | None = None, *, needs_user: bool = False) -> Attempt:
        """Return the outcome of a login, or with `state` of its further step, within the limits of the strategy.

        `needs_user` is that of `Strategies.ask`, for a strategy that asks others.

        Raises `Overloaded` where as many logins wait as may run, `InvalidOutcome` for a return value that is no
        outcome, and what `call` raises.
        """
        if self._waiting >= self.strategy.concurrency:
            raise errors.Overloaded
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
            self._call_ended.set()
        self._running += 1
        try:
            outcome = await self._limit(self._work(request, state, needs_user=needs_user))
        finally:
            self._running -= 1
            self._slots.release()
            self._call_ended.set()
        if isinstance(outcome, Attempt):
            return outcome
        name = self.strategy.name
        if not is_outcome(outcome):  # a plugin's types are not checked before it runs
            _log.error("the strategy %r returned a %s", name, type(outcome).__name__)
            raise errors.InvalidOutcome(strategy=name)
        return Attempt(name, outcome)

    def _work(self, request: Request, state: Fields | None, *, needs_user: bool) -> Callable[[], Awaitable[Any]]:
        strategy = self.strategy
        if state is not None:
            return partial(strategy.answer, request, state)
        if isinstance(strategy, Delegate):
            return partial(strategy.ask, request, needs_user=needs_user)
        return partial(strategy.authenticate, request)

    def read(self, reading: Callable[[Request], str | None], request: Request) -> str | None:
        """Return what a strategy reads from a request without waiting: its reference, its subject.

        Raises the `VisadoError` that the strategy raises, and `PluginFailed` for another exception or value.
        """
        try:
            text: object = reading(request)
        except errors.VisadoError:
            raise
        except Exception:
            _log.exception("%s of the strategy %r failed", reading.__name__, self.strategy.name)
            text = 0
        if text is not None and not isinstance(text, str):
            raise errors.PluginFailed(cause=f'the strategy "{self.strategy.name}" failed')
        return text

    async def close(self) -> None:
        """Close the strategy; an error is only logged."""
        try:
            await self.call(self.strategy.close)
        except errors.VisadoError:
            _log.warning("the strategy %r did not close", self.strategy.name)

    async def close_when_idle(self) -> None:
        """Close the strategy once no call runs or waits."""
        while self._running or self._waiting:
            self._call_ended.clear()
            await self._call_ended.wait()
        await self.close()


def check_strategy(strategy: Any) -> None:
    """Raise `TypeError` unless this is a strategy whose name, limits and declarations are valid."""
    if not isinstance(strategy, Strategy):
        raise TypeError(f"a strategy is needed, not {type(strategy).__name__}")
    if not isinstance(getattr(strategy, "name", None), str) or not strategy.name:
        raise TypeError("the name of a strategy is a text")
    if not 0 < strategy.concurrency <= MAX_CONCURRENCY or not strategy.timeout > 0:
        raise TypeError(f"the strategy {strategy.name!r} has an invalid concurrency or timeout")
    forms: list[object] = [strategy.login_form]
    if isinstance(strategy, KeepsCredentials):
        forms.append(strategy.credentials_form)
    if not all(each is None or (isinstance(each, type) and issubclass(each, BaseModel)) for each in forms):
        raise TypeError(f"a form of the strategy {strategy.name!r} is no model of pydantic")
    if strategy.login_form is not None:
        _check_schema(strategy.name, strategy.login_form)
    if not isinstance(cast("object", strategy.accounts), AccountRules):
        raise TypeError(f"the accounts of the strategy {strategy.name!r} are no AccountRules")
    if not isinstance(cast("object", strategy.posts_from), frozenset):
        raise TypeError(f"posts_from of the strategy {strategy.name!r} is no frozenset of origins")
    texts: list[object] = [strategy.title, strategy.icon, *strategy.posts_from]
    if not all(isinstance(each, str) for each in texts) or type(strategy.listed) is not bool:
        raise TypeError(f"title, icon, listed or posts_from of the strategy {strategy.name!r} have another type")
    if strategy.icon and not strategy.icon.startswith(("https:", "data:image/")):
        raise TypeError(f"the icon of the strategy {strategy.name!r} is no address with https: or data:image/")


def _check_schema(strategy: str, form: type[BaseModel]) -> None:
    """Raise `TypeError` for a login form that a JSON schema cannot express: `auth:getLoginForms` shows its schema."""
    try:
        form.model_json_schema()
    except Exception as error:  # pydantic and the form's own code may raise anything
        raise TypeError(f"the login form of the strategy {strategy!r} has no JSON schema: {error}") from None
