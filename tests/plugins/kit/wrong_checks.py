"""Login checks with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import asyncio
import logging
import time

from visado import Accept, Challenge, Fail, Pass

from .right import Codes, CodesContract
from .right_checks import METHODS, App, AppContract, Printed, PrintedContract


class TestAcceptsRepeatedAnswers(CodesContract):
    caught_by, says = "test_an_answer_works_once", "record which answers were used"

    class Plugin(Codes):
        async def take(self, user_id, digest):
            return digest in (await self.storage.get("codes", user_id))["left"]


class TestRecordsInASecondStep(CodesContract):
    """Records that a code is used in a second step: two logins may have found it unused."""

    caught_by, says = "test_one_of_many_answers_gets_a_token", "record in one step"

    class Plugin(Codes):
        async def take(self, user_id, digest):
            unused = digest in (await self.storage.get("codes", user_id))["left"]
            await asyncio.sleep(0.001)
            return await super().take(user_id, digest) or unused


class TestAcceptsAnyAnswer(CodesContract):
    caught_by, says = "test_wrong_answers_are_refused", "compare the whole answer with the expected one"

    class Plugin(Codes):
        async def answer(self, login, state):
            return Accept() if login.request.fields.get("code") else Fail()


class TestAcceptsAMissingAnswer(CodesContract):
    """Compares a missing answer with a missing state."""

    caught_by, says = "test_wrong_answers_are_refused", "return Fail from answer() for a missing answer"

    class Plugin(Codes):
        async def answer(self, login, state):
            code = login.request.fields.get("code")
            return Accept() if code == state.get("code") else await super().answer(login, state)


class TestAcceptsOtherTypes(CodesContract):
    caught_by, says = "test_hostile_answers_are_refused", "an answer may be any JSON: check its type"

    class Plugin(Codes):
        async def answer(self, login, state):
            code = login.request.fields.get("code")
            return await super().answer(login, state) if isinstance(code, str) or code is None else Accept()


class TestRaisesForOtherTypes(CodesContract):
    caught_by, says = "test_hostile_answers_are_refused", "the log says what was raised"

    class Plugin(Codes):
        async def answer(self, login, state):
            code = login.request.fields["code"].strip()
            return Accept() if await self.take(login.user.id, self.digest(code)) else Fail("wrong code")


class TestShowsTheCode(CodesContract):
    caught_by, says = "test_no_secret_is_logged_or_shown", "is in a challenge or a response"

    class Plugin(Codes):
        async def check(self, login):
            decision = await super().check(login)
            hint = {"example": "code-0-of-" + login.user.id}
            return Challenge(data=hint) if isinstance(decision, Challenge) else decision


class TestLogsTheCode(CodesContract):
    caught_by, says = "test_no_secret_is_logged_or_shown", "is in the log"

    class Plugin(Codes):
        async def answer(self, login, state):
            logging.getLogger("codes").info("an answer: %s", login.request.fields)
            return await super().answer(login, state)


class TestAcceptsTheCodeOfAnotherUser(CodesContract):
    caught_by, says = "test_an_answer_is_of_one_user", "this was the answer of another user"

    class Plugin(Codes):
        async def take(self, user_id, digest):
            for other in ("kuid-of-user-0", "kuid-of-user-1"):
                if await self.storage.get("codes", other) and await super().take(other, digest):
                    return True
            return False


class TestBlocksTheLoop(CodesContract):
    caught_by, says = "test_does_not_block_the_event_loop", "run slow work in a thread"

    class Plugin(Codes):
        async def answer(self, login, state):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            return await super().answer(login, state)


class TestAcceptsWithoutTheStorage(CodesContract):
    caught_by, says = "test_fails_closed", "do not accept a login that cannot be checked"

    class Plugin(Codes):
        async def check(self, login):
            try:
                return await super().check(login)
            except Exception:
                return Accept()


class TestNeverChallenges(CodesContract):
    caught_by, says = "test_a_right_answer_gets_a_token", "check() must return a Challenge at every login"

    class Plugin(Codes):
        async def check(self, login):
            return Accept()


class TestRefusesEveryUser(CodesContract):
    caught_by, says = "test_accepts_other_users", "return Pass() for a user for whom the check is not set up"

    class Plugin(Codes):
        async def check(self, login):
            return Fail("no codes")


class TestRemembersDeletedUsers(CodesContract):
    caught_by, says = "test_forgets_deleted_users", "delete in forget(user_id) all that is stored of a user"

    class Plugin(Codes):
        async def forget(self, user_id):
            return


class TestHasATimeoutOfAnHour(CodesContract):
    caught_by, says = "test_is_declared_well", "timeout: use more than 0 and at most 60 seconds, not 3600"

    class Plugin(Codes):
        timeout = 3_600


class TestReplacesAnotherCheck(AppContract):
    """Accepts the login of a user who has no app: the other check of the factor is never asked."""

    caught_by, says = "test_does_not_replace_an_alternative", "return Pass() from check() for a user for whom the check"

    class Plugin(App):
        async def check(self, login):
            decision = await super().check(login)
            return Accept() if isinstance(decision, Pass) else decision


class TestOffersItselfInPlaceOfAnotherCheck(PrintedContract):
    """An offer that is a challenge like any other: who knows the password alone prints a list."""

    caught_by, says = "test_does_not_replace_an_alternative", "return Challenge(enrols=True) from check() for an offer"

    class Plugin(Printed):
        def offer(self, user_id):
            offer = super().offer(user_id)
            return Challenge(offer.data, offer.state, offer.reason)


class TestRefusesWhoHasAnotherCheck(AppContract):
    caught_by, says = "test_does_not_replace_an_alternative", "return Pass() from check() for a user for whom the check"

    class Plugin(App):
        async def check(self, login):
            decision = await super().check(login)
            return Fail("an app, please") if isinstance(decision, Pass) else decision


class TestIsAnOfferForEverybody(AppContract):
    """Its challenge of a user who has the app says that it is an offer: where there is another check, it is not asked."""

    caught_by, says = "test_is_an_alternative", "a right answer to one of the checks of a factor is enough"

    class Plugin(App):
        async def check(self, login):
            decision = await super().check(login)
            return Challenge(enrols=True) if isinstance(decision, Challenge) else decision


class TestNeverOffersItself(PrintedContract):
    caught_by, says = "test_offers_itself", "offers is True: return Challenge(enrols=True)"

    class Plugin(Printed):
        def offer(self, user_id):
            return Pass()


class TestSaysNothingOfItsMethods(AppContract):
    caught_by, says = "test_says_how_the_user_proved_it", "return Accept(methods=frozenset(['otp'])) from answer()"

    class Plugin(App):
        async def answer(self, login, state):
            decision = await super().answer(login, state)
            return Accept() if isinstance(decision, Accept) else decision


class TestClaimsWhatNobodyProved(CodesContract):
    """The token of a user without codes says that the user gave one."""

    caught_by, says = "test_says_how_the_user_proved_it", "name no methods in Accept() for a user who proved nothing"

    class Plugin(Codes):
        async def check(self, login):
            decision = await super().check(login)
            return Accept(methods=METHODS) if isinstance(decision, Pass) else decision


class TestNamesItsMethodsInASentence(AppContract):
    caught_by, says = "test_says_how_the_user_proved_it", "methods: use names as RFC 8176 has them"

    class Plugin(App):
        async def answer(self, login, state):
            decision = await super().answer(login, state)
            return Accept(methods=frozenset({"A code"})) if isinstance(decision, Accept) else decision


class TestCountsTriesItself(AppContract):
    """Refuses the right code after one that was wrong, where its challenge promises two tries."""

    caught_by, says = (
        "test_a_wrong_answer_uses_up_a_try",
        "tries is 2: a right answer after 1 wrong ones must get a token",
    )

    class Plugin(App):
        async def answer(self, login, state):
            decision = await super().answer(login, state)
            if isinstance(decision, Fail):
                await self.storage.update("app", login.user.id, lambda row: {**row, "used": row["used"] + 10**9})
            return decision


class TestHasAnEmptyFactor(AppContract):
    caught_by, says = "test_is_declared_well", "factor: use a printable word, not ''"

    class Plugin(App):
        factor = ""
