"""Which user owns which subject, per strategy: what every strategy would otherwise write for itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from visado import errors
from visado.events import CredentialsChanged
from visado.request import Fields
from visado.security.observers import Observers
from visado.storage.protocol import Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Page, Query

COLLECTION: Final = "credentials"


class Credentials:
    """Rows of `{userId, ...}` under the subject, a collection per strategy."""

    def __init__(self, storage: Storage, observers: Observers) -> None:
        self._storage, self._observers = storage, observers
        self._declared: dict[str, None] = {}
        self._remembered: set[str] = set()
        storage.declare(Collection(COLLECTION))

    @property
    def strategies(self) -> list[str]:
        """The names of all strategies that have rows, or had: also of those that are no longer there."""
        return list(self._declared)

    def declare(self, strategy: str) -> None:
        """Make room for a strategy's rows; the registry does, for every strategy."""
        self._storage.declare(Collection(_collection(strategy), ("userId",)))
        self._declared[strategy] = None

    async def open(self) -> None:
        """Remember which strategies had rows before."""
        for strategy, _ in (await self._storage.search(COLLECTION, Query())).hits:
            self.declare(strategy)
            self._remembered.add(strategy)

    async def get(self, strategy: str, subject: str) -> Mapping[str, Any] | None:
        """The row of a subject, or None."""
        return await self._storage.get(_collection(strategy), subject)

    async def get_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """The subject and the row of a user, or None."""
        page = await self._storage.search(_collection(strategy), Query(Equals("userId", user_id), limit=1))
        return page.hits[0] if page.hits else None

    async def find_of_user(self, strategy: str, user_id: str) -> tuple[str, Mapping[str, Any]]:
        """The subject and the row of a user. Raises `NoCredentials`."""
        found = await self.get_of_user(strategy, user_id)
        if found is None:
            raise errors.NoCredentials(what="user", name=user_id)
        return found

    async def link(self, strategy: str, subject: str, user_id: str, fields: Fields | None = None) -> None:
        """Give a subject to a user. Raises `SubjectTaken`, `UserLinked`."""
        async with self._storage.transaction():
            await self._remember(strategy)
            if await self.get_of_user(strategy, user_id) is not None:
                raise errors.UserLinked(user=user_id)
            try:
                await self._storage.create(_collection(strategy), subject, {**(fields or {}), "userId": user_id})
            except DocumentExists:
                raise errors.SubjectTaken(subject=subject) from None
            await self._one_only(strategy, subject, user_id)
            self._observers.note(CredentialsChanged(change="created", target=user_id, strategy=strategy))

    async def _remember(self, strategy: str) -> None:
        if strategy not in self._remembered:
            with suppress(DocumentExists):
                await self._storage.create(COLLECTION, strategy, {})
            self._storage.after_commit(lambda: self._remembered.add(strategy))

    async def _one_only(self, strategy: str, subject: str, user_id: str) -> None:
        """Let the first of two subjects that a user was given at the same time stand."""
        page = await self._storage.search(_collection(strategy), Query(Equals("userId", user_id)))
        if any(other != subject for other, _ in page.hits):
            raise errors.UserLinked(user=user_id)

    async def update(self, strategy: str, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        """Change members of a user's row, and its subject where given. Raises `NoCredentials`, `SubjectTaken`."""
        async with self._storage.transaction():
            present, row = await self.find_of_user(strategy, user_id)
            if subject is None or subject == present:
                await self._change(strategy, present, user_id, fields)
                return
            try:
                await self._storage.create(_collection(strategy), subject, {**row, **fields, "userId": user_id})
            except DocumentExists:
                raise errors.SubjectTaken(subject=subject) from None
            await self._storage.delete(_collection(strategy), present)

    async def _change(self, strategy: str, subject: str, user_id: str, fields: Fields) -> None:
        try:
            await self._storage.update(
                _collection(strategy), subject, lambda row: {**row, **fields, "userId": row["userId"]}
            )
        except DocumentMissing:
            raise errors.NoCredentials(what="user", name=user_id) from None

    async def unlink(self, strategy: str, user_id: str) -> bool:
        """Take the subject from the user; whether there was one."""
        found = await self.get_of_user(strategy, user_id)
        if found is None:
            return False
        async with self._storage.transaction():
            was_there = await self._storage.delete(_collection(strategy), found[0])
            if was_there:
                self._observers.note(CredentialsChanged(change="deleted", target=user_id, strategy=strategy))
        return was_there

    async def search(self, strategy: str, query: Query) -> Page:
        """A page of the rows that match."""
        return await self._storage.search(_collection(strategy), query)


def _collection(strategy: str) -> str:
    return f"credentials-{strategy}"
