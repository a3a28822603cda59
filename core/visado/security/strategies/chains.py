"""Chains: strategies that are tried one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from typing_extensions import override

from visado import errors
from visado.request import REFERENCE_PREFIX, Fields, Request
from visado.security.strategies.attempts import Attempt, Delegate
from visado.security.strategies.strategies import Strategies
from visado.strategy import Actor, Challenge, Fail, Outcome, Pass, Redirect, Success


class Chain(Delegate):
    """A strategy that tries others in turn, until one neither fails nor passes, or raises an error.

    It has no credentials: those of its members count. Its login form is the first one of its members.
    """

    stored = True

    def __init__(self, name: str, members: Sequence[str], strategies: Strategies) -> None:
        for member in members:
            if member == name or member not in strategies:
                raise ValueError(f"no strategy is called {member!r}")
        self.name = name
        self.timeout = sum(strategies[member].timeout for member in members)
        forms = (strategies[member].login_form for member in members)
        self.login_form = next((each for each in forms if each is not None), None)
        self._members, self._strategies = tuple(members), strategies

    @override
    async def authenticate(self, request: Request) -> Outcome:
        return (await self.ask(request, needs_user=False)).outcome

    @override
    async def ask(self, request: Request, *, needs_user: bool) -> Attempt:
        """Ask each member in turn. The values of `WWW-Authenticate` and the cookies of those that fail add up."""
        failed: list[Fail] = []
        for member in self._members:
            if member not in self._strategies:  # its plugin is unavailable
                continue
            attempt = await self._strategies.ask(member, request, needs_user=needs_user)
            match attempt.outcome:
                case Pass():
                    continue
                case Fail():
                    failed.append(attempt.outcome)
                case _:
                    return Attempt(attempt.strategy, _with_failures(attempt.outcome, failed))
        return Attempt(self.name, _join(failed) if failed else Pass())

    @override
    def reference(self, request: Request) -> str | None:
        """Return the reference that a request brings back to one of the members."""
        for member in self._members:
            reference = self._strategies.reference(member, request) if member in self._strategies else None
            if reference is not None and reference.startswith(REFERENCE_PREFIX):
                return reference
        return super().reference(request)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        self._refuse()

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        self._refuse()

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        raise errors.NoCredentials(what="user", name=user_id)

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        self._refuse()

    @override
    async def exists(self, user_id: str) -> bool:
        return False

    @override
    async def info(self, user_id: str) -> Fields:
        raise errors.NoCredentials(what="user", name=user_id)

    def _refuse(self) -> NoReturn:
        members = ", ".join(self._members)
        raise errors.CredentialsRejected(reason=f'"{self.name}" is a chain: give credentials of {members}')


def _join(failed: Sequence[Fail]) -> Fail:
    reasons = dict.fromkeys(str(each.reason) for each in failed)
    return Fail("; ".join(reasons), _values(*failed), _cookies(*failed))


def _with_failures(outcome: Outcome, failed: Sequence[Fail]) -> Outcome:
    """Return an outcome with the cookies of the members that failed before it; a challenge with their values, too."""
    if isinstance(outcome, Challenge):
        values = _values(*failed, outcome)
        return replace(outcome, www_authenticate=values, cookies=_cookies(*failed, outcome))
    if failed and isinstance(outcome, (Success, Redirect)):
        return replace(outcome, cookies=_cookies(*failed, outcome))
    return outcome


def _values(*outcomes: Fail | Challenge) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for each in outcomes for value in each.www_authenticate))


def _cookies(*outcomes: Fail | Challenge | Success | Redirect) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cookie for each in outcomes for cookie in each.cookies))
