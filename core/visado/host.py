"""What the host lends to plugins: narrow protocols, and the record that holds one object for each.

Owns the protocols alone. What stands behind them is in `security` and `storage`; nothing here leads to the application.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from visado.events import Event
from visado.request import Fields, Token, User
from visado.storage.protocol import Storage
from visado.storage.query import Page, Query
from visado.strategy import Strategy

Clock: TypeAlias = Callable[[], int]
"""The present time, in milliseconds since 1970."""


def now() -> int:
    """Read the system's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Credentials(Protocol):
    """Which user owns which subject, per strategy: rows of `{userId, ...}` under the subject."""

    async def get(self, strategy: str, subject: str) -> Mapping[str, Any] | None:
        """The row of a subject, or None."""
        ...

    async def get_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """The subject and the row of a user, or None."""
        ...

    async def find_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]]:
        """The subject and the row of a user. Raises `errors.NoCredentials`."""
        ...

    async def link(self, strategy: str, subject: str, user_id: str, fields: Fields | None = None) -> None:
        """Give a subject to a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        ...

    async def update(self, strategy: str, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        """Change members of a user's row, and its subject where one is given."""
        ...

    async def unlink(self, strategy: str, user_id: str) -> bool:
        """Take the subject from the user; whether there was one."""
        ...

    async def search(self, strategy: str, query: Query) -> Page:
        """A page of the rows that match."""
        ...


class Users(Protocol):
    """The users, as a strategy may see and make them."""

    async def get(self, user_id: str) -> User | None:
        """The user of this id, or None."""
        ...

    async def create(self, content: Fields, user_id: str | None = None) -> User:
        """Make a user; `content` holds `profileIds`. Raises `errors.UserExists`, `errors.ProfileNotFound`."""
        ...

    async def update(self, user_id: str, changes: Fields, updater: str | None = None) -> User:
        """Change members of a user's content; the next request sees it. Raises `errors.UserNotFound`."""
        ...

    def roles(self, user: User) -> frozenset[str]:
        """The ids of the roles that the user has through its profiles."""
        ...


class Tokens(Protocol):
    """The tokens, as a plugin may end them."""

    async def revoke(self, token: Token) -> None:
        """End one token."""
        ...

    async def revoke_all(
        self, user_id: str, *, keep: str | None = None, notify: bool = False, strategy: str | None = None
    ) -> None:
        """End every token of a user, but the one with the id `keep`; API keys stay. `tell` tells open sockets.

        Observers are told, too, and of the `strategy` that wants it.
        """
        ...

    async def revoke_others(self, user_id: str) -> None:
        """End every token of a user, but the one with which the user asks for it."""
        ...


class Logins(Protocol):
    """The way to a token for a plugin's own actions."""

    async def complete(self, user: User, strategy: str, expires_in: int | None = None) -> Fields:
        """Log a user in who has proved who it is: `{_id, jwt, expiresAt, ttl}`.

        `expires_in` in ms; -1 for ever, None the default. The login checks are asked first: raises
        `errors.LoginRefused`, and `errors.LoginChallenged`, to be answered at the login of this strategy.
        """
        ...


class Events(Protocol):
    """What observers will be told."""

    def note(self, event: Event) -> None:
        """Tell of this, once what the present task has written is there for all, and before the answer.

        What is noted twice during one request is told once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """What a plugin is lent: a hook that names `host` receives this record.

    `strategies` are all strategies of the host by name, also those that are added later: look at them when a request
    comes, not at the start. `clock` returns the present time in milliseconds since 1970.
    """

    storage: Storage
    users: Users
    credentials: Credentials
    tokens: Tokens
    logins: Logins
    strategies: Mapping[str, Strategy]
    events: Events
    clock: Clock
