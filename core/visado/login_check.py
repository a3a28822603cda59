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
from visado.strategy import Fail


@dataclass(frozen=True, slots=True)
class Login:
    """A login that a strategy accepted: the request, the user, and the name of the strategy."""

    request: Request
    user: User
    strategy: str


@dataclass(frozen=True, slots=True)
class Accept:
    """The check accepts the login. The next check follows; after the last one, the host creates the token.

    `data` are further members of the result. `cookies` are `Set-Cookie` values of the response.
    """

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenge:
    """The check needs one more step: the response is 401 `security.login.challenged`, with a reference to answer with.

    The client sees `reason` and `data`. `state` is stored for `answer` and never sent. The reference works once, for
    `lifetime` seconds, at most an hour. `cookies` are `Set-Cookie` values of the response.
    """

    reason: str = "One more step is needed."
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    lifetime: float = 300.0
    cookies: tuple[str, ...] = ()


Decision: TypeAlias = Accept | Fail | Challenge


class LoginCheck(ABC):
    """A check of every login, whatever the strategy.

    A check can refuse or delay a login and never grant one. If it raises an error, exceeds its timeout or returns
    anything but a `Decision`, the login fails with an error.
    """

    name: str
    """The name that the client sees in a challenge."""
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
        """Decide on a login that a strategy accepted."""

    async def answer(self, login: Login, state: Fields) -> Decision:
        """Decide on the answer to a challenge, which is in `login.request.fields`.

        `state` is that of the challenge. Another `Challenge` asks for a further step, under a new reference.
        """
        return Fail()

    async def forget(self, user_id: str) -> None:
        """Delete what the check stores of a user, inside the transaction that deletes the user."""
        return

    def problem(self) -> str | None:
        """Return why the check cannot work at the moment, for the operator, or None. Called often: do not wait."""
        return None
