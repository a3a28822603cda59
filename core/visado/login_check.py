"""Login checks: what is asked between a strategy's success and the token, such as for a second factor.

Owns the interface of a check and its decisions. Does not own the order of checks, nor how a client answers
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
    """A login that a strategy has agreed to: who it is, by which strategy, and the request that asks."""

    request: Request
    user: User
    strategy: str


@dataclass(frozen=True, slots=True)
class Accept:
    """Nothing against it: the next check is asked, and after the last one there is a token.

    `data` stands beside the token in the answer; `cookies` are `Set-Cookie` values that go with it.
    """

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenge:
    """Something more is needed: becomes 401 `security.login.challenged`, with a reference for the answer.

    `reason` and `data` are shown to the client. `state` is kept for `answer`, in the storage, and never shown.
    The reference works once, for `lifetime` seconds. `cookies` go with the answer.
    """

    reason: str = "One more step is needed."
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    lifetime: float = 300.0
    cookies: tuple[str, ...] = ()


Decision: TypeAlias = Accept | Fail | Challenge


class LoginCheck(ABC):
    """Asked of every login, whatever the strategy: `Accept`, `Fail`, or `Challenge`.

    It can refuse and delay, and never grant: a check that raises, hangs or returns anything else ends the login with
    an error. `timeout` (seconds) bounds each call.
    """

    name: str
    timeout: float = 10.0

    async def open(self) -> None:
        """Begin: the storage is open. Raise where there is no way to work."""
        return

    async def close(self) -> None:
        """End: let go of threads and connections."""
        return

    @abstractmethod
    async def check(self, login: Login) -> Decision:
        """Decide on a login that a strategy has agreed to."""

    async def answer(self, login: Login, state: Fields) -> Decision:
        """Decide on the answer to a challenge: `login.request.fields` holds it, `state` is what was kept.

        Another `Challenge` asks once more, under a new reference.
        """
        return Fail()

    async def forget(self, user_id: str) -> None:
        """Forget what is kept of a user who is being deleted: part of the same transaction."""
        return

    def problem(self) -> str | None:
        """Why it cannot work at present, for the operator; None where it can."""
        return None
