"""Accounts: a user with its credentials, tokens and API keys, created and deleted in one transaction."""

from __future__ import annotations

import logging
from typing import Final, Literal

from visado import errors
from visado.codec import is_object
from visado.request import Fields, User
from visado.security.strategies.strategies import Strategies
from visado.security.strategies.strategy_credentials import StrategyCredentials
from visado.security.tokens.api_keys import ApiKeys
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users
from visado.storage.protocol import Storage
from visado.strategy import Actor

_HOST: Final = Actor("host")
_log = logging.getLogger("visado.accounts")


class Accounts:
    """Creates and deletes users together with their credentials, tokens and API keys."""

    def __init__(
        self,
        storage: Storage,
        users: Users,
        strategies: Strategies,
        credentials: StrategyCredentials,
        tokens: Tokens,
        api_keys: ApiKeys,
    ) -> None:
        self._storage, self._users, self._strategies, self._credentials = storage, users, strategies, credentials
        self._tokens, self._api_keys = tokens, api_keys

    async def create(
        self,
        content: Fields,
        credentials: Fields,
        by: Actor,
        user_id: str | None = None,
        style: Literal["human", "uuid"] = "human",
    ) -> User:
        """Create a user with credentials of strategies, or nothing where one of them fails. `by` is who asks for it.

        `credentials` maps names of strategies to what each reads. Raises `UnknownStrategy`, `InvalidType`, what
        `Users.create` raises, and what the strategies raise.
        """
        for name, fields in credentials.items():
            self._strategies.keeper(name)
            if not is_object(fields):
                raise errors.InvalidType(argument=f"body.credentials.{name}", expected="object")
        attempted: list[str] = []
        user: User | None = None
        try:
            async with self._storage.transaction():
                user = await self._users.create(content, user_id, style)
                for name, fields in credentials.items():
                    attempted.append(name)  # a strategy may fail after it stored them
                    await self._credentials.create(name, user.id, fields, by)
        except BaseException:
            if user is not None:
                await self._delete_credentials(user.id, attempted, by)
            raise
        return user

    async def _delete_credentials(self, user_id: str, strategies: list[str], by: Actor) -> None:
        """Delete credentials that strategies store elsewhere; those in the storage were rolled back."""
        for name in strategies:
            try:
                if await self._strategies.run_keeper(name, lambda each: each.exists(user_id)):
                    await self._strategies.run_keeper(name, lambda each: each.delete(user_id, by))
            except errors.VisadoError:
                _log.exception("the credentials of %r in the strategy %r may not be deleted", user_id, name)

    async def delete(self, user_id: str, by: Actor = _HOST) -> None:
        """Delete a user with its credentials, API keys and tokens. Plugins receive this as `host.users.delete`.

        Raises `UserNotFound`, and `CredentialsRejected` where a strategy does not delete its own: the user then stays.
        """
        user = await self._users.find(user_id)
        if user.anonymous:
            raise errors.DocumentNotFound(id=user_id, index="kuzzle", collection="users")
        async with self._storage.transaction():
            await self._credentials.delete_all(user_id, by)
            await self._api_keys.delete_all(user_id)
            await self._tokens.delete_all(user_id)
            await self._users.delete(user_id)
