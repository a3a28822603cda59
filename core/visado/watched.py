"""A storage that says when something was written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from visado.query import Page, Query
from visado.storage import Change, Collection, Document, Storage

T = TypeVar("T")


class Epoch:
    """The time between two changes: what was read in it is as good as new until it is over."""

    def __init__(self) -> None:
        self.number = 0

    def end(self) -> None:
        """Begin another."""
        self.number += 1


class Memory(Generic[T]):
    """What was found out in this epoch; the next begins with nothing. The oldest gives way where there is no room."""

    def __init__(self, epoch: Epoch, room: int) -> None:
        self._epoch, self._since, self._room = epoch, epoch.number, room
        self._known: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def epoch(self) -> int:
        """The present, for `keep`: ask before finding out."""
        return self._epoch.number

    def get(self, key: Hashable) -> T | None:
        """What is known, or None."""
        return self._known.get(key) if self._since == self._epoch.number else None

    def keep(self, key: Hashable, value: T, epoch: int) -> None:
        """Remember what was found out, unless something was written meanwhile."""
        if epoch != self._epoch.number:
            return
        if self._since != epoch:
            self._known.clear()
            self._since = epoch
        elif len(self._known) >= self._room:
            del self._known[next(iter(self._known))]
        self._known[key] = value


class WatchedStorage:
    """Any storage. A write ends the epoch, once it is there for all, unless its collection is `quiet`."""

    def __init__(self, storage: Storage, epoch: Epoch, quiet: AbstractSet[str]) -> None:
        self.inner, self._epoch, self._quiet = storage, epoch, quiet

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
            self.inner.afterwards(self._epoch.end)
