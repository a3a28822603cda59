"""What every login check promises, as tests: subclass `LoginCheckContract`, and say how yours is made and answered.

    class TestMine(LoginCheckContract):
        def make(self, host):
            return next(check for check in host.security.logins if check.name == "mine")

        async def enroll(self, stage, user_id):
            await stage.host.security.users.update(user_id, {"phone": "+47 22 00 00 00"})

        async def answer(self, stage, user_id, challenge):
            return {"code": THE_LAST_CODE_THAT_WAS_SENT[user_id]}

Every test has a host of its own, with a clock that stands still (`stage.clock`) and a strategy that lets in whoever
the test wants. Logins and answers go the way of a client's: `auth:login`, through the whole of the host.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from visado.app import Visado
from visado.login_check import Accept, Login, LoginCheck
from visado.request import Fields, Request, Response
from visado_kit.canaries import Canaries
from visado_kit.check_stage import CheckStage, Door, accepted, refused
from visado_kit.clock import Clock
from visado_kit.stage import HOSTILE, ask, held, open_host, staged, told

_LONGEST_TIMEOUT: Final = 60
_LONGEST_CHALLENGE: Final = 3_600
_ALPHABETS: Final = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MOVED: Final = {ord(a): b for each in _ALPHABETS for a, b in zip(each, each[1:] + each[0], strict=True)}


class LoginCheckContract(ABC):
    """The suite. What a check does not do (challenge, refuse) is skipped."""

    challenges: ClassVar[bool] = True
    """Whether it ever challenges anybody."""
    accepts_others: ClassVar[bool] = True
    """Whether a user for whom nothing was set up gets a token at once."""
    secret_answers: ClassVar[bool] = True
    """Whether an answer is a secret, which works once and for one user: not so where it is a consent."""
    parallel: ClassVar[int] = 20
    longest_hold: ClassVar[float] = 0.05

    @abstractmethod
    def make(self, host: Visado) -> LoginCheck:
        """Make the check, or find the one that the host has."""

    async def enroll(self, stage: CheckStage, user_id: str) -> None:  # noqa: ARG002 - does nothing by default
        """Do whatever lets the check challenge this user."""
        return

    async def answer(self, stage: CheckStage, user_id: str, challenge: Fields) -> Fields:
        """Make a right answer, each time a fresh one, with nothing in it that does not decide.

        `challenge` is what the client sees. Where a code lasts for a while, let time pass: `stage.clock.advance(30)`.
        """
        raise NotImplementedError("say how a challenge is answered, or that there are none: challenges = False")

    def wrong_answer(self, answer: Fields) -> Fields:
        """Make a wrong answer that looks like a right one."""
        return {name: _moved(value) for name, value in answer.items()}

    async def refuse(self, stage: CheckStage, user_id: str) -> bool:  # noqa: ARG002 - nothing by default
        """Do whatever lets the check refuse this user, and return True; False where it refuses nobody."""
        return False

    def secrets(self) -> list[str]:
        """The texts that must never appear in a challenge, an answer or a log; right answers are among them anyway."""
        return []

    def settings(self) -> Fields:
        """Settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def stage(self, folder: Path) -> AsyncGenerator[CheckStage, None]:
        """Open a host with the check in it."""
        clock = Clock()
        async with open_host(folder, self.settings(), clock) as host:
            check = self.make(host)
            host.security.strategies.add(Door())
            host.security.logins._checks.pop(check.name, None)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            host.security.logins.add(check)
            await host.open()
            yield CheckStage(host, check, clock)

    async def enrolled(self, stage: CheckStage, number: int = 0) -> str:
        """Make a user whom the check challenges, and return its id."""
        user_id = await stage.user(number)
        await self.enroll(stage, user_id)
        return user_id

    async def challenged(self, stage: CheckStage, user_id: str) -> tuple[str, Fields]:
        """Log in as an enrolled user; return the reference and a right answer. Skips where there are no challenges."""
        if not self.challenges:
            pytest.skip("this check never challenges")
        challenge = await stage.challenge(user_id)
        return challenge["reference"], await self.answer(stage, user_id, challenge)

    # Decisions

    @staged
    async def test_is_declared_well(self, stage: CheckStage) -> None:
        """Its name and its limit make sense, and it can work."""
        check = stage.check
        assert isinstance(check, LoginCheck), "make() returns an instance of a subclass of visado.LoginCheck"
        assert check.name.isprintable(), "name: a printable word, which clients see"
        assert 0 < check.timeout <= _LONGEST_TIMEOUT, "timeout: seconds, more than none and no more than 60"
        assert check.problem() is None, f"problem() says that it cannot work, in a host where it can: {check.problem()}"

    @staged
    async def test_others_get_in(self, stage: CheckStage) -> None:
        """Who is not concerned gets a token at once."""
        if not self.accepts_others:
            pytest.skip("this check accepts nobody at once")
        user_id = await stage.user()
        accepted(await stage.login(user_id), user_id, "return Accept() for users who are not concerned")

    @staged
    async def test_a_right_answer_gets_a_token(self, stage: CheckStage) -> None:
        """Who is challenged and answers gets a token, of that user."""
        user_id = await self.enrolled(stage)
        reference, answer = await self.challenged(stage, user_id)
        accepted(await stage.reply(reference, answer), user_id, "return Accept() from answer() for a right answer")

    @staged
    async def test_refuses(self, stage: CheckStage) -> None:
        """Who is to be refused gets no token."""
        user_id = await stage.user()
        if not await self.refuse(stage, user_id):
            pytest.skip("this check refuses nobody")
        refused(await stage.login(user_id), "return Fail(reason) from check() where a login is to be refused")

    @staged
    async def test_grants_nothing_without_the_strategy(self, stage: CheckStage) -> None:
        """Where the strategy fails, nothing in the body makes a token."""
        user_id = await self.enrolled(stage)
        refused(await stage.login(user_id, "wrong"), "the strategy decides who it is, and a check never replaces it")
        _, answer = await self.challenged(stage, user_id)
        refused(await stage.login(user_id, "wrong", **answer), "an answer alone is no login: do not read it in check()")

    # Answers

    @staged
    async def test_wrong_answers_are_refused(self, stage: CheckStage) -> None:
        """A wrong answer, or none, is refused, and uses its reference up."""
        user_id = await self.enrolled(stage)
        reference, answer = await self.challenged(stage, user_id)
        if self.secret_answers:
            wrong = await stage.reply(reference, self.wrong_answer(answer))
            refused(wrong, "compare all of the answer with what was asked for: a wrong one ends in Fail or a Challenge")
            refused(await stage.reply(reference, answer), "a reference works once, even where the answer was wrong")
            reference = (await stage.challenge(user_id))["reference"]
        refused(await stage.reply(reference, {}), "an answer that is not there is wrong: return Fail from answer()")

    @staged
    async def test_hostile_answers_are_refused(self, stage: CheckStage) -> None:
        """Whatever JSON stands where the answer should: no token, and no 500."""
        user_id = await self.enrolled(stage)
        _, answer = await self.challenged(stage, user_id)
        bodies = [{**answer, field: value} for field in answer for value in HOSTILE if value != answer[field]]
        for number, body in enumerate(bodies, 1):
            user_id = await self.enrolled(stage, number)
            reference = (await stage.challenge(user_id))["reference"]
            mend = f"an answer may be any JSON: check its type before it is used; this one was {told(body)}"
            refused(await stage.reply(reference, body), mend)

    @staged
    async def test_unknown_references_are_refused(self, stage: CheckStage) -> None:
        """A right answer to a challenge that nobody was given is refused."""
        user_id = await self.enrolled(stage)
        _, answer = await self.challenged(stage, user_id)
        for reference in ("made-up", *HOSTILE):
            refused(await stage.reply(reference, answer), f"nobody was given the reference {told(reference)}")

    @staged
    async def test_challenges_come_to_an_end(self, stage: CheckStage) -> None:
        """A right answer that comes too late is refused."""
        user_id = await self.enrolled(stage)
        reference, answer = await self.challenged(stage, user_id)
        stage.clock.advance(_LONGEST_CHALLENGE)
        refused(await stage.reply(reference, answer), "lifetime: a challenge ends after an hour at the latest")

    @staged
    async def test_an_answer_works_once(self, stage: CheckStage) -> None:
        """The same answer once more is refused, to another challenge, too."""
        user_id = await self.enrolled(stage)
        reference, answer = await self.challenged(stage, user_id)
        accepted(await stage.reply(reference, answer), user_id, "return Accept() from answer() for a right answer")
        mend = "remember which answers were used, or bind them to their challenge: this one was replayed"
        refused(await stage.reply(reference, answer), mend)
        if self.secret_answers:
            again = await stage.challenge(user_id)
            refused(await stage.reply(again["reference"], answer), mend)

    @staged
    async def test_one_of_many_answers_gets_a_token(self, stage: CheckStage) -> None:
        """Of the same answer many times at once, one gets a token."""
        user_id = await self.enrolled(stage)
        references: list[str] = []
        if self.secret_answers and self.challenges:  # to other challenges of the same moment, too
            references = [(await stage.challenge(user_id))["reference"] for _ in range(3)]
        reference, answer = await self.challenged(stage, user_id)
        references += [reference] * self.parallel
        responses = await asyncio.gather(*(stage.reply(each, answer) for each in references))
        tokens = sum(response.error is None for response in responses)
        assert tokens == 1, (
            f"{tokens} of {len(references)} same answers at once got a token: note in one step (storage.update, "
            "storage.delete) that an answer is used, and accept where that step was yours"
        )

    @staged
    async def test_an_answer_is_of_one_user(self, stage: CheckStage) -> None:
        """One user's answer is wrong for another."""
        if not self.secret_answers:
            pytest.skip("the answers of this check are no secrets")
        user_id, other = await self.enrolled(stage), await self.enrolled(stage, 1)
        _, answer = await self.challenged(stage, user_id)
        challenge = await stage.challenge(other)
        mend = "keep what is expected under login.user.id, or in the challenge's state: this was another user's answer"
        refused(await stage.reply(challenge["reference"], answer), mend)

    # Under stress

    @staged
    async def test_abandoned_calls_harm_nobody(self, stage: CheckStage) -> None:
        """After calls that were cancelled, a right answer gets its token."""
        user_id = await self.enrolled(stage)
        for delay in (0, 0.001, 0.005):
            reference, answer = await self.challenged(stage, user_id)
            for task in (
                asyncio.create_task(stage.login(user_id)),
                asyncio.create_task(stage.reply(reference, answer)),
            ):
                await asyncio.sleep(delay)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        reference, answer = await self.challenged(stage, user_id)
        mend = "a call may be cancelled at any await: leave nothing locked or half written behind"
        accepted(await stage.reply(reference, answer), user_id, mend)

    @staged
    async def test_does_not_hold_the_event_loop(self, stage: CheckStage) -> None:
        """While a call is at work, others go on."""
        user_id = await self.enrolled(stage)
        mend = "keeps everybody else waiting for {:.3f} s: do slow work in a thread (asyncio.to_thread)"
        longest = await held(lambda _: stage.login(user_id), self.longest_hold)
        assert longest <= self.longest_hold, f"check() {mend.format(longest)}"

        async def answer(_: int) -> None:
            await stage.reply(*await self.challenged(stage, user_id))

        longest = await held(answer, self.longest_hold)
        assert longest <= self.longest_hold, f"answer() {mend.format(longest)}"

    @staged
    async def test_fails_closed(self, stage: CheckStage) -> None:
        """Where the storage is gone, nobody is accepted who would be asked."""
        user_id = await self.enrolled(stage)
        answer: Fields = {}
        if self.challenges:
            _, answer = await self.challenged(stage, user_id)
        elif not await self.refuse(stage, user_id):
            pytest.skip("this check neither challenges nor refuses")
        user = await stage.host.security.users.find(user_id)
        await stage.host.storage.close()
        wrong = Login(Request("1", "auth", "login", {}, self.wrong_answer(answer)), user, Door.name)
        for answering in (False, True):
            decision: object = None
            with suppress(Exception):
                decision = await (stage.check.answer(wrong, {}) if answering else stage.check.check(wrong))
            assert not isinstance(decision, Accept), (
                "who cannot be checked is not accepted: let errors of the storage and of others pass, or return Fail"
            )

    @staged
    async def test_forgets_deleted_users(self, stage: CheckStage) -> None:
        """The next user of an id is not asked for what the last one had."""
        user_id = await self.enrolled(stage)
        if not (self.challenges and self.accepts_others):
            pytest.skip("what this check asks for does not depend on what is kept of a user")
        await ask(stage.host, "security:deleteUser", _id=user_id)
        assert await stage.user() == user_id
        mend = "forget(user_id) what is kept of a deleted user: the next user of this id is another"
        accepted(await stage.login(user_id), user_id, mend)

    # Secrets

    @staged
    async def test_no_secret_is_logged_or_shown(self, stage: CheckStage) -> None:
        """Neither right nor wrong answers are in a log, a challenge, an answer or a `repr`."""
        canaries, shown = Canaries(), list[Response]()
        with canaries.watch():
            user_id = await self.enrolled(stage)
            for right in (False, True):
                reference, answer = await self.challenged(stage, user_id)
                sent = answer if right else self.wrong_answer(answer)
                shown += [await stage.login(user_id), await stage.reply(reference, sent)]
                texts = [each for each in (*answer.values(), *sent.values()) if isinstance(each, str)]
                for secret in (*self.secrets(), *(texts if self.secret_answers else ())):
                    canaries.add(secret)
        canaries.check(*(each.envelope("node") for each in shown), where="a challenge or an answer")
        canaries.check(repr(stage.check), where="the repr of the check")


def _moved(value: Any) -> Any:
    """Something that looks like it, and is another: every digit and letter is moved on by one."""
    return value.translate(_MOVED) if isinstance(value, str) else None
