"""Logins of several steps: what comes back after a redirect, and the answers to challenges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, cast

import pytest

from visado import Challenge, Success
from visado_kit.client_request import ClientRequest
from visado_kit.expectations import expect_no_server_error, expect_refusal, short_repr
from visado_kit.harness import with_harness
from visado_kit.login.suite import LoginHarness, LoginSuite, expect_token, right_request, subject_of


class LoginSteps(LoginSuite):
    """An answer continues the login that asked for it, and no other."""

    bound: ClassVar[bool] = True
    """Whether a right answer is right for its own login only; False where the answer is a consent."""

    @with_harness
    async def test_an_answer_works_once(self, harness: LoginHarness) -> None:
        """The same answer a second time gets no token."""
        self._need_steps()
        user_id = await self.prepare(harness, 0)
        last = await self.last_request(harness, 0, through_host=True)
        entered = await expect_no_server_error(harness.log_in(last.sent, last.after))
        expect_token(entered, user_id, "return Success from answer() for a right answer")
        await expect_refusal(harness.log_in(last.sent, last.after), "an answer works once: this one was sent twice")

    @with_harness
    async def test_a_wrong_answer_uses_up_a_try(self, harness: LoginHarness) -> None:
        """After as many wrong answers as a challenge has tries, the right answer gets no token; before, it does."""
        self._need_steps()
        user_id = await self.prepare(harness, 0)
        last = await self.last_request(harness, 0)
        if self.wrong(last.sent) is None:
            pytest.skip("wrong() returns None: an answer holds no secret")
        outcome = last.after.outcome if last.after is not None else None
        tries = outcome.tries if isinstance(outcome, Challenge) else 1
        for wrong_answers in {tries - 1, tries}:
            last = await self.last_request(harness, 0, through_host=True)
            for _ in range(wrong_answers):
                refused = harness.log_in(self.wrong(last.sent), last.after)
                await expect_refusal(refused, "return Fail from answer() for a wrong answer")
            call = harness.log_in(last.sent, last.after)
            if wrong_answers < tries:
                advice = f"tries is {tries}: a right answer after {wrong_answers} wrong ones must log in"
                expect_token(await expect_no_server_error(call), user_id, advice)
            else:
                await expect_refusal(call, f"the reference must be used up after {tries} wrong answers")

    @with_harness
    async def test_an_answer_belongs_to_its_login(self, harness: LoginHarness) -> None:
        """The right answer to the login of one user is wrong for the login of another, and raises nothing."""
        self._need_steps()
        for number in (0, 1):
            await self.prepare(harness, number)
        other, last = await self.last_request(harness, 1), await self.last_request(harness, 0)
        state: Any = cast("Challenge", last.after.outcome if last.after is not None else None).state
        request = harness.build(other.sent, other.after)
        outcome = await expect_no_server_error(harness.strategy.answer(request, dict(state)), other.sent)
        if self.bound:
            assert not isinstance(outcome, Success), (
                "answer() must compare an answer with the state that it receives: the answer to the login of one user "
                f"was right for the login of another, and logged in {subject_of(outcome)!r}"
            )

    @with_harness
    async def test_pages_of_its_origins_may_post_answers(self, harness: LoginHarness) -> None:
        """A form that a page of `posts_from` posts continues a login, and starts none."""
        origins = sorted(harness.strategy.posts_from)
        if not origins:
            pytest.skip("posts_from is empty: no page of another site posts an answer here")
        user_id = await self.prepare(harness, 0)
        origin = "https://idp.example" if "*" in origins else origins[0]
        last = await self.last_request(harness, 0, through_host=True)
        question = last.after.question if last.after is not None else None
        posted = question is not None and question.location is not None and bool(right_request(last).body)
        assert posted, (
            "posts_from: declare no origin, because no page of another site posts to this strategy: only the answer to "
            "a Redirect can be posted, as the body of a form"
        )
        sent = replace(right_request(last), origin=origin)
        entered = await expect_no_server_error(harness.log_in(sent, last.after))
        expect_token(
            entered,
            user_id,
            f"a page of {origin} posts the answer: return a Redirect with a state and same_client, which the host "
            "keeps for this browser",
        )
        foreign = await expect_no_server_error(harness.log_in(ClientRequest(sent.body, origin=origin)))
        token = getattr(getattr(foreign, "outcome", None), "token", None)
        assert token is None, f"a form of another site must not start a login: {short_repr(foreign)}"

    def _need_steps(self) -> None:
        if self.steps == 1:
            pytest.skip("steps is 1: a login of this strategy is one request")
