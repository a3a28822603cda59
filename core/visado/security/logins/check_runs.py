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

        The answer names one of the checks that challenged: `check`, by default the first. Whatever it is, it uses up
        one try; after the last one, and after an answer that is right, no check of this challenge can be answered.
        """
        with refusals(self._observers, step.strategy, step.user_id):
            check, login = await self._find_answered(request, step)
            stored = step.state[check.name]
            if stored["enrols"]:
                await self._refuse_late_offer(check, login)
            decision = await self._checks.decide(check, partial(check.answer, login, dict(stored["state"])))
            if isinstance(decision, Pass):
                decision = Fail()
            if not isinstance(decision, Fail):
                await self._steps.finish(step)
            admission = Admission(login, lifetime=step.lifetime, asked=step.pending["asked"])
            if isinstance(decision, Challenge):
                raise await self._challenge(admission, [(check, decision), *self._other_choices(step, check)])
            admission = self._apply(admission, decision)
        return await self._run(admission, self._checks.groups(after=check))

    async def _find_answered(self, request: Request, step: Step) -> tuple[LoginCheck, Login]:
        """Return the check that an answer is for, and the login that it challenged. Raises `LoginRefused`."""
        user = await self._users.get(step.user_id or "")
        name = request.fields.get("check", step.check)
        check = self._checks.get_enabled(name) if isinstance(name, str) and name in step.state else None
        if user is None or check is None:
            raise errors.LoginRefused(reason="log in again")
        return check, Login(request, user, step.strategy, _read_success(user.id, step.pending["success"]))

    async def _refuse_late_offer(self, check: LoginCheck, login: Login) -> None:
        """Raise `LoginRefused` where the user set up another check of the factor after this one offered to enrol.

        Otherwise a client that knows the password alone could add a check of its own beside the user's.
        """
        for other in self._checks.alternatives(check):
            decision = await self._checks.decide(other, partial(other.check, login))
            if isinstance(decision, Fail) or (isinstance(decision, Challenge) and not decision.enrols):
                raise errors.LoginRefused(reason="log in again")

    def _other_choices(self, step: Step, answered: LoginCheck) -> Choices:
        """Return what the client may answer instead of the check that it answered, with the tries that are left."""
        lifetime = max((step.pending["endsAt"] - self._pending.now()) / 1_000, 0.001)
        tries = max(step.tries - 1, 1)
        return [
            (check, Challenge(each["data"], each["state"], each["reason"], lifetime, tries, each["enrols"]))
            for name, each in step.state.items()
            if (check := self._checks.get_enabled(name)) is not None and check is not answered
        ]

    async def _run(self, admission: Admission, groups: Sequence[Sequence[LoginCheck]]) -> Admission:
        with refusals(self._observers, admission.login.strategy, admission.login.user.id):
            for group in groups:
                admission = await self._run_group(admission, group)
        return admission

    async def _run_group(self, admission: Admission, group: Sequence[LoginCheck]) -> Admission:
        """Run the checks of one factor. One that accepts is enough; one that refuses or fails ends the login.

        One whose limit is reached leaves the choice to the others: a limit of guesses at a code blocks no passkey.
        """
        choices: Choices = []
        accepted, limited = False, None
        for check in group:
            try:
                decision = await self._checks.decide(check, partial(check.check, admission.login))
            except errors.TooManyRequests as error:
                limited = error
                continue
            if isinstance(decision, Challenge):
                choices.append((check, decision))
            else:
                admission = self._apply(admission, decision)
                accepted = accepted or isinstance(decision, Accept)
        own = [each for each in choices if not each[1].enrols]
        if own or limited is not None:  # the user has a check of this factor: no offer to set up another one counts
            choices = own
        if choices and not accepted:
            raise await self._challenge(admission, choices)
        if limited is not None and not accepted:
            raise limited
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
        fields = {
            "asked": admission.asked or login.strategy,
            "strategy": login.strategy,
            "check": check.name,
            "userId": login.user.id,
            "owner": None,
            "tries": min(each.tries for _, each in choices),
            "state": {each.name: _stored(challenge) for each, challenge in choices},
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


def _public(check: LoginCheck, challenge: Challenge) -> Fields:
    return {"check": check.name, "reason": challenge.reason, "data": dict(challenge.data)}


def _stored(challenge: Challenge) -> Fields:
    data, state = dict(challenge.data), dict(challenge.state)
    return {"state": state, "data": data, "reason": challenge.reason, "enrols": challenge.enrols}


def _written(success: Success) -> Fields:
    methods, session = sorted(success.methods), dict(success.session)
    return {"methods": methods, "session": session, "expiresAt": success.expires_at}


def _read_success(user_id: str, stored: Any) -> Success:
    methods = frozenset[str](stored["methods"])
    return Success(user_id, methods=methods, session=stored["session"], expires_at=stored["expiresAt"])
