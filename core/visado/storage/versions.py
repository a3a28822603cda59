"""A storage that says when something was written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from visado.storage.protocol import Change, Collection, Document, Storage
from visado.storage.query import Page, Query

T = TypeVar("T")


class Version:
    """The time between two changes: what was read in it is as good as new until it is over."""

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> None:
        """Begin another."""
        self.number += 1


class VersionedCache(Generic[T]):
    """What was found out in this version; the next begins with nothing. The oldest gives way where there is no room."""

    def __init__(self, version: Version, room: int) -> None:
        self._version, self._since, self._room = version, version.number, room
        self._known: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def version(self) -> int:
        """The present, for `keep`: ask before finding out."""
        return self._version.number

    def get(self, key: Hashable) -> T | None:
        """What is known, or None."""
        return self._known.get(key) if self._since == self._version.number else None

    def keep(self, key: Hashable, value: T, version: int) -> None:
        """Remember what was found out, unless something was written meanwhile."""
        if version != self._version.number:
            return
        if self._since != version:
            self._known.clear()
            self._since = version
        elif len(self._known) >= self._room:
            del self._known[next(iter(self._known))]
        self._known[key] = value


class VersionedStorage:
    """Any storage. A write ends the version, once it is there for all, unless its collection is `quiet`."""

    def __init__(self, storage: Storage, version: Version, quiet: AbstractSet[str]) -> None:
        self.inner, self._version, self._quiet = storage, version, quiet

    def declare(self, collection: Collection) -> None:
        self.inner.declare(collection)

    async def open(self) -> None:
        await self.inner.open()

    async def get(self, collection: str, id: str) -> Document | None:
        return await self.inner.get(collection, id)

    async def create(self, collection: str, id: str, document: Document) -> None:
        await self.inner.create(collection, id, document)
        self._wrote(collection)

    async def update(self, collection: str, id: str, change: Change) -> Document:
        document = await self.inner.update(collection, id, change)
        self._wrote(collection)
        return document

    async def delete(self, collection: str, id: str) -> bool:
        deleted = await self.inner.delete(collection, id)
        self._wrote(collection)
        return deleted

    async def search(self, collection: str, query: Query) -> Page:
        return await self.inner.search(collection, query)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self.inner.transaction()

    def afterwards(self, call: Callable[[], None]) -> None:
        self.inner.afterwards(call)

    async def check(self) -> None:
        await self.inner.check()

    async def close(self) -> None:
        await self.inner.close()

    def _wrote(self, collection: str) -> None:
        if collection not in self._quiet:
            self.inner.afterwards(self._version.advance)
