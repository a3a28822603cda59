"""What users, roles and profiles have in common: an id, a source, and a note of who made it and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from typing_extensions import override

from visado import errors
from visado.events import Change as Changing
from visado.request import Fields
from visado.storage.protocol import Change, Collection, Document, DocumentMissing, Storage
from visado.storage.query import Page, Query

INFO = "_kuzzle_info"
_NOT_CONTENT = frozenset({INFO, "_id"})


def info(created: int, *, author: str | None = None, updated: int | None = None, updater: str | None = None) -> Fields:
    """Write the note."""
    return {"author": author, "createdAt": created, "updatedAt": updated, "updater": updater}


def content(source: Mapping[str, Any]) -> Fields:
    """Take what a client may set: neither the id nor the note."""
    return {name: value for name, value in source.items() if name not in _NOT_CONTENT}


def shown(id: str, source: Mapping[str, Any]) -> Fields:
    """Show a document as the wire does."""
    return {"_id": id, "_source": dict(source)}


def found(id: str, source: Mapping[str, Any]) -> Fields:
    """Show a document as a search does: its note names nobody, and a replacement counts as a change."""
    note = source.get(INFO)
    if note is None:
        return shown(id, source)
    changed = note["updatedAt"] or (note["createdAt"] if note["author"] else None)
    return {"_id": id, "_source": {**source, INFO: info(note["createdAt"], updated=changed)}}


class Kept(Mapping[str, Document]):
    """A collection that is held in memory, too. Memory changes once the storage has, and then `changed` is called."""

    def __init__(
        self,
        storage: Storage,
        collection: str,
        changed: Callable[[], None],
        note: Callable[[Changing, str], None],
    ) -> None:
        self._storage, self._collection, self._changed, self._note = storage, collection, changed, note
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
        """Read the whole collection."""
        self._documents = dict((await self._storage.search(self._collection, Query())).hits)

    async def search(self, query: Query) -> Page:
        """A page of the collection."""
        return await self._storage.search(self._collection, query)

    async def create(self, id: str, document: Document) -> Document:
        """Keep a new document. Raises `DocumentExists`."""
        async with self._storage.transaction():
            await self._storage.create(self._collection, id, document)
            self._storage.after_commit(lambda: self._keep(id, document))
            self._note("created", id)
        return document

    async def update(self, id: str, change: Change) -> Document:
        """Put what `change` makes of a document in its place. Raises `DocumentMissing`."""
        async with self._storage.transaction():
            document = await self._storage.update(self._collection, id, change)
            self._storage.after_commit(lambda: self._keep(id, document))
            self._note("updated", id)
        return document

    async def put(self, id: str, document: Document) -> Document:
        """Keep a document under an id, whether or not there was one before."""
        try:
            return await self.update(id, lambda _: document)
        except DocumentMissing:
            return await self.create(id, document)

    async def delete(self, id: str) -> None:
        """Forget a document."""
        async with self._storage.transaction():
            await self._storage.delete(self._collection, id)
            self._storage.after_commit(lambda: self._keep(id, None))
            self._note("deleted", id)

    def _keep(self, id: str, document: Document | None) -> None:
        if document is None:
            self._documents.pop(id, None)
        else:
            self._documents[id] = document
        self._changed()


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
