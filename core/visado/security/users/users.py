"""Users and their profiles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from visado import errors, events
from visado.codec import are_texts
from visado.host import Clock
from visado.request import ANONYMOUS, ANONYMOUS_ID, Fields, User
from visado.security.documents import INFO, content, info
from visado.security.observers import Observers
from visado.security.rights.profiles import Profiles
from visado.security.users import names
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import Change, Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Page, Query

COLLECTION: Final = "users"
_MAX_CACHED_USERS: Final = 16_384
_RESERVED: Final = frozenset({ANONYMOUS_ID, "anonymous"})


class Users:
    """The users, with a cache of those that were read last."""

    def __init__(self, storage: Storage, clock: Clock, profiles: Profiles, observers: Observers) -> None:
        self._storage, self._clock, self._profiles, self._observers = storage, clock, profiles, observers
        self._cached = BoundedDict[str, User](_MAX_CACHED_USERS)
        self._changes = 0
        self.on_delete: list[Callable[[str], Awaitable[None]]] = []
        storage.declare(Collection(COLLECTION, ("profileIds",)))

    async def get(self, user_id: str) -> User | None:
        """The user of this id, or None. `anonymous` is another name of everybody."""
        if user_id in _RESERVED:
            return ANONYMOUS
        user = self._cached.get(user_id)
        if user is not None:
            return user
        changes = self._changes
        document = await self._storage.get(COLLECTION, user_id)
        if document is None:
            return None
        user = _user(user_id, document)
        if changes == self._changes:  # otherwise the document that was read may be outdated
            self._storage.after_commit(lambda: self._cached.set(user_id, user))
        return user

    async def find(self, user_id: str) -> User:
        """The user of this id. Raises `UserNotFound`."""
        user = await self.get(user_id)
        if user is None:
            raise errors.UserNotFound(user=user_id)
        return user

    def roles(self, user: User) -> frozenset[str]:
        """The ids of a user's roles."""
        return self._profiles.roles_of(user)

    async def create(
        self, content: Fields, user_id: str | None = None, style: Literal["human", "uuid"] = "human"
    ) -> User:
        """Make a user. Raises `UserExists`, `ProfileNotFound`, `NoProfile`, `AnonymousProfileRequired`."""
        proposed = user_id or names.user_id(style)
        document = self._document(proposed, content)
        while True:
            try:
                async with self._storage.transaction():
                    await self._storage.create(COLLECTION, proposed, document)
                    self._note("created", proposed)
            except DocumentExists:
                if user_id is not None:
                    raise errors.UserExists(user=user_id) from None
                proposed = names.user_id(style)
            else:
                return _user(proposed, document)

    async def update(self, user_id: str, changes: Fields, updater: str | None = None) -> User:
        """Change members of a user; null profiles stay as they are. Raises `UserNotFound`."""
        kept = {name: value for name, value in content(changes).items() if (name, value) != ("profileIds", None)}
        if "profileIds" in kept:
            self._check_profiles(user_id, kept["profileIds"], "body.profileIds")

        def change(document: Mapping[str, Any]) -> Fields:
            note = {**document[INFO], "updatedAt": self._clock(), "updater": updater}
            return {**document, **kept, INFO: note}

        return await self._change(user_id, change)

    async def replace(self, user_id: str, body: Fields, author: str) -> User:
        """Put other content in the place of a user's. Raises `UserNotFound`."""
        document = self._document(user_id, body, "body.profileIds", author)
        return await self._change(user_id, lambda _: document)

    async def _change(self, user_id: str, change: Change) -> User:
        if user_id in _RESERVED:
            raise errors.UserNotFound(user=user_id)
        try:
            async with self._storage.transaction():
                document = await self._storage.update(COLLECTION, user_id, change)
                self._forget(user_id)
                self._note("updated", user_id)
        except DocumentMissing:
            raise errors.UserNotFound(user=user_id) from None
        return _user(user_id, document)

    async def delete(self, user_id: str) -> None:
        """Forget a user; what belongs to it is the caller's business (`security.accounts`)."""
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, user_id)
            for forget in self.on_delete:
                await forget(user_id)
            self._forget(user_id)
            self._note("deleted", user_id)

    def _note(self, change: events.Change, user_id: str) -> None:
        self._observers.note(events.UserChanged(change=change, target=user_id))

    def _forget(self, user_id: str) -> None:
        """Remove a user from the cache once the change is committed."""

        def forget() -> None:
            self._changes += 1
            self._cached.pop(user_id, None)

        self._storage.after_commit(forget)

    async def search(self, query: Query) -> Page:
        """A page of users."""
        return await self._storage.search(COLLECTION, query)

    async def with_profile(self, profile: str, limit: int | None = None) -> list[str]:
        """The ids of the users that have a profile."""
        page = await self.search(Query(Equals("profileIds", profile), limit=limit))
        return [user_id for user_id, _ in page.hits]

    async def leave_profile(self, user_id: str, profile: str) -> None:
        """Take a profile from a user; who has none left becomes as anybody."""

        def change(document: Mapping[str, Any]) -> Fields:
            kept = [each for each in document["profileIds"] if each != profile]
            return {**document, "profileIds": kept or ["anonymous"]}

        await self._change(user_id, change)

    async def admin_exists(self) -> bool:
        """Whether somebody is an administrator."""
        return bool(await self.with_profile("admin", limit=1))

    def _document(
        self, user_id: str, body: Fields, place: str = "body.content.profileIds", author: str | None = None
    ) -> Fields:
        if "profileIds" not in body or body["profileIds"] is None:
            raise errors.MissingArgument(argument=place)
        self._check_profiles(user_id, body["profileIds"], place)
        return {**content(body), INFO: info(self._clock(), author=author)}

    def _check_profiles(self, user_id: str, profile_ids: Any, place: str) -> None:
        if not are_texts(profile_ids):
            raise errors.InvalidType(argument=place, expected="array")
        for profile in profile_ids:
            self._profiles.find(profile)
        if not profile_ids:
            raise errors.NoProfile(user=user_id)
        if user_id in _RESERVED:
            if profile_ids != ["anonymous"]:
                raise errors.AnonymousProfileRequired
            raise errors.UserExists(user=user_id)


def _user(user_id: str, document: Mapping[str, Any]) -> User:
    return User(user_id, tuple(document["profileIds"]), document)
