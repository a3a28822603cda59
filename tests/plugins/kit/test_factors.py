"""Two checks of one factor through real logins: the choice, one that is enough, and offers that bypass nothing."""

from __future__ import annotations

import asyncio

import pytest

from visado import errors
from visado_kit import Clock, build_host
from visado_kit.harness import StubStrategy

from .right_checks import App, Printed, code_of

STEP_MS = 30_000
LIST = ["code-one", "code-two"]


class Logins:
    """A host with both checks, and its logins by the strategy of the kit."""

    def __init__(self, host, clock):
        self.host, self.clock = host, clock
        self.app, self.printed = App(host), Printed(host)
        host.replace_strategy(StubStrategy())
        for check in (self.app, self.printed):
            host.replace_login_check(check)

    async def log_in(self, user_id, **fields):
        body = {"stub_user": user_id, "stub_password": StubStrategy.RIGHT, **fields}
        return await self.host.run("auth:login", body, strategy="stub")

    async def challenge(self, user_id):
        error = (await self.log_in(user_id)).error
        assert isinstance(error, errors.LoginChallenged)
        return error.challenge

    async def answer(self, challenge, **fields):
        body = {"challenge": challenge["reference"], **fields}
        return await self.host.run("auth:login", body, strategy="stub")

    def code(self, user_id):
        self.clock.advance(30)
        return code_of(f"key of {user_id}", self.clock() // STEP_MS)

    async def user(self, number, *, app=False, printed=False):
        user_id = await self.host.create_user(number)
        if app:
            await self.app.give(user_id, f"key of {user_id}")
        if printed:
            await self.printed.give(user_id, LIST)
        return user_id


@pytest.fixture
def play(tmp_path):
    def run(test):
        async def main():
            clock = Clock()
            async with build_host(tmp_path, {}, clock) as host:
                logins = Logins(host, clock)
                await host.open()
                await test(logins)

        asyncio.run(main())

    return run


def test_a_user_with_both_chooses_and_one_is_enough(play):
    async def test(logins):
        user_id = await logins.user(0, app=True, printed=True)
        challenge = await logins.challenge(user_id)
        assert [each["check"] for each in challenge["choices"]] == ["app", "printed"]
        assert challenge["choices"][1]["data"] == {"fields": ["code"]}
        response = await logins.answer(challenge, check="printed", code=LIST[0])
        token = await logins.host.tokens.verify(response.reply.result["jwt"])
        assert token.methods == {"otp"}
        response = await logins.answer(await logins.challenge(user_id), check="app", code=logins.code(user_id))
        assert response.error is None
        response = await logins.answer(await logins.challenge(user_id), code=logins.code(user_id))
        assert response.error is None, "without `check`, the first one is answered"

    play(test)


def test_an_answer_to_one_is_no_answer_to_the_other(play):
    async def test(logins):
        user_id = await logins.user(0, app=True, printed=True)
        challenge = await logins.challenge(user_id)
        assert (await logins.answer(challenge, check="app", code=LIST[0])).error.status == 401
        challenge = await logins.challenge(user_id)
        assert (await logins.answer(challenge, check="printed", code=logins.code(user_id))).error.status == 401
        challenge = await logins.challenge(user_id)
        assert (await logins.answer(challenge, check="password", code=LIST[0])).error.status == 401

    play(test)


def test_the_smallest_number_of_tries_counts_for_both(play):
    async def test(logins):
        user_id = await logins.user(0, app=True, printed=True)
        challenge = await logins.challenge(user_id)
        assert (await logins.answer(challenge, check="app", code="wrong")).error.status == 401
        assert (await logins.answer(challenge, check="app", code=logins.code(user_id))).error.status == 401
        alone = await logins.user(1, app=True)
        challenge = await logins.challenge(alone)
        assert (await logins.answer(challenge, code="wrong")).error.status == 401
        assert (await logins.answer(challenge, code=logins.code(alone))).error is None

    play(test)


def test_who_has_one_is_not_offered_the_other(play):
    async def test(logins):
        user_id = await logins.user(0, app=True)
        challenge = await logins.challenge(user_id)
        assert challenge["check"] == "app"
        assert "choices" not in challenge
        offer = logins.printed.offer(user_id)
        response = await logins.answer(challenge, check="printed", code=offer.data["codes"][0])
        assert response.error.status == 401
        assert await logins.host.storage.get("printed", user_id) is None

    play(test)


def test_an_offer_that_is_accepted_is_asked_for_at_the_next_login(play):
    async def test(logins):
        user_id = await logins.user(0)
        offer = await logins.challenge(user_id)
        codes = offer["data"]["codes"]
        assert (await logins.answer(offer, code="wrong")).error.status == 401
        offer = await logins.challenge(user_id)
        assert (await logins.answer(offer, code=codes[0])).error is None
        challenge = await logins.challenge(user_id)
        assert challenge["data"] == {"fields": ["code"]}
        assert (await logins.answer(challenge, code=codes[0])).error.status == 401
        assert (await logins.answer(await logins.challenge(user_id), code=codes[1])).error is None

    play(test)


def test_an_offer_ends_when_the_user_sets_up_the_other_one(play):
    """Who knows the password alone kept an offer open, and the user set up the app meanwhile."""

    async def test(logins):
        user_id = await logins.user(0)
        offer = await logins.challenge(user_id)
        await logins.app.give(user_id, f"key of {user_id}")
        assert (await logins.answer(offer, code=offer["data"]["codes"][0])).error.status == 401
        assert await logins.host.storage.get("printed", user_id) is None
        assert (await logins.challenge(user_id))["check"] == "app"

    play(test)
