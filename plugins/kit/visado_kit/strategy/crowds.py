"""Many at once, calls that are given up, and time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from visado.request import Fields
from visado.strategy import Fail, Success
from visado_kit.stage import Stage, held, staged, survived
from visado_kit.strategy.suite import StrategySuite

_PATIENCE = 10.0


class Crowds(StrategySuite):
    """Nobody is mixed up with another, waits for another, or learns from a clock."""

    parallel: ClassVar[int] = 50
    timing_samples: ClassVar[int] = 15
    timing_tolerance: ClassVar[float] = 0.35
    longest_hold: ClassVar[float] = 0.05
    """How long a call may keep the event loop in one go, in seconds."""

    @staged
    async def test_many_logins_at_once_are_not_confused(self, stage: Stage) -> None:
        """Each of many logins ends as if it were alone."""
        known = [await self.enroll(stage, number) for number in range(self.users)]
        tries: list[tuple[Fields, str | None]] = []
        for number in range(self.parallel):
            user_id, credentials = known[number % len(known)]
            body = self.login(credentials)
            tries.append((self.wrong(body), None) if number % 3 == 0 else (body, user_id))
        outcomes = await asyncio.gather(*(stage.login(body) for body, _ in tries))
        for outcome, (_, expected) in zip(outcomes, tries, strict=True):
            right = outcome == Success(expected) if expected else isinstance(outcome, Fail)
            assert right, (
                f"among {self.parallel} logins at once, {expected or 'a wrong secret'} led to {outcome!r}: keep what "
                "belongs to a login in variables of authenticate(), never on the strategy"
            )

    @staged
    async def test_abandoned_calls_harm_nobody(self, stage: Stage) -> None:
        """A call that is cancelled ends, and leaves nothing half done behind."""
        user_id, credentials = await self.enroll(stage)
        other, others = await stage.user(1), self.credentials(1)
        for delay in (0, 0, 0.001, 0.005, 0.02):
            await _abandon(stage.login(self.login(credentials)), delay)
            await _abandon(stage.strategy.create(other, others), delay)
        await self.gets_in(stage, credentials, user_id, "logins that were given up harm nobody")
        mend = "a create() that is cancelled leaves nothing, or all: undo what it began, or begin with what decides"
        if not await stage.strategy.exists(other):
            created = await survived(stage.strategy.create(other, others))
            assert isinstance(created, dict), f"{mend}; another one is refused: {created!r}"
        await self.gets_in(stage, others, other, mend)

    @staged
    async def test_does_not_hold_the_event_loop(self, stage: Stage) -> None:
        """While a call is at work, others go on."""
        users = [await stage.user(number) for number in range(10)]
        calls: dict[str, Callable[[int], Awaitable[object]]] = {
            "create()": lambda number: stage.strategy.create(users[number], self.credentials(number)),
            "authenticate()": lambda _: stage.login(self.login(self.credentials(0))),
            "authenticate() with a wrong secret": lambda _: stage.login(self.wrong(self.login(self.credentials(0)))),
        }
        for name, call in calls.items():
            longest = await held(call, self.longest_hold)
            assert longest <= self.longest_hold, (
                f"{name} keeps everybody else waiting for {longest:.3f} s: hash, and do other slow work, in a thread "
                "(asyncio.to_thread)"
            )

    @staged
    async def test_time_does_not_tell_who_exists(self, stage: Stage) -> None:
        """An unknown subject takes as long as a wrong secret."""
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        bodies = (self.wrong(body), self.unknown(body))
        wrong = unknown = 0.0
        for _ in range(3):  # a machine with other things to do may need a second chance
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(2 * self.timing_samples):
                start = time.perf_counter()
                await stage.login(bodies[number % 2])
                times[number % 2].append(time.perf_counter() - start)
            wrong, unknown = (statistics.median(each) for each in times)
            if abs(wrong - unknown) <= max(self.timing_tolerance * max(wrong, unknown), 0.002):
                return
        pytest.fail(
            f"a wrong secret takes {wrong:.4f} s, an unknown subject {unknown:.4f} s: do the same work for both, with "
            "a decoy where there is nothing to compare with"
        )


async def _abandon(call: Awaitable[object], delay: float) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.sleep(delay)
    given_up = task.cancel()
    await asyncio.wait({task}, timeout=_PATIENCE)
    assert task.done(), "a call that is cancelled ends: let asyncio.CancelledError pass"
    if not task.cancelled() and task.exception() is None and given_up:
        pytest.fail(f"a cancelled call went on to {task.result()!r}: let asyncio.CancelledError pass")
