"""Cancelled creations, and a free event loop."""

from __future__ import annotations

from typing import ClassVar

from visado_kit.credentials.suite import BY, CredentialsHarness, CredentialsSuite
from visado_kit.expectations import expect_no_server_error
from visado_kit.harness import with_harness
from visado_kit.login.concurrency import cancel_call, expect_free_loop


class CredentialsConcurrency(CredentialsSuite):
    """A creation is whole or nothing, and holds nothing up."""

    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop, in seconds."""

    @with_harness
    async def test_cancelled_creations_leave_nothing_half_done(self, harness: CredentialsHarness) -> None:
        """A cancelled creation ends, and the calls after it work."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        for delay in (0, 0, 0.001, 0.005, 0.02):
            await cancel_call(harness.strategy.create(user_id, credentials, BY), delay)
            if await harness.strategy.exists(user_id):
                break
        advice = "a create() that is cancelled must store everything or nothing: write once, or undo what was written"
        if not await harness.strategy.exists(user_id):
            created = await expect_no_server_error(harness.strategy.create(user_id, credentials, BY))
            assert isinstance(created, dict), f"{advice}; the next create() was refused: {created!r}"
        await self.expect_accepted(harness, credentials, user_id, advice)

    @with_harness
    async def test_a_creation_does_not_block_the_event_loop(self, harness: CredentialsHarness) -> None:
        """Other tasks run while a call works."""
        numbers = iter(range(100))

        async def prepare() -> tuple[str, int]:
            number = next(numbers)
            return await harness.create_user(number), number

        await expect_free_loop(
            "create()",
            lambda made: harness.strategy.create(made[0], self.credentials(made[1]), BY),
            self.max_block_seconds,
            prepare,
        )
