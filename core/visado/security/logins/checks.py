"""From a strategy's success to the token: the login checks, and the challenges that they make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, cast

from visado import codec, errors, events
from visado.arguments import DURATION
from visado.login_check import Accept, Challenge, Decision, Login, LoginCheck
from visado.plugins.calls import call_plugin
from visado.request import Fields, Request, User, are_header_texts, current_request
from visado.security.logins.challenges import PREFIX, Challenges
from visado.security.observers import Observers
from visado.security.tokens.issuing import IssuedToken
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users
from visado.strategy import Fail

FIELD: Final = "challenge"
"""The member of a login's body that answers a challenge."""
_LONGEST: Final = 3_600


def answers(request: Request) -> bool:
    """Whether a login answers a challenge."""
    reference = request.fields.get(FIELD)
    return isinstance(reference, str) and reference.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Admission:
    """A login to which every check has agreed: what the answer holds beside the token."""

    user: User
    data: Fields = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()
    asked: Any = None
    """The lifetime that the client asked for when it began, as it was sent."""
    location: str | None = None
    """Where a browser is sent with its token."""


class Logins:
    """The login checks, in the order of their plugins' names."""

    def __init__(
        self,
        users: Users,
        tokens: Tokens,
        challenges: Challenges,
        observers: Observers,
        unavailable: AbstractSet[str],
        disabled: AbstractSet[str],
    ) -> None:
        self._users, self._tokens = users, tokens
        self._challenges, self._observers = challenges, observers
        self._unavailable, self._disabled = unavailable, disabled
        self._checks: dict[str, LoginCheck] = {}
        self._plugins: dict[str, str] = {}

    def __iter__(self) -> Iterator[LoginCheck]:
        return iter(self._checks.values())

    def add(self, check: Any, plugin: str = "") -> None:
        """Ask this check, too. Raises `TypeError` for what is none, `ValueError` where the name is taken."""
        if not isinstance(check, LoginCheck):
            raise TypeError(f"a login check is needed, not {type(check).__name__}")
        if not isinstance(getattr(check, "name", None), str) or not check.name:
            raise TypeError("the name of a login check is a text")
        if self._checks.setdefault(check.name, check) is not check:
            raise ValueError(f"two login checks are called {check.name!r}")
        self._plugins[check.name] = plugin

    async def admit(self, login: Login, begun: Admission) -> Admission:
        """Ask every check. Raises `LoginRefused`, `LoginChallenged`, and what a check raises."""
        with self.refusals(login.strategy, login.user.id):
            return await self._ask(login, begun, list(self._checks))

    @contextmanager
    def refusals(self, strategy: str | None, user_id: str | None = None) -> Generator[None, None, None]:
        """Tell the observers of a login that is refused during the block, and of whose it was, if that is known."""
        try:
            yield
        except errors.LoginChallenged:
            raise
        except errors.VisadoError as error:
            self._observers.note(events.LoginRefused(target=user_id, strategy=strategy, reason=error.id))
            raise

    async def resume(self, request: Request, strategy: str) -> Admission:
        """Go on with a login whose client answers a challenge. Raises what `admit` raises.

        Whatever the answer, its reference is used up.
        """
        with self.refusals(strategy):
            row = await self._challenges.take(request.fields[FIELD], strategy)
        with self.refusals(strategy, row["userId"]):
            user = await self._users.get(row["userId"])
            check = self._checks.get(row["check"])
            if user is None or check is None or self._plugins[check.name] in self._disabled:
                raise errors.LoginRefused(reason="log in again")
            login, admission = Login(request, user, strategy), Admission(user, asked=row["expiresIn"])
            decision = await self._call(check, lambda: check.answer(login, dict(row["state"])))
            admission = await self._decide(check, login, admission, decision)
            names = list(self._checks)
            return await self._ask(login, admission, names[names.index(check.name) + 1 :])

    async def complete(self, user: User, strategy: str, expires_in: int | None = None) -> Fields:
        """Log a user in who has proved who it is in an action of a plugin: the answer of `auth:login`.

        Raises what `admit` raises: a challenge is answered at the login of the strategy.
        """
        request = current_request()
        if request is None:
            raise RuntimeError("a login is completed during a request")
        revocations = self._tokens.revocations
        admission = await self.admit(Login(request, user, strategy), Admission(user, asked=expires_in))
        issued = await self.issue(admission, strategy, revocations)
        return {**admission.data, **issued.as_dict()}

    async def issue(self, admission: Admission, strategy: str, revocations: int) -> IssuedToken:
        """Make the token, and tell the observers. Raises what `Tokens.create` raises, and `InvalidType`."""
        user_id = admission.user.id
        with self.refusals(strategy, user_id):
            lifetime = DURATION.read(admission.asked, "expiresIn", False)
            issued = await self._tokens.create(user_id, lifetime, revocations=revocations)
        self._observers.note(events.LoginSucceeded(actor=user_id, target=user_id, strategy=strategy))
        return issued

    async def _ask(self, login: Login, admission: Admission, names: list[str]) -> Admission:
        for check in [self._checks[name] for name in names if self._plugins[name] not in self._disabled]:
            decision = await self._call(check, partial(check.check, login))
            admission = await self._decide(check, login, admission, decision)
        return admission

    async def _call(self, check: LoginCheck, call: Callable[[], Awaitable[Any]]) -> Any:
        if self._plugins[check.name] in self._unavailable:  # it failed at work, and no login goes without it
            raise errors.CheckOutOfService(check=check.name)
        return await _guarded(check, call)

    async def forget(self, user_id: str) -> None:
        """Let every check, also one that is not asked at present, forget a user who is being deleted."""
        for check in self:
            await _guarded(check, partial(check.forget, user_id))

    async def _decide(self, check: LoginCheck, login: Login, admission: Admission, decision: Decision) -> Admission:
        match decision:
            case Accept(data, cookies) if _is_shown(data) and are_header_texts(cookies):
                data = {**admission.data, **data}
                return replace(admission, data=data, cookies=(*admission.cookies, *cookies))
            case Fail(reason, cookies) if are_header_texts(cookies):
                refusal = errors.LoginRefused(reason=str(reason))
                refusal.cookies = (*admission.cookies, *cookies)
                raise refusal
            case Challenge() if _is_challenge(decision):
                raise await self._challenge(check, login, decision, admission)
            case _:  # what a plugin returns is checked at run time, too
                raise errors.InvalidDecision(check=check.name)

    async def _challenge(
        self, check: LoginCheck, login: Login, asked: Challenge, admission: Admission
    ) -> errors.LoginChallenged:
        """Keep a challenge for its answer, and make the error that tells the client of it."""
        user_id, strategy = login.user.id, login.strategy
        kept = {"strategy": strategy, "check": check.name, "state": dict(asked.state), "expiresIn": admission.asked}
        reference, ends_at = await self._challenges.keep(user_id, asked.lifetime, kept)
        self._observers.note(events.LoginChallenged(target=user_id, strategy=strategy, check=check.name))
        shown = {"reference": reference, "check": check.name, "strategy": strategy, "expiresAt": ends_at}
        error = errors.LoginChallenged(asked.reason, {**shown, "data": dict(asked.data)})
        error.result = {**admission.data, "challenge": error.challenge}  # what checks before have to say is said now
        error.cookies = (*admission.cookies, *asked.cookies)
        return error

    async def open(self, failed: Callable[[str, str], None]) -> None:
        """Let every check begin, also one that is off; `failed` hears of the plugin and the reason where one cannot."""
        for check in self:
            try:
                await _guarded(check, check.open)
            except errors.VisadoError as error:
                failed(self._plugins[check.name], error.text)

    async def close(self) -> None:
        """Let every check end; one that fails to is left to itself."""
        for check in self:
            with suppress(errors.VisadoError):  # it is in the log
                await _guarded(check, check.close)


async def _guarded(check: LoginCheck, call: Callable[[], Awaitable[Any]]) -> Any:
    late = errors.CheckTimeout(check=check.name, seconds=check.timeout)
    return await call_plugin(f'the login check "{check.name}"', check.timeout, call, late)


def _is_shown(value: Any) -> bool:
    """Whether this can be sent: an object that JSON can write."""
    return isinstance(value, Mapping) and codec.can_encode(cast("Mapping[str, Any]", value))


def _is_challenge(asked: Any) -> bool:
    if not isinstance(asked.reason, str):
        return False
    if not isinstance(asked.lifetime, (int, float)) or not 0 < asked.lifetime <= _LONGEST:
        return False
    return _is_shown(asked.data) and _is_shown(asked.state) and are_header_texts(asked.cookies)
