"""A check under stress: cancelled calls, slow work, a closed storage, deleted users, and secrets in logs."""

from __future__ import annotations

from contextlib import suppress

import pytest

from visado import Accept, Fields, Login, Request, Success
from visado_kit.canaries import Canaries
from visado_kit.expectations import cancel, measure_block
from visado_kit.harness import StubStrategy, with_harness
from visado_kit.in_process import Response
from visado_kit.login_check.suite import LoginCheckHarness, LoginCheckSuite, expect_token


class LoginCheckResilience(LoginCheckSuite):
    """Nothing that goes wrong makes a check accept, block the host, or reveal a secret."""

    @with_harness
    async def test_cancelled_calls_leave_nothing_half_done(self, harness: LoginCheckHarness) -> None:
        """After calls that were cancelled, a right answer gets a token."""
        user_id = await self.create_enrolled(harness)
        for delay in (0, 0.001, 0.005):
            reference, answer = await self.get_challenged(harness, user_id)
            for call in (harness.login(user_id), harness.reply(reference, answer)):
                future, _ = await cancel(call, delay)
                if not future.cancelled():
                    future.result()
        reference, answer = await self.get_challenged(harness, user_id)
        advice = "a call may be cancelled at any await: release every lock, and write everything or nothing"
        expect_token(await harness.reply(reference, answer), user_id, advice)

    @with_harness
    async def test_does_not_block_the_event_loop(self, harness: LoginCheckHarness) -> None:
        """Other tasks run while a call works."""
        user_id = await self.create_enrolled(harness)
        advice = "blocks the event loop for {:.3f} s: run slow work in a thread (asyncio.to_thread)"
        seconds = await measure_block(lambda _: harness.login(user_id), self.max_block_seconds)
        assert seconds <= self.max_block_seconds, f"check() {advice.format(seconds)}"

        async def answer(_: int) -> None:
            await harness.reply(*await self.get_challenged(harness, user_id))

        seconds = await measure_block(answer, self.max_block_seconds)
        assert seconds <= self.max_block_seconds, f"answer() {advice.format(seconds)}"

    @with_harness
    async def test_fails_closed(self, harness: LoginCheckHarness) -> None:
        """Without the storage, a login that the check would challenge or refuse is not accepted."""
        user_id = await self.create_enrolled(harness)
        answer: Fields = {}
        if self.challenges:
            _, answer = await self.get_challenged(harness, user_id)
        elif not await self.refuse(harness, user_id):
            pytest.skip("this check neither challenges nor refuses")
        user = await harness.host.users.find(user_id)
        await harness.host.storage.close()
        login = Login(
            Request("1", "auth", "login", {}, self.wrong_answer(answer)), user, StubStrategy.name, Success(user_id)
        )
        for answering in (False, True):
            decision: object = None
            with suppress(Exception):
                decision = await (harness.check.answer(login, {}) if answering else harness.check.check(login))
            assert not isinstance(decision, Accept), (
                "do not accept a login that cannot be checked: let errors of the storage pass, or return Fail"
            )

    @with_harness
    async def test_forgets_deleted_users(self, harness: LoginCheckHarness) -> None:
        """A new user with the id of a deleted user is not challenged."""
        user_id = await self.create_enrolled(harness)
        if not (self.challenges and self.accepts_others):
            pytest.skip("the decision of this check does not depend on what it stores of a user")
        await harness.host.run("security:deleteUser", _id=user_id)
        assert await harness.create_user() == user_id
        advice = "delete in forget(user_id) all that is stored of a user: a new user may have the same id"
        expect_token(await harness.login(user_id), user_id, advice)

    @with_harness
    async def test_no_secret_is_logged_or_shown(self, harness: LoginCheckHarness) -> None:
        """Neither right nor wrong answers are in a log, a challenge, a response or a `repr`."""
        canaries, responses = Canaries(), list[Response]()
        with canaries.watch():
            user_id = await self.create_enrolled(harness)
            for right in (False, True):
                reference, answer = await self.get_challenged(harness, user_id)
                sent = answer if right else self.wrong_answer(answer)
                responses += [await harness.login(user_id), await harness.reply(reference, sent)]
                texts = [each for each in (*answer.values(), *sent.values()) if isinstance(each, str)]
                for secret in (*self.secrets(), *(texts if self.secret_answers else ())):
                    canaries.add(secret)
        canaries.check(*(each.envelope("node") for each in responses), where="a challenge or a response")
        canaries.check(repr(harness.check), where="the repr of the check: write a __repr__ without it")
