"""The strategy under test: the subclass makes it and the requests of its logins; each test has a host of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import pytest

from visado import Challenge, Fields, Identity, Pass, Redirect, Request, Strategy, Success, errors
from visado_kit.client_request import ClientRequest, LoginInput, as_client_request, build_request, read_set_cookies
from visado_kit.expectations import expect_no_server_error, short_repr
from visado_kit.in_process import InProcessHost, build_host

T = TypeVar("T")
S = TypeVar("S", bound=Strategy)


@dataclass(frozen=True, slots=True)
class Question:
    """What a client gets in place of a token: a redirect or a challenge, and the reference that the answer brings back.

    `location` and `post` are those of a `Redirect`, and `data` is that of a redirect or a challenge.
    """

    reference: str
    location: str | None = None
    post: Mapping[str, str] = field(default_factory=dict[str, str])
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a login, and what came of it. `question` is None where no further step follows.

    `outcome` is that of the strategy; through the host, it is the login with its `token`, a `Redirect`, or the error
    `LoginChallenged`. `cookies` are what a browser keeps of the response.
    """

    request: Request
    outcome: object
    question: Question | None = None
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LastRequest:
    """The last request of a login, not yet sent, and the step before it. `sent` is what the hook returned."""

    sent: LoginInput
    after: Step | None


@dataclass(frozen=True, slots=True)
class LoginHarness:
    """The strategy under test, in an open host."""

    host: InProcessHost
    strategy: Strategy

    async def create_user(self, number: int = 0) -> str:
        """Create a user without credentials; return the id."""
        return await self.host.create_user(number)

    async def authenticate(self, sent: object) -> Any:
        """Call the strategy with the first request of a login; return its outcome."""
        return (await self.ask(sent)).outcome

    async def attempt(self, sent: object) -> Any:
        """Return the outcome of a login as the host lends it to plugins: an identity is its user."""
        return await self.host.security.logins.attempt(self.strategy.name, self.build(sent, None))

    async def ask(self, sent: object, after: Step | None = None) -> Step:
        """Call the strategy alone with a request of a login, the answer to a step if there is one; return the step."""
        request = self.build(sent, after)
        if after is None or after.question is None:
            outcome: Any = await self.strategy.authenticate(request)
        else:
            outcome = await self.strategy.answer(request, dict(cast("Challenge", after.outcome).state or {}))
        if isinstance(outcome, Pass) and outcome.to is not None:
            outcome = (await self.host.strategies.ask(outcome.to, request)).outcome
        return _step(request, outcome)

    async def log_in(self, sent: object, after: Step | None = None) -> Step:
        """Log in through the host, which checks each outcome and keeps the steps; return the step.

        Raises `errors.LoginRefused` for `Fail` and `Pass`, the errors of `visado.errors` that the strategy raises, and
        an error of 500 for any other.
        """
        request = self.build(sent, after)
        try:
            return _step(request, await self.host.logins.log_in(request, self.strategy.name))
        except errors.LoginChallenged as error:
            challenge: Fields = error.challenge
            question = Question(challenge["reference"], data=challenge["data"])
            return Step(request, error, question, read_set_cookies(error.cookies))

    def build(self, sent: object, after: Step | None = None) -> Request:
        """Make a request of a login. The answer to a challenge gets the reference, and a browser sends its cookies."""
        request = build_request(
            sent,
            args={"strategy": self.strategy.name},
            cookies=None if after is None else after.cookies,
        )
        question = None if after is None else after.question
        if question is not None and question.location is None and isinstance(request.body, dict):
            request.body.setdefault("challenge", question.reference)
        return request


def _step(request: Request, outcome: object) -> Step:
    match outcome:
        case Redirect(location, post, state) if state is not None:
            question = Question(request.reference, location, post or {}, outcome.data)
            return Step(request, outcome, question, read_set_cookies(outcome.cookies))
        case Challenge():
            question = Question(request.reference, data=outcome.data)
            return Step(request, outcome, question, read_set_cookies(outcome.cookies))
        case _:
            return Step(request, outcome)


@asynccontextmanager
async def open_strategy(
    folder: Path, settings: Fields, make: Callable[[InProcessHost], S]
) -> AsyncGenerator[tuple[InProcessHost, S], None]:
    """Open a host with a strategy in it, for the time of a block."""
    async with build_host(folder, settings) as host:
        strategy = make(host)
        host.replace_strategy(strategy)
        await host.open()
        opened = host.strategies.get(strategy.name) is strategy
        assert opened, "open() must not raise in a host of the suite: the log says what it raised"
        yield host, strategy


