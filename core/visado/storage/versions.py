"""The version of the stored data: a counter that each write raises, and caches that are valid for one version."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from visado.storage.bounded import BoundedDict
from visado.storage.protocol import Change, Collection, Document, Storage
from visado.storage.query import Page, Query

T = TypeVar("T")


class Version:
    """A counter that each write raises. Data that was read under a number is current while the number stays."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> None:
        """Raise the number: data that was read before may be outdated."""
        self.number += 1


class VersionedCache(Generic[T]):
    """A bounded cache whose entries are valid for one version."""

    def __init__(self, version: Version, size: int) -> None:
        self._version, self._filled_at = version, version.number
        self._entries = BoundedDict[Hashable, T](size)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def version(self) -> int:
        """The number of the current version. Read it before you compute a value, and hand it to `set`."""
        return self._version.number

    def get(self, key: Hashable) -> T | None:
        """Return the value that was cached in the current version, or None."""
        return self._entries.get(key) if self._filled_at == self._version.number else None

    def set(self, key: Hashable, value: T, version: int) -> None:
        """Cache a value that was computed from the data of a version; do nothing where a write came since."""
        if version != self._version.number:
            return
        if self._filled_at != version:
            self._entries.clear()
            self._filled_at = version
        self._entries.set(key, value)


class VersionedStorage:
    """A storage that advances a version after each committed write, except in the collections `unversioned`."""

    def __init__(self, storage: Storage, version: Version, unversioned: AbstractSet[str]) -> None:
        self.inner, self._version, self._unversioned = storage, version, unversioned

    def declare(self, collection: Collection) -> None:
        self.inner.declare(collection)

    async def open(self) -> None:
        await self.inner.open()

    async def get(self, collection: str, id: str) -> Document | None:
        return await self.inner.get(collection, id)

    async def create(self, collection: str, id: str, document: Document) -> None:
        await self.inner.create(collection, id, document)
        self._written(collection)

    async def update(self, collection: str, id: str, change: Change) -> Document:
        document = await self.inner.update(collection, id, change)
        self._written(collection)
        return document

    async def delete(self, collection: str, id: str) -> bool:
        deleted = await self.inner.delete(collection, id)
        self._written(collection)
        return deleted

    async def search(self, collection: str, query: Query) -> Page:
        return await self.inner.search(collection, query)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self.inner.transaction()

    def after_commit(self, call: Callable[[], None]) -> None:
        self.inner.after_commit(call)

    async def check(self) -> None:
        await self.inner.check()

    async def close(self) -> None:
        await self.inner.close()

    def _written(self, collection: str) -> None:
        if collection not in self._unversioned:
            self.inner.after_commit(self._version.advance)
