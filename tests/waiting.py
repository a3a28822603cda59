"""Waiting for a condition: the tests poll, and never sleep for as long as something is guessed to take."""

from __future__ import annotations

import asyncio
import inspect
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
POLL_SECONDS = 0.01


def until(condition: Callable[[], T], *, seconds: float = 20, why: Callable[[], object] | str = "") -> T:
    """Poll a condition until it is true, and return its value. Fail after so many seconds, and say `why`."""
    limit = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > limit:
            _fail(condition, seconds, why)
        time.sleep(POLL_SECONDS)  # subject: the interval of the poll
    return value


async def until_async(
    condition: Callable[[], T | Awaitable[T]], *, seconds: float = 20, why: Callable[[], object] | str = ""
) -> T:
    """Do the same as `until` on the event loop. The condition may be a coroutine function."""
    limit = asyncio.get_running_loop().time() + seconds
    while True:
        value: Any = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > limit:
            _fail(condition, seconds, why)
        await asyncio.sleep(POLL_SECONDS)  # subject: the interval of the poll


def listens(address: str, port: int) -> bool:
    """Return whether a server accepts connections."""
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def _fail(condition: object, seconds: float, why: Callable[[], object] | str) -> None:
    text = why() if callable(why) else why
    pytest.fail(f"not true after {seconds} s: {text or inspect.getsource(condition).strip()}")  # type: ignore[arg-type]
