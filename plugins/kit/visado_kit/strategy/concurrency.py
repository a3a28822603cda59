"""Many logins at once, cancelled calls, a free event loop, and times that reveal nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

import pytest

from visado import Fail, Fields
from visado_kit.expectations import cancel, expect_no_server_error, measure_block, short_repr
from visado_kit.harness import with_harness
from visado_kit.strategy.suite import BY, StrategyHarness, StrategySuite, user_of

_MIN_DIFFERENCE_SECONDS: Final = 0.002
"""A difference of times that no client can measure."""


class StrategyConcurrency(StrategySuite):
    """A login is neither mixed up with another nor held up by it, and its duration does not reveal who exists."""

    parallel: ClassVar[int] = 50
    """How many logins run at once."""
    timing_samples: ClassVar[int] = 15
    """How many times of a wrong secret, and of an unknown subject, are compared."""
    timing_tolerance: ClassVar[float] = 0.35
    """By which part of the longer time the two may differ."""
    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop, in seconds."""

    @with_harness
    async def test_many_logins_at_once_are_not_confused(self, harness: StrategyHarness) -> None:
        """Each of many logins at once has the outcome that it has alone."""
        enrolled = [await self.enroll(harness, number) for number in range(self.users)]
        logins: list[tuple[Fields, str | None]] = []
        for number in range(self.parallel):
            user_id, credentials = enrolled[number % len(enrolled)]
            body = self.login(credentials)
            logins.append((self.wrong(body), None) if number % 3 == 0 else (body, user_id))
        outcomes = await asyncio.gather(*(harness.authenticate(body) for body, _ in logins))
        for outcome, (_, expected) in zip(outcomes, logins, strict=True):
            right = user_of(outcome) == expected if expected else isinstance(outcome, Fail)
            assert right, (
                f"among {self.parallel} logins at once, {expected or 'a wrong secret'} led to {outcome!r}: store what "
                "belongs to one login in local variables of authenticate(), not in attributes of the strategy"
            )

    @with_harness
    async def test_cancelled_calls_leave_nothing_half_done(self, harness: StrategyHarness) -> None:
        """A cancelled call ends, and the calls after it work."""
        user_id, credentials = await self.enroll(harness)
        other, others = await harness.create_user(1), self.credentials(1)
        for delay in (0, 0, 0.001, 0.005, 0.02):
            await _cancel(harness.authenticate(self.login(credentials)), delay)
            await _cancel(harness.strategy.create(other, others, BY), delay)
        await self.expect_login(harness, credentials, user_id, "a cancelled login must not affect the next login")
        advice = "a create() that is cancelled must store everything or nothing: write once, or undo what was written"
        if not await harness.strategy.exists(other):
            created = await expect_no_server_error(harness.strategy.create(other, others, BY))
            assert isinstance(created, dict), f"{advice}; the next create() was refused: {created!r}"
        await self.expect_login(harness, others, other, advice)

    @with_harness
    async def test_does_not_block_the_event_loop(self, harness: StrategyHarness) -> None:
        """Other tasks run while a call works."""
        users = [await harness.create_user(number) for number in range(10)]
        body = self.login(self.credentials(0))
        calls: dict[str, Callable[[int], Awaitable[object]]] = {
            "create()": lambda number: harness.strategy.create(users[number], self.credentials(number), BY),
            "authenticate()": lambda _: harness.authenticate(body),
            "authenticate() with a wrong secret": lambda _: harness.authenticate(self.wrong(body)),
        }
        for name, call in calls.items():
            seconds = await measure_block(call, self.max_block_seconds)
            assert seconds <= self.max_block_seconds, (
                f"{name} blocks the event loop for {seconds:.3f} s: run hashing and other slow work in a thread "
                "(asyncio.to_thread)"
            )

    @with_harness
    async def test_time_does_not_tell_who_exists(self, harness: StrategyHarness) -> None:
        """A login with an unknown subject takes as long as a login with a wrong secret."""
        _, credentials = await self.enroll(harness)
        body = self.login(credentials)
        bodies = (self.wrong(body), self.unknown(body))
        wrong = unknown = 0.0
        for _ in range(3):  # a busy machine may need another attempt
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(2 * self.timing_samples):
                start = time.perf_counter()
                await harness.authenticate(bodies[number % 2])
                times[number % 2].append(time.perf_counter() - start)
            wrong, unknown = (statistics.median(each) for each in times)
            tolerated = max(self.timing_tolerance * max(wrong, unknown), _MIN_DIFFERENCE_SECONDS)
            if abs(wrong - unknown) <= tolerated:
                return
        pytest.fail(
            f"a wrong secret takes {wrong:.4f} s, and an unknown subject {unknown:.4f} s: do the same work for both; "
            "verify the secret of an unknown subject against a decoy"
        )


async def _cancel(call: Awaitable[object], delay: float) -> None:
    future, cancelled = await cancel(call, delay)
    if cancelled and not future.cancelled() and future.exception() is None:
        pytest.fail(
            f"a cancelled call returned {short_repr(future.result())}: let asyncio.CancelledError pass, and do not "
            "catch BaseException"
        )
