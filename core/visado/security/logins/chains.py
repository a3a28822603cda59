"""Chains: strategies that are tried one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from typing_extensions import override

from visado import errors
from visado.request import Fields, Request
from visado.security.logins.strategies import Strategies
from visado.strategy import Fail, Outcome, Pass, Strategy


class Chain(Strategy):
    """A strategy that tries others in turn, until one returns `Success` or `Redirect`, or raises an error.

    It has no credentials: those of its members count.
    """

    stored = True

    def __init__(self, name: str, members: Sequence[str], strategies: Strategies) -> None:
        for member in members:
            if member == name or member not in strategies:
                raise ValueError(f"no strategy is called {member!r}")
        self.name = name
        self.fields = tuple(dict.fromkeys(field for member in members for field in strategies[member].fields))
        self.timeout = sum(strategies[member].timeout for member in members)
        self._members, self._strategies = tuple(members), strategies

    @override
    async def authenticate(self, request: Request) -> Outcome:
        reasons: list[str] = []
        for member in self._members:
            if member not in self._strategies:  # its plugin is unavailable
                continue
            outcome = await self._strategies.attempt(member, request)
            match outcome:
                case Pass():
                    continue
                case Fail(reason):
                    reasons.append(str(reason))
                case _:
                    return outcome
        return Fail("; ".join(dict.fromkeys(reasons))) if reasons else Pass()

    @override
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        self._refuse()

    @override
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        self._refuse()

    @override
    async def delete(self, user_id: str) -> None:
        raise errors.NoCredentials(what="user", name=user_id)

    @override
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
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
