"""The credentials that users have in strategies, and the strategies with which a user can log in."""

from __future__ import annotations

from typing import Final

from visado import errors
from visado.codec import can_encode
from visado.events import CredentialsChanged
from visado.request import Fields, Request, User, current_request
from visado.security.observers import Observers
from visado.security.strategies.strategies import Strategies
from visado.security.users.credentials import Credentials
from visado.storage.versions import Version, VersionedCache
from visado.strategy import Actor, KeepsCredentials

MAX_CACHED_USERS: Final = 16_384


class StrategyCredentials:
    """Users' credentials, changed through their strategies. Observers are told of each change."""

    def __init__(
        self, strategies: Strategies, credentials: Credentials, observers: Observers, version: Version
    ) -> None:
        self._strategies, self._credentials, self._observers = strategies, credentials, observers
        self._cache = VersionedCache[list[str]](version, MAX_CACHED_USERS)

    async def validate(self, strategy: str, user_id: str, fields: Fields, by: Actor, *, update: bool = False) -> None:
        """Raise an error unless these credentials could be created, or with `update` changed."""
        await self._strategies.run_keeper(strategy, lambda each: each.validate(user_id, fields, by, update=update))

    async def create(self, strategy: str, user_id: str, fields: Fields, by: Actor) -> Fields:
        """Create credentials of a user and return their public part. Raises what `Strategies.run_keeper` raises."""
        await self.validate(strategy, user_id, fields, by)
        public = await self._strategies.run_keeper(strategy, lambda each: each.create(user_id, fields, by))
        self._observers.note(CredentialsChanged(change="created", target=user_id, strategy=strategy))
        return public

    async def update(self, strategy: str, user_id: str, fields: Fields, by: Actor) -> Fields:
        """Change credentials of a user and return their public part. Raises what `Strategies.run_keeper` raises."""
        await self.validate(strategy, user_id, fields, by, update=True)
        public = await self._strategies.run_keeper(strategy, lambda each: each.update(user_id, fields, by))
        self._observers.note(CredentialsChanged(change="updated", target=user_id, strategy=strategy))
        return public

    async def delete(self, strategy: str, user_id: str, by: Actor) -> None:
        """Delete the credentials of a user. Raises what `Strategies.run_keeper` raises."""
        await self._strategies.run_keeper(strategy, lambda each: each.delete(user_id, by))
        self._observers.note(CredentialsChanged(change="deleted", target=user_id, strategy=strategy))

    async def delete_all(self, user_id: str, by: Actor) -> None:
        """Delete the credentials of a user in every strategy. Raises `CredentialsRejected` where a strategy fails.

        Of an unavailable or removed strategy, the documents in the host's `Credentials` are deleted: the id may be
        given to another user.
        """
        for name in self._credentials.strategies:
            if name not in self._strategies:
                await self._credentials.unlink(name, user_id)
                continue
            try:
                if await self._strategies.run_keeper(name, lambda each: each.exists(user_id)):
                    await self.delete(name, user_id, by)
            except errors.VisadoError as error:
                raise errors.CredentialsRejected(reason=f"{name}: {error.text}") from None

    async def logout(self, request: Request) -> str | None:
        """Tell the strategy that made the token of a request that it is revoked; return where the client goes next."""
        token = request.token
        if token is None or token.kind != "token" or token.strategy is None or token.strategy not in self._strategies:
            return None
        session = dict(token.session)
        try:
            location: object = await self._strategies.run(token.strategy, lambda each: each.logout(request, session))
        except errors.VisadoError:
            return None  # it is in the log, and the user is logged out of this host anyway
        return location if isinstance(location, str) and can_encode(location) else None

    async def strategies_of(self, user: User) -> list[str]:
        """Return the strategies in which a user has credentials; a strategy that fails to answer is left out.

        Not to be called inside a transaction: the result is cached, and the transaction may be rolled back.
        """
        if user.anonymous:
            return []
        names = self._cache.get(user.id)
        if names is None:
            version = self._cache.version
            keepers = [self._strategies.keeper(each) for each in self._strategies]  # they may change meanwhile
            names = [each.name for each in keepers if await self._exist(each, user.id)]
            if all(self._strategies.keeper(each).stored for each in self._strategies):
                self._cache.set(user.id, names, version)
        return names.copy()

    async def _exist(self, keeper: KeepsCredentials, user_id: str) -> bool:
        if keeper.stored:
            return await self._credentials.get_of_user(keeper.name, user_id) is not None
        request = current_request()
        if request is not None:
            request.depends_on = None
        try:
            return await self._strategies.run_keeper(keeper.name, lambda each: each.exists(user_id)) is True
        except errors.VisadoError:
            return False