class LoginSuite(ABC):
    """The hooks that make the strategy and its requests, and what several tests expect of it."""

    users: ClassVar[int] = 5
    """How many users the tests of concurrency create."""
    steps: ClassVar[int] = 1
    """How many requests a login takes: 2 where a redirect or a challenge is answered."""
    stable: ClassVar[bool] = True
    """Whether all logins of one number are of one user; False for guests."""
    repeatable: ClassVar[bool | None] = None
    """Whether the same request logs in a second time: True for passwords, False for codes that work once.

    None: it may or may not. Each login of a test then has a request of its own.
    """

    @abstractmethod
    def make(self, host: InProcessHost) -> Strategy:
        """Make the strategy, or return the one that the host has."""

    @abstractmethod
    def request(self, harness: Any, number: int) -> LoginInput | Awaitable[LoginInput]:
        """Make the first request of a right login of the user of this number, a new one at each call.

        Return a `ClientRequest`, or the body alone. The method may be `async`.
        """

    async def prepare(self, harness: Any, number: int) -> str | None:  # noqa: ARG002 - optional
        """Set up the user of this number, counted from 0, so that it can log in; return its id.

        None: the host or the strategy finds or makes the user at its login.
        """
        return None

    def answer(self, harness: Any, number: int, question: Question) -> LoginInput | Awaitable[LoginInput]:
        """Make the right answer to a redirect or a challenge of this user's login. The method may be `async`.

        The kit adds the reference to the answer of a challenge: `{"challenge": ...}`.
        """
        raise NotImplementedError("implement answer(), or declare steps = 1 if a login is one request")

    def wrong(self, sent: Any) -> Any:  # noqa: ARG002 - optional
        """Replace the secret in a right request by a wrong one; None if a login has no secret.

        `sent` is what `request`, or `answer` for a login of several steps, returned.
        """
        return None

    def unknown(self, sent: Any) -> Any:  # noqa: ARG002 - optional
        """Replace the subject in a right request by one that no user has; None if there is none."""
        return None

    def secrets_of(self, number: int) -> list[str]:  # noqa: ARG002 - optional
        """Return the texts that must not appear in a response, a log or a stored document."""
        return []

    def passing(self) -> Any:
        """Make a request of a login that ends in `Pass`; None if the strategy never returns it."""
        return None

    def redirecting(self) -> LoginInput:
        """Make a request of a login that ends in `Redirect`; None if the strategy never returns it."""
        return None

    def challenging(self) -> LoginInput:
        """Make a request of a login that ends in `Challenge`; None if the strategy never returns it."""
        return None

    def raising(self) -> LoginInput:
        """Make a request of a login that raises an error of `visado.errors`; None if the strategy raises none."""
        return None

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[Any, None]:
        """Open a host with the strategy in it."""
        async with open_strategy(folder, self.settings(), self.make) as (host, strategy):
            yield LoginHarness(host, strategy)

    async def last_request(self, harness: LoginHarness, number: int, *, through_host: bool = False) -> LastRequest:
        """Log the user of this number in up to the last request, which is returned."""
        send = harness.log_in if through_host else harness.ask
        sent, after = await resolve(self.request(harness, number)), None
        for step in range(1, self.steps):
            after = await send(sent, after)
            if after.question is None:
                pytest.fail(
                    f"steps is {self.steps}: return a Challenge, or a Redirect with a state, for the request of step "
                    f"{step}, not {after.outcome!r}"
                )
            sent = await resolve(self.answer(harness, number, after.question))
        return LastRequest(sent, after)

    async def outcome(self, harness: LoginHarness, number: int, change: Callable[[Any], Any] | None = None) -> object:
        """Return the outcome of a new login of the user of this number, whose last request `change` may change."""
        last = await self.last_request(harness, number)
        return (await harness.ask(last.sent if change is None else change(last.sent), last.after)).outcome

    async def expect_login(self, harness: LoginHarness, number: int, user_id: str | None, advice: str) -> str:
        """Expect that a right login succeeds, by the strategy alone and through the host; return the user's id."""
        await self.expect_success(await self.outcome(harness, number), user_id, advice)
        last = await self.last_request(harness, number, through_host=True)
        entered = await expect_no_server_error(harness.log_in(last.sent, last.after))
        return expect_token(entered, user_id, advice)

    async def expect_success(self, outcome: object, user_id: str | None, advice: str) -> None:
        """Expect the outcome `Success`, of this user where its id is known."""
        expected = "user_id" if user_id is None else repr(user_id)
        right = isinstance(outcome, Success) and (user_id is None or user_of(outcome) in {None, user_id})
        assert right, f"{advice}: return Success({expected}), not {outcome!r}"


def user_of(outcome: object) -> str | None:
    """Return the id of the user of a `Success`; None for an identity and for any other outcome."""
    return None if not isinstance(outcome, Success) or isinstance(outcome.who, Identity) else outcome.who


def subject_of(outcome: object) -> str | None:
    """Return whom a `Success` names: the id of a user or the subject of an identity; None for any other outcome."""
    if not isinstance(outcome, Success):
        return None
    return outcome.who.subject if isinstance(outcome.who, Identity) else outcome.who


def expect_token(entered: object, user_id: str | None, advice: str) -> str:
    """Expect a login through the host that ended with a token, of this user where its id is known; return the id."""
    token = getattr(entered.outcome, "token", None) if isinstance(entered, Step) else None
    got = entered.outcome if isinstance(entered, Step) else entered
    assert token is not None, f"{advice}: through the host, the same login led to {short_repr(got)}"
    assert user_id in {None, token.user_id}, f"{advice}: the host logged in {token.user_id!r}, not {user_id!r}"
    return str(token.user_id)


async def resolve(value: T | Awaitable[T]) -> T:
    """Return what a hook returned, awaited where the hook is `async`."""
    given: Any = value
    result: T = await given if isawaitable(given) else given
    return result


def right_request(last: LastRequest) -> ClientRequest:
    """Return the last request of a login as a `ClientRequest`."""
    return as_client_request(last.sent)
