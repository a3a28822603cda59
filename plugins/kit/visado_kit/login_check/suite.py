"""The login check under test: the subclass makes it and answers its challenges, and each test has a host of its own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from visado import Challenge, Fields, Login, LoginCheck, Success, errors
from visado_kit.client_request import build_request
from visado_kit.clock import Clock
from visado_kit.expectations import SERVER_ERROR, short_repr
from visado_kit.harness import StubCheck, StubStrategy
from visado_kit.in_process import InProcessHost, Response, build_host

_ALPHABETS: Final = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ROTATION: Final = {ord(a): b for each in _ALPHABETS for a, b in zip(each, each[1:] + each[0], strict=True)}


@dataclass(frozen=True, slots=True)
class LoginCheckHarness:
    """The login check under test, in an open host."""

    host: InProcessHost
    check: LoginCheck
    clock: Clock
    other: StubCheck | None = None
    """Another check of the same factor, which challenges nobody unless a test says so; None without a factor."""

    async def create_user(self, number: int = 0) -> str:
        """Create a user; return the id."""
        return await self.host.create_user(number)

    async def login(self, user_id: str, /, stub_password: str = StubStrategy.RIGHT, **fields: Any) -> Response:
        """Log in as this user, with these fields in the body, too."""
        body = {"stub_user": user_id, "stub_password": stub_password, **fields}
        return await self.host.run("auth:login", body, strategy=StubStrategy.name)

    async def reply(self, reference: Any, answer: Fields) -> Response:
        """Answer the challenge of this reference."""
        return await self.host.run("auth:login", {**answer, "challenge": reference}, strategy=StubStrategy.name)

    async def methods(self, response: Response) -> frozenset[str]:
        """Return the methods of the token in the response of a login; none where there is no token."""
        result: Any = response.reply.result
        return frozenset() if response.error else (await self.host.tokens.verify(result["jwt"])).methods

    async def tries(self, user_id: str) -> int:
        """Return for how many answers the reference of an enrolled user's challenge works."""
        user = await self.host.users.find(user_id)
        login = Login(build_request(), user, StubStrategy.name, Success(user_id))
        decision: object = await self.check.check(login)
        return decision.tries if isinstance(decision, Challenge) else 1

    async def challenge(self, user_id: str) -> Fields:
        """Log in as an enrolled user; return the challenge that the client gets. Fails the test if there is none."""
        response = await self.login(user_id)
        if not isinstance(response.error, errors.LoginChallenged):
            pytest.fail(
                "check() must return a Challenge at every login of a user for whom enroll() ran: the client got "
                f"{describe_response(response)}"
            )
        return response.error.challenge


class LoginCheckSuite(ABC):
    """The hooks that make the check and answer its challenges."""

    challenges: ClassVar[bool] = True
    """Whether the check challenges any user."""
    accepts_others: ClassVar[bool] = True
    """Whether a user for whom `enroll` did not run gets a token at once."""
    secret_answers: ClassVar[bool] = True
    """Whether an answer is a secret, which works once and for one user; False if it is a consent."""
    parallel: ClassVar[int] = 20
    """How many answers are sent at once."""
    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop."""

    @abstractmethod
    def make(self, host: InProcessHost) -> LoginCheck:
        """Make the check, or return the one that the host has."""

    async def enroll(self, harness: LoginCheckHarness, user_id: str) -> None:  # noqa: ARG002 - optional
        """Set the user up so that the check challenges every login."""
        return

    async def answer(self, harness: LoginCheckHarness, user_id: str, challenge: Fields) -> Fields:
        """Make a right answer, a new one at each call, with only the fields that the check verifies.

        `challenge` is what the client gets. If a code is valid for some time, advance the clock before the next:
        `harness.clock.advance(30)`.
        """
        raise NotImplementedError("implement answer(), or declare challenges = False if the check never challenges")

    def wrong_answer(self, answer: Fields) -> Fields:
        """Make a wrong answer of the same form: every letter and digit is replaced by the next one."""
        return {name: _rotated(value) for name, value in answer.items()}

    async def refuse(self, harness: LoginCheckHarness, user_id: str) -> bool:  # noqa: ARG002 - optional
        """Set the user up so that the check refuses every login, and return True; False if the check never refuses."""
        return False

    def secrets(self) -> list[str]:
        """Return the texts, beside right answers, that must not appear in a challenge, a response or a log."""
        return []

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[LoginCheckHarness, None]:
        """Open a host with the check in it."""
        clock = Clock()
        async with build_host(folder, self.settings(), clock) as host:
            check = self.make(host)
            host.replace_strategy(StubStrategy())
            host.replace_login_check(check)
            other = None if check.factor is None else StubCheck(check.factor)
            if other is not None:
                host.replace_login_check(other)
            await host.open()
            yield LoginCheckHarness(host, check, clock, other)

    async def create_enrolled(self, harness: LoginCheckHarness, number: int = 0) -> str:
        """Create a user whom the check challenges; return the id."""
        user_id = await harness.create_user(number)
        await self.enroll(harness, user_id)
        return user_id

    async def get_challenged(self, harness: LoginCheckHarness, user_id: str) -> tuple[str, Fields]:
        """Log in as an enrolled user; return the reference of the challenge and a right answer.

        Skips the test if the check never challenges.
        """
        if not self.challenges:
            pytest.skip("challenges is False: this check never challenges")
        challenge = await harness.challenge(user_id)
        return challenge["reference"], await self.answer(harness, user_id, challenge)


def describe_response(response: Response) -> str:
    """Describe a response in a line, for a message."""
    return f"the error {response.error.id}" if response.error else f"the result {short_repr(response.reply.result)}"


def expect_token(response: Response, user_id: str, advice: str) -> None:
    """Expect a token of this user."""
    result: Any = response.reply.result
    assert response.error is None, f"{advice}; the client got {describe_response(response)}"
    assert result["_id"] == user_id, f"{advice}; the client got a token of {result['_id']}"
    json.dumps(result)


def expect_no_token(response: Response, advice: str) -> None:
    """Expect an error of 4xx in place of a token."""
    assert response.error is not None, f"{advice}; the client got a token"
    assert response.error.status < SERVER_ERROR, (
        f"{advice}; the client got {describe_response(response)}: the log says what was raised"
    )


def _rotated(value: Any) -> Any:
    return value.translate(_ROTATION) if isinstance(value, str) else None
