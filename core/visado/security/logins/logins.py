"""Logins: from the success of a strategy to the token, through the login checks and their challenges."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, assert_never

from visado import errors, events
from visado.arguments import DURATION
from visado.login_check import Accept, Challenge, Decision, Login, LoginCheck
from visado.request import Fields, Request, User, current_request
from visado.security.logins.challenges import PREFIX, Challenges
from visado.security.logins.login_checks import LoginChecks
from visado.security.logins.login_result import login_result
from visado.security.observers import Observers
from visado.security.tokens.issuing import IssuedToken
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users
from visado.strategy import Fail

CHALLENGE_FIELD: Final = "challenge"
"""The member of a login's body that holds the reference of a challenge."""


def answers_challenge(request: Request) -> bool:
    """Return whether a login answers a challenge of a login check."""
    reference = request.fields.get(CHALLENGE_FIELD)
    return isinstance(reference, str) and reference.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Admission:
    """A login that the strategy and the login checks so far accepted."""

    user: User
    data: Fields = field(default_factory=dict[str, Any])
    """The members of the response beside the token."""
    cookies: tuple[str, ...] = ()
    expires_in: Any = None
    """The lifetime of the token as the client sent it, not yet parsed."""
    location: str | None = None
    """Where a browser is redirected with its token."""


class Logins:
    """Logins after the strategy's success. Plugins receive this as `host.logins`."""

    def __init__(
        self, users: Users, tokens: Tokens, checks: LoginChecks, challenges: Challenges, observers: Observers
    ) -> None:
        self._users, self._tokens, self._checks = users, tokens, checks
        self._challenges, self._observers = challenges, observers

    @contextmanager
    def refusals(self, strategy: str | None, user_id: str | None = None) -> Generator[None, None, None]:
        """Tell the observers of an error in the block: a login with this strategy, of this user, was refused."""
        try:
            yield
        except errors.LoginChallenged:
            raise
        except errors.VisadoError as error:
            self._observers.note(events.LoginRefused(target=user_id, strategy=strategy, reason=error.id))
            raise

    async def admit(self, login: Login, admission: Admission) -> Admission:
        """Run every login check. Raises `LoginRefused`, `LoginChallenged`, and what a check raises."""
        with self.refusals(login.strategy, login.user.id):
            return await self._check(login, admission, self._checks.enabled())

    async def resume(self, request: Request, strategy: str) -> Admission:
        """Continue a login whose client answers a challenge. Raises what `admit` raises.

        The reference of the challenge is deleted, whatever the answer.
        """
        with self.refusals(strategy):
            challenge = await self._challenges.take(request.fields[CHALLENGE_FIELD], strategy)
        with self.refusals(strategy, challenge["userId"]):
            user = await self._users.get(challenge["userId"])
            check = self._checks.get_enabled(challenge["check"])
            if user is None or check is None:
                raise errors.LoginRefused(reason="log in again")
            login, admission = Login(request, user, strategy), Admission(user, expires_in=challenge["expiresIn"])
            decision = await self._checks.decide(check, partial(check.answer, login, dict(challenge["state"])))
            admission = await self._apply(decision, check, login, admission)
            return await self._check(login, admission, self._checks.enabled(after=check))

    async def complete(self, user: User, strategy: str, expires_in: int | None = None) -> Fields:
        """Log in a user who was authenticated by an action of a plugin, and return the result of `auth:login`.

        `expires_in` in milliseconds; -1 for ever, None for the default. Raises what `admit` raises: a challenge is
        answered at the login of the strategy.
        """
        request = current_request()
        if request is None:
            raise RuntimeError("a login is completed during a request")
        revocations = self._tokens.revocations
        admission = await self.admit(Login(request, user, strategy), Admission(user, expires_in=expires_in))
        issued = await self.issue(admission, strategy, revocations)
        return {**admission.data, **login_result(issued)}

    async def issue(self, admission: Admission, strategy: str, revocations: int) -> IssuedToken:
        """Create the token, and tell the observers. Raises `InvalidType`, and what `Tokens.create` raises."""
        user_id = admission.user.id
        with self.refusals(strategy, user_id):
            lifetime = DURATION.read(admission.expires_in, "expiresIn", False)
            issued = await self._tokens.create(user_id, lifetime, revocations=revocations)
        self._observers.note(events.LoginSucceeded(actor=user_id, target=user_id, strategy=strategy))
        return issued

    async def _check(self, login: Login, admission: Admission, checks: list[LoginCheck]) -> Admission:
        for check in checks:
            decision = await self._checks.decide(check, partial(check.check, login))
            admission = await self._apply(decision, check, login, admission)
        return admission

    async def _apply(self, decision: Decision, check: LoginCheck, login: Login, admission: Admission) -> Admission:
        match decision:
            case Accept(data, cookies):
                data = {**admission.data, **data}
                return replace(admission, data=data, cookies=(*admission.cookies, *cookies))
            case Fail(reason, cookies):
                refusal = errors.LoginRefused(reason=str(reason))
                refusal.cookies = (*admission.cookies, *cookies)
                raise refusal
            case Challenge():
                raise await self._challenge(check, login, decision, admission)
            case _:
                assert_never(decision)

    async def _challenge(
        self, check: LoginCheck, login: Login, challenge: Challenge, admission: Admission
    ) -> errors.LoginChallenged:
        """Store a challenge, and return the error that tells the client of it."""
        user_id, strategy = login.user.id, login.strategy
        fields = {
            "strategy": strategy,
            "check": check.name,
            "state": dict(challenge.state),
            "expiresIn": admission.expires_in,
        }
        reference, ends_at = await self._challenges.create(user_id, challenge.lifetime, fields)
        self._observers.note(events.LoginChallenged(target=user_id, strategy=strategy, check=check.name))
        public = {"reference": reference, "check": check.name, "strategy": strategy, "expiresAt": ends_at}
        error = errors.LoginChallenged(challenge.reason, {**public, "data": dict(challenge.data)})
        error.result = {**admission.data, "challenge": error.challenge}  # the login is resumed without this data
        error.cookies = (*admission.cookies, *challenge.cookies)
        return error
