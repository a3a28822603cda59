"""Calls of plugins' methods: limited in time, and every failure is an error that a client may see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from visado import errors
from visado.plugins.watchdog import Blocked

T = TypeVar("T")
_log = logging.getLogger("visado.plugins")


class Part(Protocol):
    """A strategy, login check or observer of a plugin."""

    def problem(self) -> str | None:
        """Return why the part cannot work at the moment, or None."""
        ...


def get_problem(part: Part) -> str | None:
    """Return why a part of a plugin cannot work at the moment, or None. A part whose `problem` raises has a problem."""
    try:
        problem = part.problem()
    except Exception:
        _log.exception("problem() of %s failed", type(part).__qualname__)
        return "problem() failed"
    return None if problem is None else str(problem)


def is_cancelled(error: BaseException) -> bool:
    """Return whether the error is the cancellation of this task, and not that of a task that it awaited."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def call_plugin(
    what: str, seconds: float, call: Callable[[], Awaitable[T]], timeout_error: errors.VisadoError
) -> T:
    """Call a method of a plugin; `what` names it in the log and to the client.

    Raises the `VisadoError` that the plugin raises, `timeout_error` after `seconds`, and `PluginFailed` for any other
    exception.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except errors.VisadoError:
        raise
    except Blocked:
        raise timeout_error from None
    except BaseException as error:  # a plugin may raise anything
        if is_cancelled(error) or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        if isinstance(error, TimeoutError) and limit.expired():
            _log.warning("%s took longer than %s s", what, seconds)
            raise timeout_error from None
        _log.exception("%s failed", what)
        raise errors.PluginFailed(cause=f"{what} failed") from None
