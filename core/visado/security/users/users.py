"""Users and their profiles.

Does not own the credentials, tokens and API keys of a user (`security.accounts` deletes them together).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from visado import errors, events
from visado.codec import are_texts
from visado.host import Clock
from visado.request import ANONYMOUS, ANONYMOUS_ID, Fields, User
from visado.security.documents import METADATA, build_metadata, strip_metadata
from visado.security.observers import Observers
from visado.security.rights.profiles import Profiles
from visado.security.users import names
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import Change, Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Page, Query

COLLECTION: Final = "users"
_MAX_CACHED_USERS: Final = 16_384
_RESERVED_IDS: Final = frozenset({ANONYMOUS_ID, "anonymous"})


class Users:
    """The users, with a cache of those that were read last."""

    def __init__(self, storage: Storage, clock: Clock, profiles: Profiles, observers: Observers) -> None:
        self._storage, self._clock, self._profiles, self._observers = storage, clock, profiles, observers
        self._cached = BoundedDict[str, User](_MAX_CACHED_USERS)
        self._changes = 0
        self.on_delete: list[Callable[[str], Awaitable[None]]] = []
        """Awaited with the id of a user inside the transaction that deletes the user."""
        storage.declare(Collection(COLLECTION, ("profileIds",)))

    async def get(self, user_id: str) -> User | None:
        """Return the user of an id, or None. `anonymous` is another id of the anonymous user."""
        if user_id in _RESERVED_IDS:
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
        """Return the user of an id. Raises `UserNotFound`."""
        user = await self.get(user_id)
        if user is None:
            raise errors.UserNotFound(user=user_id)
        return user

    def roles(self, user: User) -> frozenset[str]:
        """Return the ids of a user's roles."""
        return self._profiles.roles_of(user)

    async def create(
        self, content: Fields, user_id: str | None = None, style: Literal["human", "uuid"] = "human"
    ) -> User:
        """Create a user and return it. Without `user_id`, an id is generated in the style `human` or `uuid`.

        Raises `UserExists`, `ProfileNotFound`, `NoProfile`, `AnonymousProfileRequired`.
        """
        proposed = user_id or names.new_user_id(style)
        document = self._document(proposed, content)
        while True:
            try:
                async with self._storage.transaction():
                    await self._storage.create(COLLECTION, proposed, document)
                    self._note("created", proposed)
            except DocumentExists:
                if user_id is not None:
                    raise errors.UserExists(user=user_id) from None
                proposed = names.new_user_id(style)
            else:
                return _user(proposed, document)

    async def merge(self, user_id: str, changes: Fields, updater: str | None = None) -> User:
        """Change members of a user and return it; `profileIds: None` changes no profiles. Raises `UserNotFound`."""
        changes = strip_metadata(changes)
        if changes.get("profileIds", ()) is None:
            del changes["profileIds"]
        if "profileIds" in changes:
            self._check_profiles(user_id, changes["profileIds"], "body.profileIds")

        def change(document: Mapping[str, Any]) -> Fields:
            metadata = {**document[METADATA], "updatedAt": self._clock(), "updater": updater}
            return {**document, **changes, METADATA: metadata}

        return await self._change(user_id, change)

    async def replace(self, user_id: str, body: Fields, author: str) -> User:
        """Replace the content of a user and return it. Raises `UserNotFound`."""
        document = self._document(user_id, body, "body.profileIds", author)
        return await self._change(user_id, lambda _: document)

    async def _change(self, user_id: str, change: Change) -> User:
        if user_id in _RESERVED_IDS:
            raise errors.UserNotFound(user=user_id)
        try:
            async with self._storage.transaction():
                document = await self._storage.update(COLLECTION, user_id, change)
                self._drop_cached(user_id)
                self._note("updated", user_id)
        except DocumentMissing:
            raise errors.UserNotFound(user=user_id) from None
        return _user(user_id, document)

    async def delete(self, user_id: str) -> None:
        """Delete a user; `Accounts.delete` also deletes its credentials, tokens and API keys."""
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, user_id)
            for callback in self.on_delete:
                await callback(user_id)
            self._drop_cached(user_id)
            self._note("deleted", user_id)

    def _note(self, change: events.Change, user_id: str) -> None:
        self._observers.note(events.UserChanged(change=change, target=user_id))

    def _drop_cached(self, user_id: str) -> None:
        """Remove a user from the cache once the change is committed."""

        def drop() -> None:
            self._changes += 1
            self._cached.pop(user_id, None)

        self._storage.after_commit(drop)

    async def search(self, query: Query) -> Page:
        """Return a page of users."""
        return await self._storage.search(COLLECTION, query)

    async def ids_with_profile(self, profile: str, limit: int | None = None) -> list[str]:
        """Return the ids of the users that have a profile, at most `limit`."""
        page = await self.search(Query(Equals("profileIds", profile), limit=limit))
        return [user_id for user_id, _ in page.hits]

    async def remove_profile(self, user_id: str, profile: str) -> None:
        """Remove a profile from a user; a user without profiles gets the profile `anonymous`."""

        def change(document: Mapping[str, Any]) -> Fields:
            others = [each for each in document["profileIds"] if each != profile]
            return {**document, "profileIds": others or ["anonymous"]}

        await self._change(user_id, change)

    async def admin_exists(self) -> bool:
        """Return whether a user has the profile `admin`."""
        return bool(await self.ids_with_profile("admin", limit=1))

    def _document(
        self, user_id: str, body: Fields, argument: str = "body.content.profileIds", author: str | None = None
    ) -> Fields:
        if "profileIds" not in body or body["profileIds"] is None:
            raise errors.MissingArgument(argument=argument)
        self._check_profiles(user_id, body["profileIds"], argument)
        return {**strip_metadata(body), METADATA: build_metadata(self._clock(), author=author)}

    def _check_profiles(self, user_id: str, profile_ids: Any, argument: str) -> None:
        if not are_texts(profile_ids):
            raise errors.InvalidType(argument=argument, expected="array")
        for profile in profile_ids:
            self._profiles.find(profile)
        if not profile_ids:
            raise errors.NoProfile(user=user_id)
        if user_id in _RESERVED_IDS:
            if profile_ids != ["anonymous"]:
                raise errors.AnonymousProfileRequired
            raise errors.UserExists(user=user_id)


def _user(user_id: str, document: Mapping[str, Any]) -> User:
    return User(user_id, tuple(document["profileIds"]), document)
