"""The interface of a way to log in, and of a kind of strategies that administrators add."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pydantic import BaseModel

from visado import errors
from visado.request import Fields, Request
from visado.strategy.outcomes import AccountRules, Fail, Outcome


class Strategy(ABC):
    """A way to log in. `authenticate` is all that a strategy must have.

    An error of `visado.errors` that a method raises is sent to the client as it is. Any other exception becomes a 500
    `plugin.runtime.unexpected_error`, whose cause is in the log only.
    """

    name: str
    """The name in the URL, `/_login/NAME`, and in each user's list of strategies."""
    title: str = ""
    """The text of a login page's button or heading. Empty: the name."""
    icon: str = ""
    """The address of an image for a login page: `https:` or `data:image/`. Empty: none."""
    listed: bool = True
    """Whether `auth:getLoginForms` lists the strategy for strangers."""
    login_form: type[BaseModel] | None = None
    """The members of a login's body. None: the login starts without any, for instance with a redirect."""
    accounts: AccountRules = AccountRules()
    """What the host does with an identity, where the settings say nothing else."""
    timeout: float = 10.0
    """The time limit of each call, in seconds. Where it is exceeded, the response is 504 `plugin.strategy.timeout`."""
    concurrency: int = 64
    """How many logins run at once; as many wait, and further ones are refused with 503."""
    posts_from: frozenset[str] = frozenset()
    """The origins whose pages may post an answer to a redirect here, such as `https://idp.example`; `*` for all."""

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

    async def answer(self, request: Request, state: Fields) -> Outcome:
        """Return the outcome of a further step: the request that answers a `Challenge` or returns from a `Redirect`.

        `state` is that of the outcome. The host has checked that it is unused, recent and of the same client.
        """
        return Fail("this login has no further step")

    def reference(self, request: Request) -> str | None:
        """Return the reference that a request brings back: OAuth's `state`, SAML's `RelayState`. None: a first step."""
        reference = request.fields.get("challenge")
        return reference if isinstance(reference, str) else None

    def subject(self, request: Request) -> str | None:
        """Return whom a login is about, in one spelling, for a limit of failed logins. None: it names nobody.

        Called before `authenticate`: do not wait. `Melis`, ` melis` and `melis` are one subject where they log in as
        one user.
        """
        return None

    async def logout(self, request: Request, session: Fields) -> str | None:
        """End what the strategy holds of a login whose token ends. Return where the client logs out next, or None.

        `session` is that of the `Success` of the login.
        """
        return None

    async def refresh(self, request: Request, session: Fields) -> Fields:
        """Renew the session at the provider before the host refreshes the token.

        `session` is that of the login, empty where another strategy made the token. Return `{}`, or members of
        `{"expiresIn": ..., "session": ...}`: the lifetime of the new token, and the session that it has in place of the
        token's. Raise an error to refuse.
        """
        raise errors.RefreshForbidden(what=f'A token of the strategy "{self.name}"')

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
