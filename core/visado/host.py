"""The host as plugins see it: narrow protocols, and the record `Host` that holds one object for each.

Owns the protocols only. `security` and `storage` implement them; no object here leads to the application.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from visado.events import Event
from visado.request import Fields, Request, Token, User
from visado.storage.protocol import Storage
from visado.storage.query import Page, Query
from visado.strategy import AccountRules, Identity, Outcome

T = TypeVar("T")

Clock: TypeAlias = Callable[[], int]
"""Returns the time, in milliseconds since 1970."""


def system_clock() -> int:
    """Return the time of the system's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Credentials(Protocol):
    """Which user owns which subject of a strategy: documents of `{userId, ...}` under the subject.

    A subject is a user's id inside a strategy: a user name, a DN, an external id. Subjects are unique, and a user has
    one for each strategy.
    """

    async def get(self, strategy: str, subject: str) -> Mapping[str, Any] | None:
        """Return the document of a subject, or None."""
        ...

    async def get_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the subject and the document of a user, or None."""
        ...

    async def find_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]]:
        """Return the subject and the document of a user. Raises `errors.NoCredentials`."""
        ...

    async def link(self, strategy: str, subject: str, user_id: str, fields: Fields | None = None) -> None:
        """Link a subject to a user; `fields` are further members of the document.

        Raises `errors.SubjectTaken`, and `errors.UserLinked` if the user has another subject.
        """
        ...

    async def merge(self, strategy: str, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        """Change members of a user's document, and the subject if one is given.

        Raises `errors.NoCredentials`, `errors.SubjectTaken`.
        """
        ...

    async def unlink(self, strategy: str, user_id: str) -> bool:
        """Delete the subject of a user; return whether the user had one."""
        ...

    async def search(self, strategy: str, query: Query) -> Page:
        """Return a page of the documents that match a query."""
        ...


class Identities(Protocol):
    """What strategies and token verifiers know of a person, and which user it is."""

    async def refresh(self, strategy: str, identity: Identity, rules: AccountRules) -> None:
        """Store what an identity that has a user says now: its profiles and what is kept. No user is made.

        `rules` are the `accounts` of the strategy. Raises `errors.NoCredentials` where the identity has no user, and
        `errors.LoginRefused` where it lacks what the rules and the settings require: it may not log in any more.
        """
        ...


class Users(Protocol):
    """The users, as a plugin may read and change them."""

    async def get(self, user_id: str) -> User | None:
        """Return the user of an id, or None."""
        ...

    async def create(self, content: Fields, user_id: str | None = None) -> User:
        """Create a user and return it. `content` contains `profileIds`; without `user_id`, an id is generated.

        Raises `errors.UserExists`, `errors.ProfileNotFound`, `errors.NoProfile`.
        """
        ...

    async def merge(self, user_id: str, changes: Fields, updater: str | None = None) -> User:
        """Change members of a user's content and return the user. `updater` is the id of the user who changes it.

        Raises `errors.UserNotFound`, `errors.ProfileNotFound`, `errors.NoProfile`.
        """
        ...

    async def delete(self, user_id: str) -> None:
        """Delete a user with its credentials, API keys, tokens, and what login checks store of it.

        Raises `errors.UserNotFound`, and `errors.CredentialsRejected` where a strategy does not delete its own.
        """
        ...

    async def search(self, query: Query) -> Page:
        """Return a page of the users that match a query."""
        ...

    async def strategies(self, user: User) -> list[str]:
        """Return the names of the strategies in which a user has credentials."""
        ...

    def roles(self, user: User) -> frozenset[str]:
        """Return the ids of the roles that a user has through its profiles."""
        ...


class Tokens(Protocol):
    """The tokens, as a plugin may revoke them."""

    async def revoke(self, token: Token) -> None:
        """Revoke one token."""
        ...

    async def revoke_all(
        self, user_id: str, *, keep: str | None = None, notify: bool = False, strategy: str | None = None
    ) -> None:
        """Revoke every token of a user except the one with the id `keep`. API keys stay.

        With `notify`, the user's open sockets are told that their tokens expired. Observers are told of the
        revocation and of its `strategy`.
        """
        ...

    async def revoke_others(self, user_id: str) -> None:
        """Revoke every token of a user except the one of the current request, if it is the user's."""
        ...

    async def revoke_of(self, strategy: str, **session: str) -> int:
        """Revoke the tokens that a strategy made, in whose session these members have these values; return how many.

        For a logout by the identity provider: `revoke_of("saml", index="...")`. Only members that are texts count. The
        users' open sockets are told that their tokens expired.
        """
        ...


class Logins(Protocol):
    """Logging in a user whom an action of a plugin has authenticated."""

    async def complete(
        self, user: User, strategy: str, expires_in: int | None = None, methods: frozenset[str] = frozenset()
    ) -> Fields:
        """Run the login checks, create a token, and return the result of `auth:login`: `{_id, jwt, expiresAt, ttl}`.

        `expires_in` is the lifetime in ms; -1 for ever, None for the default. `methods` are those of a `Success`.
        Raises `errors.LoginRefused`, and `errors.LoginChallenged`, which the client answers at the login of the
        strategy.
        """
        ...


class Strategies(Protocol):
    """The strategies of the host, each within its limits. Administrators may add and remove some at run time."""

    async def attempt(self, name: str, request: Request) -> Outcome:
        """Return the outcome of a login with a strategy, an identity as its user: no login check, no token.

        For a login with other members: `attempt(name, replace(request, body={...}))`, with `dataclasses.replace`.

        Raises `errors.UnknownStrategy`, `errors.StrategyTimeout`, `errors.Overloaded`, and what the strategy raises.
        """
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names of the available strategies."""
        ...


class AddedStrategies(Protocol):
    """The strategies that administrators and plugins add while the host runs."""

    async def add(self, kind: str, name: str, settings: Fields) -> None:
        """Add a strategy of a kind, which the next request can use.

        Raises `errors.StrategyExists`, `errors.StrategyRejected`, and what the strategy raises.
        """
        ...

    async def remove(self, name: str) -> None:
        """Remove an added strategy; its credentials and tokens stay.

        Raises `errors.UnknownStrategy`, `errors.StrategyDeclared`.
        """
        ...

    def find(self, kind: str, **settings: Any) -> tuple[str, ...]:
        """Return the names of the added strategies of a kind whose settings have these values.

        A setting that is secret has no value here.
        """
        ...


class Events(Protocol):
    """The events that observers receive."""

    def note(self, event: Event) -> None:
        """Deliver an event once the transaction of the current task commits, and before the response is sent.

        Of equal events of one request, one is delivered.
        """
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """The parts of the host that plugins use. A hook that names the argument `host` receives this record.

    `clock` returns the time in ms since 1970.
    """

    storage: Storage
    users: Users
    credentials: Credentials
    identities: Identities
    tokens: Tokens
    logins: Logins
    strategies: Strategies
    added_strategies: AddedStrategies
    events: Events
    clock: Clock
    _singles: dict[type[Any], Any] = field(default_factory=dict[type[Any], Any], repr=False)

    def single(self, kind: type[T], *arguments: Any) -> T:
        """Return the one object of a class that a plugin has on this host, made with these arguments at the first call.

        For what two hooks of a plugin share, such as a strategy and a controller.
        """
        if kind not in self._singles:
            self._singles[kind] = kind(*arguments)
        return self._singles[kind]  # type: ignore[no-any-return]
