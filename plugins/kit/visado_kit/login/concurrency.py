"""Many logins at once, cancelled calls, a free event loop, and times that reveal nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

import pytest

from visado import Fail
from visado_kit.expectations import cancel, measure_block, short_repr
from visado_kit.harness import with_harness
from visado_kit.login.suite import LastRequest, LoginHarness, LoginSuite, subject_of

_MIN_DIFFERENCE_SECONDS: Final = 0.002
"""A difference of times that no client can measure."""


class LoginConcurrency(LoginSuite):
    """A login is neither mixed up with another nor held up by it, and its duration does not reveal who exists."""

    parallel: ClassVar[int] = 50
    """How many logins run at once, where `repeatable` is True; else as many as there are `users`."""
    timing_samples: ClassVar[int] = 15
    """How many times of a wrong secret, and of an unknown subject, are compared."""
    timing_tolerance: ClassVar[float] = 0.35
    """By which part of the longer time the two may differ."""
    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop, in seconds."""

    @with_harness
    async def test_many_logins_at_once_are_not_confused(self, harness: LoginHarness) -> None:
        """Each of many logins at once has the outcome that it has alone."""
        known = [await self.prepare(harness, number) for number in range(self.users)]
        alone = [subject_of(await self.outcome(harness, number)) for number in range(self.users)]
        count = self.parallel if self.repeatable else self.users
        lasts = [await self.last_request(harness, number % self.users) for number in range(count)]
        has_secret = self.wrong(lasts[0].sent) is not None
        calls: list[Awaitable[Any]] = []
        for number, last in enumerate(lasts):
            sent = self.wrong(last.sent) if has_secret and number % 3 == 0 else last.sent
            calls.append(harness.ask(sent, last.after))
        seen = list[str | None]()
        for number, step in enumerate(await asyncio.gather(*calls)):
            wrong = has_secret and number % 3 == 0
            who = subject_of(step.outcome)
            expected = alone[number % self.users]
            right = isinstance(step.outcome, Fail) if wrong else (who == expected if self.stable else who is not None)
            assert right, (
                f"among {count} logins at once, {'a wrong secret' if wrong else known[number % self.users] or expected}"
                f" led to {step.outcome!r}: store what belongs to one login in local variables of authenticate(), not "
                "in attributes of the strategy"
            )
            seen.append(who)
        guests = [each for each in seen if each is not None]
        assert self.stable or len({*guests}) == len(guests), f"two guests at once are one user: {guests!r}"

    @with_harness
    async def test_cancelled_logins_leave_nothing_half_done(self, harness: LoginHarness) -> None:
        """A cancelled login ends, and the login after it works."""
        user_id = await self.prepare(harness, 0)
        for delay in (0, 0, 0.001, 0.005, 0.02):
            last = await self.last_request(harness, 0)
            await cancel_call(harness.ask(last.sent, last.after), delay)
        await self.expect_login(harness, 0, user_id, "a cancelled login must not affect the next login")

    @with_harness
    async def test_a_login_does_not_block_the_event_loop(self, harness: LoginHarness) -> None:
        """Other tasks run while a call works."""
        await self.prepare(harness, 0)
        name = "authenticate()" if self.steps == 1 else "answer()"
        changes: dict[str, Callable[[Any], Any]] = {name: lambda sent: sent}
        if self.wrong((await self.last_request(harness, 0)).sent) is not None:
            changes[f"{name} with a wrong secret"] = self.wrong

        async def prepare() -> LastRequest:
            return await self.last_request(harness, 0)

        for call, change in changes.items():

            async def ask(last: LastRequest, change: Callable[[Any], Any] = change) -> object:
                return await harness.ask(change(last.sent), last.after)

            await expect_free_loop(call, ask, self.max_block_seconds, prepare)

    @with_harness
    async def test_time_does_not_tell_who_exists(self, harness: LoginHarness) -> None:
        """A login with an unknown subject takes as long as a login with a wrong secret."""
        await self.prepare(harness, 0)
        sent = (await self.last_request(harness, 0)).sent
        if self.wrong(sent) is None or self.unknown(sent) is None:
            pytest.skip("wrong() or unknown() returns None: there is no secret, or no subject")
        wrong = unknown = 0.0
        for _ in range(3):  # a busy machine may need another attempt
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(2 * self.timing_samples):
                last = await self.last_request(harness, 0)
                changed = (self.wrong, self.unknown)[number % 2](last.sent)
                start = time.perf_counter()
                await harness.ask(changed, last.after)
                times[number % 2].append(time.perf_counter() - start)
            wrong, unknown = (statistics.median(each) for each in times)
            tolerated = max(self.timing_tolerance * max(wrong, unknown), _MIN_DIFFERENCE_SECONDS)
            if abs(wrong - unknown) <= tolerated:
                return
        pytest.fail(
            f"a wrong secret takes {wrong:.4f} s, and an unknown subject {unknown:.4f} s: do the same work for both; "
            "verify the secret of an unknown subject against a decoy"
        )


async def expect_free_loop(
    name: str, call: Callable[[Any], Awaitable[object]], limit: float, prepare: Callable[[], Awaitable[object]]
) -> None:
    """Expect that a call with what `prepare` returns does not block the event loop for longer than `limit` seconds."""
    seconds = await measure_block(call, limit, prepare)
    assert seconds <= limit, (
        f"{name} blocks the event loop for {seconds:.3f} s: run hashing and other slow work in a thread "
        "(asyncio.to_thread)"
    )


async def cancel_call(call: Awaitable[object], delay: float) -> None:
    """Cancel a call after `delay` seconds. Fails the test if it returns all the same."""
    future, cancelled = await cancel(call, delay)
    if cancelled and not future.cancelled() and future.exception() is None:
        pytest.fail(
            f"a cancelled call returned {short_repr(future.result())}: let asyncio.CancelledError pass, and do not "
            "catch BaseException"
        )
