"""What the suites expect of every call: no server error, a refusal that is the client's fault, a free event loop."""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from visado import errors

SERVER_ERROR: Final = 500
MAX_TIMEOUT_SECONDS: Final = 60
"""The longest `timeout` that a strategy or a login check may declare."""
CANCEL_SECONDS: Final = 10.0
"""How long a cancelled call may take to end."""
_MAX_REPR_LENGTH: Final = 100
_SENDABLE: Final = (
    "return one of the outcomes; values of headers and cookies are texts of one line, and data, session and state are "
    "JSON"
)
_MEASUREMENTS: Final = 10


async def expect_no_server_error(call: Awaitable[object], sent: object = None) -> object:
    """Return what the call returns, or the error of 4xx that it raises. Fails the test for any other error.

    `sent` is the input that the message names.
    """
    advice = "validate what a client sends before using it, and refuse it with an error of 4xx"
    try:
        return await call
    except errors.InvalidOutcome:
        raised, advice = "an outcome that the host cannot send", _SENDABLE
    except errors.VisadoError as error:
        if error.status < SERVER_ERROR:
            return error
        raised = f"{error.id} ({error})"
    except Exception as error:
        raised = repr(error)
    pytest.fail(f"{short_repr(sent) if sent is not None else 'this call'} led to {raised}: {advice}")


async def expect_refusal(
    call: Awaitable[object], advice: str = "refuse it with an error of visado.errors"
) -> errors.VisadoError:
    """Return the error of 4xx that the call raises. Fails the test, with the advice, where it raises none."""
    outcome = await expect_no_server_error(call)
    if not isinstance(outcome, errors.VisadoError):
        pytest.fail(f"{advice}; the call returned {short_repr(outcome)}")
    return outcome


def short_repr(value: object) -> str:
    """Return the `repr` of a value for a message, shortened to 100 characters."""
    try:
        return textwrap.shorten(repr(value), _MAX_REPR_LENGTH, placeholder="...")
    except ValueError:  # an integer of too many digits
        return f"a very long {type(value).__name__}"


async def cancel(call: Awaitable[object], delay: float) -> tuple[asyncio.Future[object], bool]:
    """Cancel a call after `delay` seconds, and wait until it ends. Fails the test if it does not end.

    Returns the future of the call, and whether the call was cancelled before it ended.
    """
    future = asyncio.ensure_future(call)
    await asyncio.sleep(delay)
    cancelled = future.cancel()
    await asyncio.wait({future}, timeout=CANCEL_SECONDS)
    assert future.done(), (
        f"a cancelled call did not end within {CANCEL_SECONDS:g} s: let asyncio.CancelledError pass, and do not catch "
        "BaseException"
    )
    return future, cancelled


async def measure_block(
    call: Callable[[Any], Awaitable[object]], limit: float, prepare: Callable[[], Awaitable[object]] | None = None
) -> float:
    """Return the longest time, in seconds, for which a call blocks the event loop.

    A busy machine may stop the loop now and then, so the call is made up to ten times, with 0, 1, ..., until it blocks
    the loop for no longer than `limit`; the shortest of the longest times counts. With `prepare`, the call gets what it
    returns in place of a number.
    """
    shortest = float("inf")
    for number in range(_MEASUREMENTS):
        argument = number if prepare is None else await prepare()
        shortest = min(shortest, await _measure_once(call(argument)))
        if shortest <= limit:
            break
    return shortest


async def _measure_once(call: Awaitable[object]) -> float:
    last, longest = time.perf_counter(), 0.0

    async def tick() -> None:
        nonlocal last, longest
        while True:
            await asyncio.sleep(0.001)
            last, longest = time.perf_counter(), max(longest, time.perf_counter() - last)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        await call
    finally:
        ticking.cancel()
    return max(longest, time.perf_counter() - last)
