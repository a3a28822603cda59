"""Calls into plugins: bounded in time, and whatever comes out of them is an error that a client may see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from visado import errors
from visado.alarm import Blocked
from visado.values import is_cancelled

T = TypeVar("T")
_log = logging.getLogger("visado.plugins")


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
