"""An attempt to log in: which strategy decided on it, and the gates that it passes before a strategy works."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from visado.request import Request
from visado.strategy import AccountRules, Identity, KeepsCredentials, Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of a login, and the name of the strategy that returned it: a chain's member, or that of a `Pass`."""

    strategy: str
    outcome: Outcome


class Delegate(KeepsCredentials):
    """A strategy of the host that asks others."""

    @abstractmethod
    async def ask(self, request: Request, *, needs_user: bool) -> Attempt:
        """Return the attempt of the strategy that decided. `needs_user` is that of `Strategies.ask`."""


class Admits(Protocol):
    """Decides whether an identity may log in: `Identities.check`."""

    async def __call__(self, strategy: str, identity: Identity, rules: AccountRules) -> None:
        """Raise `LoginRefused` unless the identity has a user or may get one."""
        ...


class Gate(Protocol):
    """What each attempt passes before its strategy works, and is told of afterwards: the place to throttle logins."""

    async def enter(self, strategy: str, subject: str | None, request: Request) -> None:
        """Raise an error to refuse an attempt. `subject` is whom the strategy says it is about, in one spelling."""
        ...

    async def leave(self, strategy: str, subject: str | None, request: Request, outcome: Outcome | None) -> None:
        """Receive the outcome of an attempt that was not refused; None where the strategy raised an error."""
        ...
