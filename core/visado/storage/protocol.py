"""The interface of a storage: documents in collections.

The default storage is `visado.tinydb`; others are plugins, chosen by the scheme of `[storage] url`.
`visado_kit.StorageContract` tests what this interface demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from visado.storage.query import Page, Query

Document: TypeAlias = Mapping[str, Any]
"""A JSON object. Callers share the documents that a storage returns: never change one."""

Change: TypeAlias = Callable[[Document], Document]
"""Makes the new document from the stored one. It must be pure and quick, and return a new object."""


class DocumentExists(Exception):
    """A document has this id already."""


class DocumentMissing(Exception):
    """No document has this id."""


class StorageError(Exception):
    """The storage cannot be opened. The text names the file or address, and tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents with unique ids, and the fields that are indexed for equality.

    The module that owns the documents declares the collection. An index on a list finds a document by
    each item of the list.
    """

    name: str
    indexes: tuple[str, ...] = ()


class Storage(Protocol):
    """Documents in collections. Every write is durable when its method returns."""

    def declare(self, collection: Collection) -> None:
        """Declare a collection, before `open` or after it. Declaring the same collection again does nothing."""
        ...

    async def open(self) -> None:
        """Open the database. Raises `StorageError`."""
        ...

    async def get(self, collection: str, id: str) -> Document | None:
        """Return the document with this id, or None."""
        ...

    async def create(self, collection: str, id: str, document: Document) -> None:
        """Store a new document. Raises `DocumentExists`, `errors.InvalidDocument`."""
        ...

    async def update(self, collection: str, id: str, change: Change) -> Document:
        """Replace a document by the result of `change`, atomically, and return the result. Raises `DocumentMissing`."""
        ...

    async def delete(self, collection: str, id: str) -> bool:
        """Delete a document. Return whether it existed."""
        ...

    async def search(self, collection: str, query: Query) -> Page:
        """Return a page of the matching documents, and the number of all. Must not block the event loop."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Open a transaction of this task: its writes are committed together, or rolled back when the block raises."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call a function once this task's writes are committed: after its transaction, or now where it has none.

        The calls of a transaction that is rolled back are dropped. Invalidate caches here: earlier, another task would
        fill them again with the document that is about to change.
        """
        ...

    async def check(self) -> None:
        """Raise an exception unless the storage can be read and written now. The health check calls it."""
        ...

    async def close(self) -> None:
        """Close the database once everything is written."""
        ...
