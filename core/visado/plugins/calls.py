"""Calls into plugins: bounded in time, and whatever comes out of them is an error that a client may see."""

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
    """What a plugin brings and the host asks how it is: a strategy, a login check, an observer."""

    def problem(self) -> str | None:
        """Why it cannot work at present; None where it can."""
        ...


def problem(part: Part) -> str | None:
    """Ask a part of a plugin why it cannot work at present; one that fails to say has a problem, too."""
    try:
        found = part.problem()
    except Exception:
        _log.exception("%s cannot say how it is", type(part).__qualname__)
        return "it cannot say how it is"
    return None if found is None else str(found)


def is_cancelled(error: BaseException) -> bool:
    """Whether this task was asked to end; a `CancelledError` may also come from something that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def guarded(what: str, seconds: float, call: Callable[[], Awaitable[T]], late: errors.VisadoError) -> T:
    """Call a plugin; `what` names it for the log and for the client.

    Raises what it raises of `visado.errors`, `late` after so many seconds, and `PluginFailed` for anything else.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except errors.VisadoError:
        raise
    except Blocked:
        raise late from None
    except BaseException as error:  # whatever a plugin raises
        if is_cancelled(error) or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        if isinstance(error, TimeoutError) and limit.expired():
            _log.warning("%s took longer than %s s", what, seconds)
            raise late from None
        _log.exception("%s failed", what)
        raise errors.PluginFailed(cause=f"{what} failed") from None
