"""The interface of a strategy whose credentials users or administrators set."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from visado import errors
from visado.request import Fields, Request
from visado.strategy.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Actor:
    """Who creates, changes or deletes the credentials of a user, with the request that asks for it.

    `owner`: the user itself. `stranger`: a client that signs up (`security:createRestrictedUser`). `administrator`: a
    user with rights over other users. `host`: the host, outside of a request of a client.
    """

    kind: Literal["owner", "stranger", "administrator", "host"]
    request: Request | None = field(default=None, repr=False)

    @property
    def must_prove(self) -> bool:
        """Whether the actor has to prove that the subject of the credentials is its own."""
        return self.kind in {"owner", "stranger"}

    @property
    def user_id(self) -> str | None:
        """The id of the user who acts; None for an anonymous client and for the host."""
        return None if self.request is None or self.request.user.anonymous else self.request.user.id


class KeepsCredentials(Strategy):
    """A strategy whose credentials users or administrators set, such as a password.

    The host does the same for strategies that return an `Identity`: they need none of this.
    """

    credentials_form: type[BaseModel] | None = None
    """The members of its credentials. `security:getCredentialFields` lists their names."""
    stored: bool = False
    """Whether a user has credentials if and only if the host's `Credentials` hold a document of the user.

    The host then reads them there instead of calling `exists`, and may cache responses that depend on them.
    """

    @abstractmethod
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        """Raise an error unless these credentials can be created or, with `update`, can change existing ones."""

    @abstractmethod
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        """Create credentials of a user, and return their public part. The host calls `validate` before."""

    @abstractmethod
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        """Change members of a user's credentials, and return their public part. The host calls `validate` before."""

    @abstractmethod
    async def delete(self, user_id: str, by: Actor) -> None:
        """Delete the credentials of a user. Raise `errors.NoCredentials` if there are none."""

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


def form_fields(form: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the names of a form's members, as clients send them."""
    return () if form is None else tuple(each.alias or name for name, each in form.model_fields.items())
