"""Login checks: the interface of a step between a strategy's success and the token, such as a second factor.

Owns the interface of a check and its decisions. Does not own the order of checks, nor how a client answers a challenge
(`security.logins`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from visado.request import Fields, Request, User
from visado.strategy import Challenge, Fail, Pass, Success


@dataclass(frozen=True, slots=True)
class Login:
    """A login that a strategy accepted: the request, the user, the name of the strategy, and its success.

    In an answer to a challenge, `success` has the user's id, the methods, the session and the end of the login that was
    challenged. `success.methods` contains the methods of the checks that accepted so far.
    """

    request: Request
    user: User
    strategy: str
    success: Success


@dataclass(frozen=True, slots=True)
class Accept:
    """The check accepts the login. The next check follows; after the last one, the host creates the token.

    `data` are further members of the result. `methods` are the ways in which the user proved it, as RFC 8176 names
    them: `otp`, `hwk`. `cookies` are `Set-Cookie` values of the response.
    """

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    methods: frozenset[str] = frozenset()
    cookies: tuple[str, ...] = ()


Decision: TypeAlias = Accept | Fail | Challenge | Pass


class LoginCheck(ABC):
    """A check of every login, whatever the strategy.

    A check can refuse or delay a login and never grant one. If it raises an error, exceeds its timeout or returns
    anything but a `Decision`, the login fails with an error.
    """

    name: str
    """The name that the client sees in a challenge."""
    factor: str | None = None
    """Checks of one factor are alternatives: a login needs one of those that do not pass. None: no alternative.

    A check that does not concern a user must return `Pass`: with `Accept`, the login would need none of the others.
    Of the challenges of one factor, the shortest lifetime and the smallest number of tries count for all.
    """
    timeout: float = 10.0
    """The time limit of each call, in seconds."""

    async def open(self) -> None:
        """Start threads and connections. The storage is open.

        Raise an error if the check cannot work: its plugin is then quarantined, and no login succeeds without it.
        """
        return

    async def close(self) -> None:
        """Stop threads and close connections. The storage is still open."""
        return

    @abstractmethod
    async def check(self, login: Login) -> Decision:
        """Decide on a login that a strategy accepted. `Pass`: the check does not concern this login or user."""

    async def answer(self, login: Login, state: Fields) -> Decision:
        """Decide on the answer to a challenge, which is in `login.request.fields`.

        `state` is that of the challenge. Another `Challenge` asks for a further step, under a new reference. `Pass` is
        no answer: it is refused like `Fail`.
        """
        return Fail()

    async def forget(self, user_id: str) -> None:
        """Delete what the check stores of a user, inside the transaction that deletes the user."""
        return

    def problem(self) -> str | None:
        """Return why the check cannot work at the moment, for the operator, or None. Called often: do not wait."""
        return None
