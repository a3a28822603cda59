"""Logins: the one path from a request to a token, through the strategy, its further steps and the login checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, assert_never

from visado import errors, events
from visado.arguments import DURATION
from visado.login_check import Login
from visado.request import Fields, Request, User, current_request
from visado.security.logins.admission import Admission, LoggedIn, challenge_location
from visado.security.logins.check_runs import CheckRuns
from visado.security.logins.identities import Identities
from visado.security.logins.login_result import login_result
from visado.security.logins.refusals import refusals
from visado.security.logins.steps import LoginStart, Step, Steps
from visado.security.observers import Observers
from visado.security.strategies.attempts import Attempt
from visado.security.strategies.strategies import Strategies
from visado.security.tokens.issuing import TokenOrigin
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users
from visado.strategy import Challenge, Fail, Identity, Outcome, Pass, Redirect, Success, form_fields

_NO_ACTOR: Final = "only a signed-in user acts as another user"


class Logins:
    """Logins with the strategies of the host. Plugins receive `complete` as `host.logins`."""

    def __init__(
        self,
        users: Users,
        tokens: Tokens,
        strategies: Strategies,
        identities: Identities,
        steps: Steps,
        checks: CheckRuns,
        observers: Observers,
    ) -> None:
        self._users, self._tokens, self._strategies, self._identities = users, tokens, strategies, identities
        self._steps, self._checks, self._observers = steps, checks, observers

    async def log_in(
        self, request: Request, name: str, lifetime: Any = None, owner: User | None = None
    ) -> LoggedIn | Redirect:
        """Log in with a strategy, or continue a login that waits for a further step; return the new token.

        `lifetime` is that of the token as the client sent it, not yet parsed. With `owner`, the identity is linked to
        this user. Raises `LoginRefused`, `LoginChallenged`, and what the strategy and the login checks raise.
        """
        revocations = self._tokens.revocations
        token = request.token if owner is not None else None
        start = self._steps.start(name, lifetime, owner.id if owner is not None else None, token)
        asked = name if name in self._strategies else None
        with refusals(self._observers, asked):
            self._check_arguments(request, name)
            step = await self._steps.find(request, name)
            if request.connection.cross_site_form and (step is None or not step.is_bound):
                raise errors.UnauthorizedOrigin(origin=request.connection.origin)
        if step is not None and step.check is not None:
            return await self._issue(await self._checks.resume(request, step), revocations)
        with refusals(self._observers, asked):
            if step is None:
                attempt = await self._strategies.ask(name, request, needs_user=owner is None)
            else:
                attempt, start = await self._continue(request, step, start)
        outcome = await self._decide(request, attempt, start)
        return outcome if isinstance(outcome, Redirect) else await self._issue(outcome, revocations)

    def _check_arguments(self, request: Request, name: str) -> None:
        """Refuse credentials in the URL: servers log it. Raises `UnknownStrategy`, `ForbiddenArgument`."""
        for field in (*form_fields(self._strategies.find(name).login_form), "password"):
            if field in request.args:
                raise errors.ForbiddenArgument(argument=field)

    async def attempt(self, name: str, request: Request) -> Outcome:
        """Return the outcome of a login with a strategy, an identity as its user: no login check, no token.

        Plugins receive this as `host.strategies.attempt`. Raises what `Strategies.ask` raises.
        """
        attempt = await self._strategies.ask(name, request, needs_user=True)
        outcome = attempt.outcome
        if not isinstance(outcome, Success):
            return outcome
        try:
            return replace(outcome, who=(await self._find_user(attempt.strategy, outcome, None)).id)
        except errors.LoginRefused as refusal:
            return Fail(refusal.text)

    def expects_post(self, request: Request) -> bool:
        """Return whether a page of this origin may post the request: an answer to a strategy that expects it."""
        if (request.controller, request.action) != ("auth", "login"):
            return False
        name: object = request.args.get("strategy", "local")
        strategy = self._strategies.get(name) if isinstance(name, str) else None
        if strategy is None or not strategy.posts_from:
            return False
        origin = request.connection.origin  # `null` of a page that hides its address: the step tells whose login it is
        return origin in (None, "null") or not strategy.posts_from.isdisjoint({"*", origin})

    async def _continue(self, request: Request, step: Step, start: LoginStart) -> tuple[Attempt, LoginStart]:
        """Return the outcome of a strategy's further step, and how the login began. `start` is that of the request."""
        began = step.start
        if (start.owner is not None and start.owner != began.owner) or not step.may_answer(request.user.id):
            raise errors.LoginRefused(reason="this step belongs to another login")
        if began.owner is not None and not await self._tokens.exists(began.owner_token, began.owner):
            raise errors.LoginRefused(reason="the user who started the link is no longer logged in")
        attempt = await self._strategies.ask(step.strategy, request, step.state)
        if not isinstance(attempt.outcome, Fail):
            await self._steps.finish(step)
        return attempt, began if began.lifetime is not None else replace(began, lifetime=start.lifetime)

    async def _decide(self, request: Request, attempt: Attempt, start: LoginStart) -> Admission | Redirect:
        strategy, outcome = attempt.strategy, attempt.outcome
        match outcome:
            case Success():
                return await self._admit(request, strategy, outcome, start)
            case Redirect():
                return await self._steps.redirect(request, strategy, outcome, self._read(strategy, start))
            case Challenge():
                raise await self._steps.challenge(request, strategy, outcome, self._read(strategy, start))
            case Fail(reason, www_authenticate, cookies):
                refusal = errors.LoginRefused(reason=str(reason))
                refusal.cookies, refusal.www_authenticate = cookies, www_authenticate
            case Pass():
                refusal = errors.LoginRefused(reason="Missing credentials")
            case _:
                assert_never(outcome)
        with refusals(self._observers, strategy):
            raise refusal

    def _read(self, strategy: str, start: LoginStart) -> LoginStart:
        """Return the start of a login that is stored, with the lifetime in ms. Raises `InvalidType`."""
        with refusals(self._observers, strategy):
            return replace(start, lifetime=DURATION.read(start.lifetime, "expiresIn", False))

    async def _admit(self, request: Request, strategy: str, success: Success, start: LoginStart) -> Admission:
        with refusals(self._observers, strategy):
            if success.actor is not None:
                _check_actor(request, success.actor, start.owner)
            user = await self._find_user(strategy, success, start.owner)
        with refusals(self._observers, strategy, user.id):
            await self._tokens.revoked.check(user.id, start.at)
        login = Login(request, user, strategy, replace(success, who=user.id))
        admission = Admission(login, dict(success.data), success.cookies, start.lifetime, asked=start.asked)
        if success.actor is not None:
            with refusals(self._observers, strategy, user.id):
                if user.id == success.actor or user.anonymous:
                    raise errors.LoginRefused(reason=_NO_ACTOR)
            self._observers.note(events.Impersonated(actor=success.actor, target=user.id, action="auth:login"))
            return admission
        try:
            return await self._checks.run(admission)
        except errors.LoginChallenged as challenge:
            if admission.location is None:
                raise
            location = challenge_location(admission.location, challenge)
            return replace(admission, cookies=challenge.cookies, challenge=location)

    async def _find_user(self, strategy: str, success: Success, owner: str | None) -> User:
        who: object = success.who
        if isinstance(who, Identity):
            rules = self._strategies.find(strategy).accounts
            return await self._identities.resolve(strategy, who, rules, owner)
        if type(who) is not str or not who:
            raise errors.InvalidUserId(strategy=strategy, kind=type(who).__name__)
        user = await self._users.get(who)
        if user is None:
            raise errors.UnknownUserId(strategy=strategy)
        if owner is not None and owner != user.id:
            raise errors.LoginRefused(reason="this strategy links no identity")
        return user

    async def complete(
        self, user: User, strategy: str, expires_in: int | None = None, methods: frozenset[str] = frozenset()
    ) -> Fields:
        """Log in a user who was authenticated by an action of a plugin, and return the result of `auth:login`.

        `expires_in` in milliseconds; -1 for ever, None for the default. Raises what the login checks raise: a challenge
        is answered at the login of the strategy.
        """
        request = current_request()
        if request is None:
            raise RuntimeError("a login is completed during a request")
        revocations = self._tokens.revocations
        login = Login(request, user, strategy, Success(user.id, methods=methods))
        admission = await self._checks.run(Admission(login, lifetime=expires_in))
        logged_in = await self._issue(admission, revocations)
        return login_result(logged_in)

    async def _issue(self, admission: Admission, revocations: int) -> LoggedIn:
        """Create the token, and tell the observers. Raises `InvalidType`, and what `Tokens.create` raises."""
        if admission.challenge is not None:
            return LoggedIn(None, admission)
        login, success = admission.login, admission.login.success
        user_id, strategy = login.user.id, login.strategy
        with refusals(self._observers, strategy, user_id):
            lifetime = DURATION.read(admission.lifetime, "expiresIn", False)
            origin = TokenOrigin(strategy, success.session, success.methods, success.actor, success.expires_at)
            if success.actor is not None and login.request.token is not None:  # no wider than the actor's own token
                origin = replace(origin, allow=login.request.token.allow)
            issued = await self._tokens.create(user_id, lifetime, revocations=revocations, origin=origin)
        self._observers.note(events.LoginSucceeded(actor=success.actor or user_id, target=user_id, strategy=strategy))
        connection = login.request.connection
        if connection.transport == "websocket" and not login.user.anonymous:
            self._tokens.connections.link(connection, issued.token)
        return LoggedIn(issued, admission)


def _check_actor(request: Request, actor: str, owner: str | None) -> None:
    """Raise `LoginRefused` unless the user of the request is the actor, as itself, and links nothing."""
    token = request.token
    if token is None or token.actor is not None or request.user.id != actor or owner is not None:
        raise errors.LoginRefused(reason=_NO_ACTOR)
