"""Strategies: the interface of a way to log in, after Passport's model, and the outcomes that it returns.

Owns the outcomes and the interface. Does not own the registry of strategies (`security.logins.strategies`), nor
tokens: a strategy says who the user is, and the host creates the token.
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
    """The client proved to be this user. The host runs the login checks and creates a token.

    With a `location`, a browser is redirected there and receives the token as a cookie. Without one, and on a
    WebSocket, the result contains the token. `cookies` are `Set-Cookie` values of either response, for instance to
    delete a cookie that the login set before.
    """

    user_id: str
    location: str | None = None
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """The credentials are wrong: the response is 401 `plugin.strategy.missing_user`.

    The client sees `reason`. `cookies` are `Set-Cookie` values of the response.
    """

    reason: str = "wrong credentials"
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """The client continues at another address: the response is 302 with `Location`.

    `status` is 300 to 399, or 200 for a client that reads the address from the result; a WebSocket always receives it
    in the result. `data` are further members of the result. `cookies` are `Set-Cookie` values of the response.
    """

    location: str
    status: int = 302
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """The request has no credentials for this strategy. In a chain, the next member is tried; else the login fails."""


Outcome: TypeAlias = Success | Fail | Redirect | Pass


class Strategy(ABC):
    """A way to log in, and the credentials that users have for it.

    An error of `visado.errors` that a method raises is sent to the client as it is. Any other exception becomes a 500
    `plugin.runtime.unexpected_error`, whose cause is in the log only.
    """

    name: str
    """The name in the URL, `/_login/NAME`, and in each user's list of strategies."""
    fields: tuple[str, ...] = ()
    """The names of the members of its credentials, for `security:getCredentialFields`."""
    timeout: float = 10.0
    """The time limit of each call, in seconds. Where it is exceeded, the response is 504 `plugin.strategy.timeout`."""
    concurrency: int = 64
    """How many logins run at once; as many wait, and further ones are refused with 503."""
    stored: bool = False
    """Whether a user has credentials if and only if the host's `Credentials` hold a document of the user.

    The host then reads them there instead of calling `exists`, and may cache responses that depend on them.
    """

    async def open(self) -> None:
        """Start threads and connections. The storage is open.

        Raise an error if the strategy can never work: its plugin is then quarantined. A server that is unreachable for
        now is no reason.
        """

    async def close(self) -> None:
        """Stop threads and close connections. The storage is still open."""

    @abstractmethod
    async def authenticate(self, request: Request) -> Outcome:
        """Return whether the client proved to be a user. Read credentials from the body: URLs are written to logs."""

    @abstractmethod
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        """Create credentials of a user, and return their public part. The host calls `validate` before."""

    @abstractmethod
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        """Change credentials of a user, and return their public part. The host calls `validate` before."""

    @abstractmethod
    async def delete(self, user_id: str) -> None:
        """Delete the credentials of a user."""

    @abstractmethod
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
        """Raise an error unless these credentials can be created or, with `update`, can change existing ones."""

    @abstractmethod
    async def exists(self, user_id: str) -> bool:
        """Return whether a user has credentials."""

    @abstractmethod
    async def info(self, user_id: str) -> Fields:
        """Return the public part of a user's credentials. Raise `errors.NoCredentials` if there are none."""

    async def by_id(self, subject: str) -> Fields:
        """Return the public part of the credentials of a subject: a user name, a DN, an external id."""
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
        """Log out a user who has credentials. Return the address where the client logs out next, or None."""
        return None

    async def check(self) -> None:
        """Raise an error unless a login could work now, for instance if the directory is unreachable.

        Called with the settings of a strategy that an administrator adds or changes.
        """
        problem = self.problem()
        if problem is not None:
            raise errors.StrategyRejected(reason=problem)

    def problem(self) -> str | None:
        """Return why the strategy cannot work at the moment, for the operator, or None. Called often: do not wait."""
        return None

    async def refresh(self, request: Request) -> Fields:
        """Renew the session at the provider before the host refreshes the token.

        Return `{}`, or `{"expiresIn": ...}` with the lifetime of the new token. Raise an error to refuse.
        """
        raise errors.RefreshForbidden(what=f'A token of the strategy "{self.name}"')


class StrategyKind(ABC):
    """A kind of strategy of which administrators may add any number while the host runs."""

    name: str
    """The name of the kind: `ldap`, `oauth`."""
    settings: type[BaseModel]
    """The model of the settings of one strategy: frozen, `extra="forbid"`, secrets as `SecretStr`."""

    @abstractmethod
    def make(self, name: str, settings: Any) -> Strategy:
        """Make a strategy of this name from validated settings. Start nothing: the host calls `open` afterwards.

        Raise an error of `visado.errors` if the strategy cannot work with these settings.
        """
