"""Which logins a check accepts, challenges and refuses."""

from __future__ import annotations

import pytest

from visado import LoginCheck
from visado_kit.expectations import MAX_TIMEOUT_SECONDS
from visado_kit.harness import with_harness
from visado_kit.login_check.suite import LoginCheckHarness, LoginCheckSuite, expect_no_token, expect_token


class LoginCheckDecisions(LoginCheckSuite):
    """A check accepts, challenges or refuses a login that the strategy accepted."""

    @with_harness
    async def test_is_declared_well(self, harness: LoginCheckHarness) -> None:
        """The name and the time limit are valid, and the check has no problem."""
        check = harness.check
        assert isinstance(check, LoginCheck), "make() must return an instance of a subclass of visado.LoginCheck"
        assert check.name.isprintable(), f"name: use a printable word, which clients get; not {check.name!r}"
        assert 0 < check.timeout <= MAX_TIMEOUT_SECONDS, (
            f"timeout: use more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds, not {check.timeout}"
        )
        factor = check.factor
        assert factor is None or (factor and factor.isprintable()), f"factor: use a printable word, not {factor!r}"
        problem = check.problem()
        assert problem is None, f"problem() must return None in a host where the check can work, not {problem!r}"

    @with_harness
    async def test_accepts_other_users(self, harness: LoginCheckHarness) -> None:
        """A user for whom the check is not set up gets a token at once."""
        if not self.accepts_others:
            pytest.skip("accepts_others is False: this check accepts no user at once")
        user_id = await harness.create_user()
        expect_token(await harness.login(user_id), user_id, "return Pass() for a user for whom the check is not set up")

    @with_harness
    async def test_a_right_answer_gets_a_token(self, harness: LoginCheckHarness) -> None:
        """A user who answers a challenge gets a token."""
        user_id = await self.create_enrolled(harness)
        reference, answer = await self.get_challenged(harness, user_id)
        response = await harness.reply(reference, answer)
        expect_token(response, user_id, "return Accept() from answer() for a right answer")

    @with_harness
    async def test_refuses(self, harness: LoginCheckHarness) -> None:
        """A user whom the check refuses gets no token."""
        user_id = await harness.create_user()
        if not await self.refuse(harness, user_id):
            pytest.skip("refuse() returns False: this check never refuses")
        expect_no_token(await harness.login(user_id), "return Fail(reason) from check() for a login that it refuses")

    @with_harness
    async def test_does_not_replace_the_strategy(self, harness: LoginCheckHarness) -> None:
        """A login that the strategy refuses gets no token, whatever is in its body."""
        user_id = await self.create_enrolled(harness)
        advice = "a login check must not accept a login that the strategy refuses"
        expect_no_token(await harness.login(user_id, "wrong"), advice)
        _, answer = await self.get_challenged(harness, user_id)
        expect_no_token(await harness.login(user_id, "wrong", **answer), f"{advice}: do not read an answer in check()")
