"""Credentials: which user owns which subject of a strategy, with what the strategy stores beside.

Owns the uniqueness of subjects, and of subjects per user. Does not own what a strategy stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from visado import errors
from visado.events import CredentialsChanged
from visado.request import Fields
from visado.security.observers import Observers
from visado.storage.protocol import Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Page, Query

COLLECTION: Final = "credentials"
"""Holds the names of the strategies that ever stored credentials."""


class Credentials:
    """Documents of `{userId, ...}` under the subject, in a collection per strategy."""

    def __init__(self, storage: Storage, observers: Observers) -> None:
        self._storage, self._observers = storage, observers
        self._declared: dict[str, None] = {}
        self._recorded: set[str] = set()
        self.on_unlink: list[Callable[[str, str], None]] = []
        """Called with the strategy and the user once the identity of a user is unlinked."""
        storage.declare(Collection(COLLECTION))

    @property
    def strategies(self) -> list[str]:
        """The names of the strategies that have credentials or had some, including removed strategies."""
        return list(self._declared)

    def declare(self, strategy: str) -> None:
        """Declare the collection of a strategy to the storage. The registry of strategies does so for each strategy."""
        self._storage.declare(Collection(_collection(strategy), ("userId",)))
        self._declared[strategy] = None

    async def open(self) -> None:
        """Read which strategies stored credentials before this start."""
        for strategy, _ in (await self._storage.search(COLLECTION, Query())).hits:
            self.declare(strategy)
            self._recorded.add(strategy)

    async def get(self, strategy: str, subject: str) -> Mapping[str, Any] | None:
        """Return the document of a subject, or None."""
        return await self._storage.get(_collection(strategy), subject)

    async def get_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the subject and the document of a user, or None."""
        page = await self._storage.search(_collection(strategy), Query(Equals("userId", user_id), limit=1))
        return page.hits[0] if page.hits else None

    async def find_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]]:
        """Return the subject and the document of a user. Raises `NoCredentials`."""
        owned = await self.get_of_user(strategy, user_id)
        if owned is None:
            raise errors.NoCredentials(what="user", name=user_id)
        return owned

    async def link(self, strategy: str, subject: str, user_id: str, fields: Fields | None = None) -> None:
        """Link a subject to a user, with `fields` in its document. Raises `SubjectTaken`, `UserLinked`."""
        async with self._storage.transaction():
            await self._record(strategy)
            if await self.get_of_user(strategy, user_id) is not None:
                raise errors.UserLinked(user=user_id)
            try:
                await self._storage.create(_collection(strategy), subject, {**(fields or {}), "userId": user_id})
            except DocumentExists:
                raise errors.SubjectTaken(subject=subject) from None
            await self._check_only_subject(strategy, subject, user_id)
            self._observers.note(CredentialsChanged(change="created", target=user_id, strategy=strategy))

    async def _record(self, strategy: str) -> None:
        if strategy not in self._recorded:
            with suppress(DocumentExists):
                await self._storage.create(COLLECTION, strategy, {})
            self._storage.after_commit(lambda: self._recorded.add(strategy))

    async def _check_only_subject(self, strategy: str, subject: str, user_id: str) -> None:
        """Raise `UserLinked` where another request linked a second subject to the user at the same time."""
        page = await self._storage.search(_collection(strategy), Query(Equals("userId", user_id)))
        if any(other != subject for other, _ in page.hits):
            raise errors.UserLinked(user=user_id)

    async def merge(self, strategy: str, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        """Change members of a user's document, and the subject if one is given.

        Raises `NoCredentials`, `SubjectTaken`.
        """
        async with self._storage.transaction():
            current, document = await self.find_of_user(strategy, user_id)
            if subject is None or subject == current:
                await self._change(strategy, current, user_id, fields)
                return
            try:
                await self._storage.create(_collection(strategy), subject, {**document, **fields, "userId": user_id})
            except DocumentExists:
                raise errors.SubjectTaken(subject=subject) from None
            await self._storage.delete(_collection(strategy), current)

    async def _change(self, strategy: str, subject: str, user_id: str, fields: Fields) -> None:
        try:
            await self._storage.update(
                _collection(strategy), subject, lambda document: {**document, **fields, "userId": document["userId"]}
            )
        except DocumentMissing:
            raise errors.NoCredentials(what="user", name=user_id) from None

    async def unlink(self, strategy: str, user_id: str) -> bool:
        """Unlink the subject of a user; return whether the user had one."""
        owned = await self.get_of_user(strategy, user_id)
        if owned is None:
            return False
        async with self._storage.transaction():
            deleted = await self._storage.delete(_collection(strategy), owned[0])
            if deleted:
                self._storage.after_commit(lambda: self._unlinked(strategy, user_id))
                self._observers.note(CredentialsChanged(change="deleted", target=user_id, strategy=strategy))
        return deleted

    def _unlinked(self, strategy: str, user_id: str) -> None:
        for callback in self.on_unlink:
            callback(strategy, user_id)

    async def search(self, strategy: str, query: Query) -> Page:
        """Return a page of the documents that match a query."""
        return await self._storage.search(_collection(strategy), query)


def _collection(strategy: str) -> str:
    return f"credentials-{strategy}"
