"""What visado asks of a database.

Owns the interface and its words. The default is `visado.tinydb`; others come as plugins, by the scheme of
`[storage] url`. `visado_kit.StorageContract` says in tests what is meant here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from visado.storage.query import Page, Query

Document: TypeAlias = Mapping[str, Any]
"""A JSON object. What a storage hands out is shared: never change it."""

Change: TypeAlias = Callable[[Document], Document]
"""From the present document to the next one: pure, quick, and a new object."""


class DocumentExists(Exception):
    """The id is taken."""


class DocumentMissing(Exception):
    """No document has this id."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents with unique ids, and the fields by whose equality they are found fast.

    An index on a field that holds a list finds a document by each item.
    """

    name: str
    indexes: tuple[str, ...] = ()


class Storage(Protocol):
    """Documents in collections. Every write is durable when it returns."""

    def declare(self, collection: Collection) -> None:
        """Make a collection known, before `open` or after; once more with the same words does no harm."""
        ...

    async def open(self) -> None:
        """Make ready for use. Raises `StorageError` with a text for the operator."""
        ...

    async def get(self, collection: str, id: str) -> Document | None:
        """The document of this id, or None."""
        ...

    async def create(self, collection: str, id: str, document: Document) -> None:
        """Keep a new document. Raises `DocumentExists`, `errors.InvalidDocument`."""
        ...

    async def update(self, collection: str, id: str, change: Change) -> Document:
        """Replace a document by what `change` makes of it, in one step; return it. Raises `DocumentMissing`."""
        ...

    async def delete(self, collection: str, id: str) -> bool:
        """Forget a document; whether there was one."""
        ...

    async def search(self, collection: str, query: Query) -> Page:
        """A page of the documents that match, and how many match in all. Never blocks the event loop."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """What this task writes inside happens as a whole, or, where the block raises, not at all."""
        ...

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call this once what the task has written is there for all: when its transaction has ended, or else now.

        A transaction that is rolled back calls nothing. Caches are to be emptied here: sooner, others would fill them
        again with what is about to change.
        """
        ...

    async def check(self) -> None:
        """Raise unless the storage can be read and written now: for the health check."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class StorageError(Exception):
    """The storage cannot be opened; the text tells the operator which file or address, and what to do."""
