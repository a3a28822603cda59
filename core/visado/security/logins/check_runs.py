"""The login checks of one login: which are asked, what follows from each decision, and the answers to their challenges.

Does not own the registry of login checks (`login_checks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, assert_never

from visado import errors, events
from visado.login_check import Accept, Login, LoginCheck
from visado.request import Fields, Request
from visado.security.logins.admission import Admission
from visado.security.logins.login_checks import LoginChecks
from visado.security.logins.pending_logins import PendingLogins, new_reference
from visado.security.logins.refusals import refusals
from visado.security.logins.steps import Step, Steps
from visado.security.observers import Observers
from visado.security.users.users import Users
from visado.strategy import Challenge, Fail, Pass, Success

Choices: TypeAlias = list[tuple[LoginCheck, Challenge]]
"""The checks of one factor that challenge a login: the client answers one of them."""


class CheckRuns:
    """Runs the login checks of logins."""

    def __init__(
        self, users: Users, checks: LoginChecks, pending: PendingLogins, steps: Steps, observers: Observers
    ) -> None:
        self._users, self._checks, self._pending, self._steps = users, checks, pending, steps
        self._observers = observers

    async def run(self, admission: Admission) -> Admission:
        """Run every login check. Raises `LoginRefused`, `LoginChallenged`, and what a check raises."""
        return await self._run(admission, self._checks.groups())

    async def resume(self, request: Request, step: Step) -> Admission:
        """Continue a login whose client answers a challenge. Raises what `run` raises.

        An answer uses up one try of the challenge, whatever it is.
        """
        with refusals(self._observers, step.strategy, step.user_id):
            user = await self._users.get(step.user_id or "")
            chosen = request.fields.get("check", step.check)
            check = self._checks.get_enabled(chosen) if isinstance(chosen, str) and chosen in step.state else None
            if user is None or check is None:
                raise errors.LoginRefused(reason="log in again")
            success = _read_success(user.id, step.pending["success"])
            admission = Admission(Login(request, user, step.strategy, success), lifetime=step.lifetime)
            answer = partial(check.answer, admission.login, dict(step.state[check.name]["state"]))
            decision = await self._checks.decide(check, answer)
            if not isinstance(decision, (Fail, Pass)):
                await self._steps.finish(step)
        if isinstance(decision, Challenge):
            others = self._other_choices(step, check)
            raise await self._challenge(admission, [(check, decision), *others])
        with refusals(self._observers, step.strategy, user.id):
            admission = self._apply(admission, Fail() if isinstance(decision, Pass) else decision)
        return await self._run(admission, self._checks.groups(after=check))

    def _other_choices(self, step: Step, answered: LoginCheck) -> Choices:
        """Return the choices that a client still has beside the check that it answered."""
        choices: Choices = []
        for name, stored in step.state.items():
            check = self._checks.get_enabled(name)
            if check is not None and check is not answered:
                lifetime = max((stored["endsAt"] - self._pending.now()) / 1_000, 0.001)
                choices.append((check, Challenge(stored["data"], stored["state"], stored["reason"], lifetime)))
        return choices

    async def _run(self, admission: Admission, groups: Sequence[Sequence[LoginCheck]]) -> Admission:
        for group in groups:
            choices: Choices = []
            accepted = False
            for check in group:
                with refusals(self._observers, admission.login.strategy, admission.login.user.id):
                    decision = await self._checks.decide(check, partial(check.check, admission.login))
                    if isinstance(decision, Challenge):
                        choices.append((check, decision))
                        continue
                    admission = self._apply(admission, decision)
                accepted = accepted or isinstance(decision, Accept)
            if choices and not accepted:
                raise await self._challenge(admission, _without_offers(choices))
        return admission

    def _apply(self, admission: Admission, decision: Accept | Fail | Pass) -> Admission:
        match decision:
            case Accept(data, methods, cookies):
                login = admission.login
                success = replace(login.success, methods=login.success.methods | methods)
                return replace(
                    admission,
                    login=replace(login, success=success),
                    data={**admission.data, **data},
                    cookies=(*admission.cookies, *cookies),
                )
            case Fail(reason, www_authenticate, cookies):
                refusal = errors.LoginRefused(reason=str(reason))
                refusal.cookies = (*admission.cookies, *cookies)
                refusal.www_authenticate = www_authenticate
                raise refusal
            case Pass():
                return admission
            case _:
                assert_never(decision)

    async def _challenge(self, admission: Admission, choices: Choices) -> errors.LoginChallenged:
        """Store the challenges of one factor, and return the error that tells the client of them."""
        login, (check, first) = admission.login, choices[0]
        lifetime = min(each.lifetime for _, each in choices)
        ends_at = self._pending.now() + int(lifetime * 1_000)
        fields = {
            "asked": login.strategy,
            "strategy": login.strategy,
            "check": check.name,
            "userId": login.user.id,
            "owner": None,
            "tries": max(each.tries for _, each in choices),
            "state": {each.name: _stored(challenge, ends_at) for each, challenge in choices},
            "success": _written(login.success),
            "expiresIn": admission.lifetime,
        }
        reference = new_reference()
        ends_at = await self._pending.create(reference, lifetime, fields)
        self._observers.note(events.LoginChallenged(target=login.user.id, strategy=login.strategy, check=check.name))
        public = {"reference": reference, "check": check.name, "strategy": login.strategy, "expiresAt": ends_at}
        listed = {"choices": [_public(*each) for each in choices]} if len(choices) > 1 else {}
        error = errors.LoginChallenged(first.reason, {**public, "data": dict(first.data), **listed})
        error.result = {**admission.data, "challenge": error.challenge}  # the login is resumed without this data
        error.cookies = (*admission.cookies, *(cookie for _, each in choices for cookie in each.cookies))
        error.www_authenticate = tuple(value for _, each in choices for value in each.www_authenticate)
        return error


def _without_offers(choices: Choices) -> Choices:
    """Return the choices without those that set up a factor, where the user has one already."""
    return [each for each in choices if not each[1].enrols] or choices


def _public(check: LoginCheck, challenge: Challenge) -> Fields:
    return {"check": check.name, "reason": challenge.reason, "data": dict(challenge.data)}


def _stored(challenge: Challenge, ends_at: int) -> Fields:
    data, state = dict(challenge.data), dict(challenge.state)
    return {"state": state, "data": data, "reason": challenge.reason, "endsAt": ends_at}


def _written(success: Success) -> Fields:
    return {
        "methods": sorted(success.methods), "session": dict(success.session), "expiresAt": success.expires_at,
    }  # fmt: skip


def _read_success(user_id: str, stored: Any) -> Success:
    methods = frozenset[str](stored["methods"])
    return Success(user_id, methods=methods, session=stored["session"], expires_at=stored["expiresAt"])
