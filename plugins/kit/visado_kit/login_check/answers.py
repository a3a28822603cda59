"""Which answers to a challenge get a token: right ones, in time, once, and from one user."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from visado_kit.expectations import short_repr
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES
from visado_kit.login_check.suite import LoginCheckHarness, LoginCheckSuite, expect_no_token, expect_token

_MAX_CHALLENGE_SECONDS: Final = 3_600


class LoginCheckAnswers(LoginCheckSuite):
    """A right answer gets one token, and every other answer gets none."""

    @with_harness
    async def test_wrong_answers_are_refused(self, harness: LoginCheckHarness) -> None:
        """A wrong answer and a missing answer are refused."""
        user_id = await self.create_enrolled(harness)
        reference, answer = await self.get_challenged(harness, user_id)
        if self.secret_answers:
            expect_no_token(
                await harness.reply(reference, self.wrong_answer(answer)),
                "compare the whole answer with the expected one: return Fail or a Challenge for a wrong answer",
            )
            reference = (await harness.challenge(user_id))["reference"]
        expect_no_token(await harness.reply(reference, {}), "return Fail from answer() for a missing answer")

    @with_harness
    async def test_hostile_answers_are_refused(self, harness: LoginCheckHarness) -> None:
        """Any JSON in the place of the answer leads to no token, and to no error of 500."""
        user_id = await self.create_enrolled(harness)
        _, answer = await self.get_challenged(harness, user_id)
        bodies = [{**answer, field: value} for field in answer for value in HOSTILE_VALUES if value != answer[field]]
        for number, body in enumerate(bodies, 1):
            user_id = await self.create_enrolled(harness, number)
            reference = (await harness.challenge(user_id))["reference"]
            expect_no_token(
                await harness.reply(reference, body),
                f"an answer may be any JSON: check its type before using it; this answer was {short_repr(body)}",
            )

    @with_harness
    async def test_unknown_references_are_refused(self, harness: LoginCheckHarness) -> None:
        """A right answer with a reference that the host did not issue is refused."""
        user_id = await self.create_enrolled(harness)
        _, answer = await self.get_challenged(harness, user_id)
        for reference in ("made-up", *HOSTILE_VALUES):
            expect_no_token(
                await harness.reply(reference, answer), f"the host did not issue the reference {short_repr(reference)}"
            )

    @with_harness
    async def test_challenges_expire(self, harness: LoginCheckHarness) -> None:
        """A right answer that comes after an hour is refused."""
        user_id = await self.create_enrolled(harness)
        reference, answer = await self.get_challenged(harness, user_id)
        harness.clock.advance(_MAX_CHALLENGE_SECONDS)
        expect_no_token(await harness.reply(reference, answer), "lifetime: a challenge must expire within 3600 seconds")

    @with_harness
    async def test_an_answer_works_once(self, harness: LoginCheckHarness) -> None:
        """The same answer sent a second time is refused, to another challenge, too."""
        user_id = await self.create_enrolled(harness)
        reference, answer = await self.get_challenged(harness, user_id)
        response = await harness.reply(reference, answer)
        expect_token(response, user_id, "return Accept() from answer() for a right answer")
        advice = "record which answers were used, or bind an answer to its challenge: this answer was sent twice"
        expect_no_token(await harness.reply(reference, answer), advice)
        if self.secret_answers:
            again = await harness.challenge(user_id)
            expect_no_token(await harness.reply(again["reference"], answer), advice)

    @with_harness
    async def test_one_of_many_answers_gets_a_token(self, harness: LoginCheckHarness) -> None:
        """Of the same answer sent many times at once, one gets a token."""
        user_id = await self.create_enrolled(harness)
        references: list[str] = []
        if self.secret_answers and self.challenges:  # other challenges of the same moment, too
            references = [(await harness.challenge(user_id))["reference"] for _ in range(3)]
        reference, answer = await self.get_challenged(harness, user_id)
        references += [reference] * self.parallel
        responses = await asyncio.gather(*(harness.reply(each, answer) for each in references))
        tokens = sum(response.error is None for response in responses)
        assert tokens == 1, (
            f"of {len(references)} equal answers at once, {tokens} got a token: record in one step (storage.update, "
            "storage.delete) that an answer is used, and accept it only if this step succeeded"
        )

    @with_harness
    async def test_an_answer_is_of_one_user(self, harness: LoginCheckHarness) -> None:
        """The answer of one user is wrong for another."""
        if not self.secret_answers:
            pytest.skip("secret_answers is False: the answers of this check are no secrets")
        user_id, other = await self.create_enrolled(harness), await self.create_enrolled(harness, 1)
        _, answer = await self.get_challenged(harness, user_id)
        challenge = await harness.challenge(other)
        expect_no_token(
            await harness.reply(challenge["reference"], answer),
            "store the expected answer under login.user.id, or in the state of the challenge: this was the answer of "
            "another user",
        )
