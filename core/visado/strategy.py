"""A way to log in: Passport's model, in Python.

Owns the outcomes and the interface of a strategy. Does not own the registry of strategies
(`security.logins.strategies`), nor tokens: a strategy says who it is, and the host makes the token.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel

from visado import errors
from visado.request import Fields, Request


@dataclass(frozen=True, slots=True)
class Success:
    """It is this user: becomes a token.

    With a `location`, a browser is sent there and gets the token as its cookie; without, or on a socket, the answer
    holds the token. `cookies` are `Set-Cookie` values that go with either, to clear what the login began with.
    """

    user_id: str
    location: str | None = None
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """It is not who it says it is: becomes 401. The reason is shown to the client; `cookies` go with it."""

    reason: str = "wrong credentials"
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """Ask there: becomes 302 and `Location`; on a socket, the same as data.

    `data` stands beside the location in the result, for clients that are no browsers; `cookies` go with the answer.
    A status of 200 is for those who are to read the address, not to follow it.
    """

    location: str
    status: int = 302
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing here for this strategy: the next one of a chain, and alone a refusal."""


Outcome: TypeAlias = Success | Fail | Redirect | Pass


class Strategy(ABC):
    """One way to log in, and the credentials that go with it.

    `fields` are the names of its credentials, for `security:getCredentialFields`. `timeout` (seconds) bounds
    each call of the strategy, and `concurrency` how many logins it runs at once: a directory that hangs must
    not stall another strategy. Errors of `visado.errors` pass to the client as they are; any other exception
    becomes a 500 whose cause is in the log alone. `stored` says that a user has credentials here if and only if the
    host's `Credentials` hold a row of it: the host then looks there, and may remember answers that say so.
    """

    name: str
    fields: tuple[str, ...] = ()
    timeout: float = 10.0
    concurrency: int = 64
    stored: bool = False

    async def open(self) -> None:
        """Begin: the storage is open. Raise where the strategy can never work; what may come back is no reason."""

    async def close(self) -> None:
        """End: let go of threads and connections."""

    @abstractmethod
    async def authenticate(self, request: Request) -> Outcome:
        """Find out who asks. Read credentials from the body alone: addresses end up in logs."""

    @abstractmethod
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        """Keep new credentials of a user, and return what may be shown of them."""

    @abstractmethod
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        """Change the credentials of a user, and return what may be shown of them."""

    @abstractmethod
    async def delete(self, user_id: str) -> None:
        """Forget the credentials of a user."""

    @abstractmethod
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
        """Raise unless these credentials could be created (or, with `update`, changed to)."""

    @abstractmethod
    async def exists(self, user_id: str) -> bool:
        """Whether the user has credentials here."""

    @abstractmethod
    async def info(self, user_id: str) -> Fields:
        """What may be shown of a user's credentials: never a secret."""

    async def by_id(self, subject: str) -> Fields:
        """What may be shown of the credentials with this subject: a user name, a DN, an external id."""
        raise errors.MissingOptionalMethod(method="getById", strategy=self.name)

    async def search(
        self, query: Fields, *, lang: str = "elasticsearch", sort: Any = None, offset: int = 0, limit: int = 10
    ) -> Fields:
        """Return `{hits: [{kuid, ...}], total}` of the credentials that match a query.

        `query` and `sort` are as the client sent them, in the language `lang`, which is `elasticsearch` or `koncorde`:
        `visado.search.parse_search` compiles them.
        """
        raise errors.MissingOptionalMethod(method="search", strategy=self.name)

    async def logout(self, request: Request) -> str | None:
        """Hear that a user with credentials here logs out; an address that is returned is where to log out next."""
        return None

    async def check(self) -> None:
        """Raise unless a login could work now: ask the directory, the provider. Called to rehearse new settings."""
        problem = self.problem()
        if problem is not None:
            raise errors.StrategyRejected(reason=problem)

    def problem(self) -> str | None:
        """Why the strategy cannot work at present, for the operator; None where it can."""
        return None

    async def refresh(self, request: Request) -> Fields:
        """Renew what the login rests on, before its token is refreshed; `{expiresIn}` may change its lifetime."""
        raise errors.RefreshForbidden(what=f'A token of the strategy "{self.name}"')


class StrategyKind(ABC):
    """A kind of strategy, of which an administrator may add any number while the host runs.

    `settings` is the model of the settings of one: frozen, `extra="forbid"`, secrets as `SecretStr`.
    """

    name: str
    settings: type[BaseModel]

    @abstractmethod
    def make(self, name: str, settings: Any) -> Strategy:
        """Make a strategy of this name. Nothing may be under way yet: `open` begins.

        Raises an error of `visado.errors` where these settings cannot work.
        """
