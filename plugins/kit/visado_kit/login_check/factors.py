"""Checks of one factor are alternatives: the choice, the tries of a challenge, and what an answer proves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import pytest

from visado import Fields, errors
from visado_kit.harness import StubCheck, with_harness
from visado_kit.login_check.suite import (
    LoginCheckHarness,
    LoginCheckSuite,
    describe_response,
    expect_no_token,
    expect_token,
)

_METHOD: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


class LoginCheckFactors(LoginCheckSuite):
    """A check beside another one of its factor replaces it where the user proves something, and nowhere else."""

    offers: ClassVar[bool] = False
    """Whether the check offers to set itself up, with `enrols=True`, to a user for whom `enroll` did not run."""
    methods: ClassVar[frozenset[str] | None] = None
    """The methods that a right answer adds to the token, as RFC 8176 names them: `otp`, `hwk`. None: not compared."""

    @with_harness
    async def test_does_not_replace_an_alternative(self, harness: LoginCheckHarness) -> None:
        """A user who set up another check of the factor, and not this one, has to answer the other one."""
        other = _other(harness)
        if not (self.accepts_others or self.offers):
            pytest.skip("accepts_others is False: this check is set up for every user")
        user_id = await harness.create_user()
        other.users.add(user_id)
        response = await harness.login(user_id)
        challenge = _challenge(
            response.error,
            "return Pass() from check() for a user for whom the check is not set up: with Accept(), a login needs no "
            f"other check of the factor {other.factor!r}; the client got {describe_response(response)}",
        )
        named = _names(challenge)
        assert named == [other.name], (
            "return Challenge(enrols=True) from check() for an offer to set the check up: otherwise a client that "
            "knows the password alone sets it up, and does not answer the check that the user has; the challenge names "
            f"{named!r}"
        )
        response = await harness.reply(challenge["reference"], {"check": other.name, **other.RIGHT})
        expect_token(response, user_id, "check() must let a login pass that another check of the factor accepts")

    @with_harness
    async def test_is_an_alternative(self, harness: LoginCheckHarness) -> None:
        """A user who set up two checks of the factor answers either of them."""
        other = _other(harness)
        user_id = await self.create_enrolled(harness)
        other.users.add(user_id)
        reference, answer = await self.get_challenged(harness, user_id)
        response = await harness.reply(reference, {**answer, "check": harness.check.name})
        advice = "a right answer to one of the checks of a factor is enough"
        expect_token(response, user_id, advice)
        challenge = await harness.challenge(user_id)
        assert {*_names(challenge)} == {harness.check.name, other.name}, (
            f"return a Challenge that is no offer for a user who set the check up: the client may choose between "
            f"{_names(challenge)!r}"
        )
        response = await harness.reply(challenge["reference"], {"check": other.name, **other.RIGHT})
        expect_token(response, user_id, advice)
        if self.secret_answers:
            reference, answer = await self.get_challenged(harness, user_id)
            response = await harness.reply(reference, {**self.wrong_answer(answer), "check": harness.check.name})
            expect_no_token(response, "a wrong answer must be refused, also where the user has a choice")

    @with_harness
    async def test_offers_itself(self, harness: LoginCheckHarness) -> None:
        """A user without any check of the factor is offered this one."""
        if not self.offers:
            pytest.skip("offers is False: this check offers nothing at a login")
        response = await harness.login(await harness.create_user())
        challenge = _challenge(
            response.error,
            "offers is True: return Challenge(enrols=True) from check() for a user for whom the check is not set up; "
            f"the client got {describe_response(response)}",
        )
        assert _names(challenge) == [harness.check.name]

    @with_harness
    async def test_says_how_the_user_proved_it(self, harness: LoginCheckHarness) -> None:
        """The token has the methods of a right answer, and none where the user proved nothing."""
        if self.accepts_others:
            user_id = await harness.create_user(1)
            got = await harness.methods(await harness.login(user_id))
            assert not got, (
                "name no methods in Accept() for a user who proved nothing to the check: the token says "
                f"{sorted(got)!r}"
            )
        user_id = await self.create_enrolled(harness)
        reference, answer = await self.get_challenged(harness, user_id)
        response = await harness.reply(reference, answer)
        expect_token(response, user_id, "return Accept() from answer() for a right answer")
        got = await harness.methods(response)
        words = all(_METHOD.fullmatch(each) for each in got)
        assert words, f"methods: use names as RFC 8176 has them, such as 'otp' and 'hwk', not {sorted(got)!r}"
        assert self.methods in {None, got}, (
            f"return Accept(methods=frozenset({sorted(self.methods or ())!r})) from answer() for a right answer: the "
            f"token says {sorted(got)!r}"
        )

    @with_harness
    async def test_a_wrong_answer_uses_up_a_try(self, harness: LoginCheckHarness) -> None:
        """After as many wrong answers as a challenge has tries, the right one is refused; before, it is accepted."""
        if not self.secret_answers:
            pytest.skip("secret_answers is False: the answers of this check are no secrets")
        user_id = await self.create_enrolled(harness)
        tries = await harness.tries(user_id) if self.challenges else 1
        for wrong_answers in (tries, tries - 1):
            reference, answer = await self.get_challenged(harness, user_id)
            for _ in range(wrong_answers):
                response = await harness.reply(reference, self.wrong_answer(answer))
                expect_no_token(response, "return Fail or a Challenge from answer() for a wrong answer")
            response = await harness.reply(reference, answer)
            if wrong_answers < tries:
                advice = f"tries is {tries}: a right answer after {wrong_answers} wrong ones must get a token"
                expect_token(response, user_id, advice)
            else:
                expect_no_token(response, f"a reference must be used up after {tries} wrong answers")


def _other(harness: LoginCheckHarness) -> StubCheck:
    """Return the other check of the factor. Skips the test if the check has no factor."""
    if harness.other is None:
        pytest.skip("factor is None: this check is no alternative to another one")
    return harness.other


def _challenge(error: object, advice: str) -> Fields:
    assert isinstance(error, errors.LoginChallenged), advice
    return error.challenge


def _names(challenge: Mapping[str, Any]) -> list[str]:
    """Return the names of the checks that a client may answer."""
    choices: list[Mapping[str, Any]] = challenge.get("choices", [challenge])
    return [each["check"] for each in choices]
