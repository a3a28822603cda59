"""Users, roles and profiles as documents: their metadata, their form in responses, and a mirrored collection.

Owns what the three have in common. Does not own what a user, a role or a profile may contain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from typing_extensions import override

from visado import errors, events
from visado.request import Fields
from visado.storage.protocol import Change, Collection, Document, DocumentMissing, Storage
from visado.storage.query import Page, Query

METADATA: Final = "_kuzzle_info"
"""The member that holds who created and updated a document, and when in milliseconds since 1970."""
_NOT_CONTENT: Final = frozenset({METADATA, "_id"})

NoteChange: TypeAlias = Callable[[events.Change, str], None]
"""Called with a change and the id of the document, inside the transaction that changes it."""


def build_metadata(
    created: int, *, author: str | None = None, updated: int | None = None, updater: str | None = None
) -> Fields:
    """Build the metadata of a document; times in milliseconds since 1970."""
    return {"author": author, "createdAt": created, "updatedAt": updated, "updater": updater}


def strip_metadata(source: Mapping[str, Any]) -> Fields:
    """Return the members that a client may set: all but the id and the metadata."""
    return {name: value for name, value in source.items() if name not in _NOT_CONTENT}


def format_document(id: str, source: Mapping[str, Any]) -> Fields:
    """Return a document in the form of responses: `{_id, _source}`."""
    return {"_id": id, "_source": dict(source)}


def format_hit(id: str, source: Mapping[str, Any]) -> Fields:
    """Return a document in the form of search results: without author and updater, and replaced counts as updated."""
    metadata = source.get(METADATA)
    if metadata is None:
        return format_document(id, source)
    updated = metadata["updatedAt"] or (metadata["createdAt"] if metadata["author"] else None)
    return format_document(id, {**source, METADATA: build_metadata(metadata["createdAt"], updated=updated)})


class MirroredCollection(Mapping[str, Document]):
    """A collection of the storage, of which memory holds a copy.

    Memory changes once the storage has committed, and then `on_change` is called.
    """

    def __init__(
        self, storage: Storage, collection: str, on_change: Callable[[], None], note_change: NoteChange
    ) -> None:
        self._storage, self._collection = storage, collection
        self._on_change, self._note_change = on_change, note_change
        self._documents: dict[str, Document] = {}
        storage.declare(Collection(collection))

    @override
    def __getitem__(self, id: str) -> Document:
        return self._documents[id]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    @override
    def __len__(self) -> int:
        return len(self._documents)

    async def load(self) -> None:
        """Read the whole collection into memory."""
        self._documents = dict((await self._storage.search(self._collection, Query())).hits)

    async def search(self, query: Query) -> Page:
        """Return a page of the collection."""
        return await self._storage.search(self._collection, query)

    async def create(self, id: str, document: Document) -> Document:
        """Create a document and return it. Raises `DocumentExists`."""
        async with self._storage.transaction():
            await self._storage.create(self._collection, id, document)
            self._storage.after_commit(lambda: self._set(id, document))
            self._note_change("created", id)
        return document

    async def update(self, id: str, change: Change) -> Document:
        """Replace a document with what `change` returns for it, and return that. Raises `DocumentMissing`."""
        async with self._storage.transaction():
            document = await self._storage.update(self._collection, id, change)
            self._storage.after_commit(lambda: self._set(id, document))
            self._note_change("updated", id)
        return document

    async def put(self, id: str, document: Document) -> Document:
        """Create a document or replace it, and return it."""
        try:
            return await self.update(id, lambda _: document)
        except DocumentMissing:
            return await self.create(id, document)

    async def delete(self, id: str) -> None:
        """Delete a document."""
        async with self._storage.transaction():
            await self._storage.delete(self._collection, id)
            self._storage.after_commit(lambda: self._set(id, None))
            self._note_change("deleted", id)

    def _set(self, id: str, document: Document | None) -> None:
        if document is None:
            self._documents.pop(id, None)
        else:
            self._documents[id] = document
        self._on_change()


async def delete_many(ids: list[str], limit: int, delete: Callable[[str], Awaitable[None]]) -> list[str]:
    """Delete documents one by one, and return their ids.

    Raises `WriteLimitExceeded` for more than `limit` ids, and `IncompleteDelete`, which holds the failures and the ids
    that were deleted.
    """
    if len(ids) > limit:
        raise errors.WriteLimitExceeded
    deleted: list[str] = []
    failures: list[errors.VisadoError] = []
    for each in ids:
        try:
            await delete(each)
        except errors.VisadoError as error:
            failures.append(error)
        else:
            deleted.append(each)
    if failures:
        raise errors.IncompleteDelete(failures, deleted)
    return deleted
