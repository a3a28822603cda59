"""The storage interface, implemented with TinyDB's tables in memory and a journal on disk."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final, TypeAlias, cast

from visado import errors
from visado.storage import protocol
from visado.storage.protocol import Change, Document, DocumentExists, DocumentMissing
from visado.storage.query import Page, Query
from visado.tinydb.commits import GroupCommit
from visado.tinydb.encoding import EncodedDocument, encode_document
from visado.tinydb.journal import Journal
from visado.tinydb.searching import search_table
from visado.tinydb.tables import Database, IndexedTable
from visado.tinydb.transactions import DocumentKey, DocumentLocks, Transaction

_MIN_FROZEN_DOCUMENTS: Final = 10_000

_Step: TypeAlias = Callable[[Document | None], Document | None]
"""Makes the new document from the stored one; None stands for no document."""


class TinyStorage:
    """Documents in memory and in the files of one folder, for one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._collections: dict[str, protocol.Collection] = {}
        self._tables: dict[str, IndexedTable] = {}
        self._database: Database | None = None
        self._commits: GroupCommit | None = None
        self._locks = DocumentLocks()
        self._innermost: ContextVar[Transaction | None] = ContextVar("transaction", default=None)

    @property
    def collections(self) -> Iterable[str]:
        """The names of all declared collections."""
        return self._collections

    def declare(self, collection: protocol.Collection) -> None:
        """Declare a collection. Raises ValueError if it was declared before with other indexes."""
        if self._collections.setdefault(collection.name, collection) != collection:
            raise ValueError(f'The collection "{collection.name}" is declared twice, with different indexes.')
        if self._database is not None and collection.name not in self._tables:
            self._tables[collection.name] = _open_table(self._database, collection)

    async def open(self) -> None:
        """Read the folder. Raises `StorageError`."""
        journal, self._tables = await asyncio.to_thread(self._load)
        self._commits = GroupCommit(journal)

    async def get(self, collection: str, id: str) -> Document | None:
        """Return the document with this id, or None."""
        return self._visible(self._table(collection), id)

    async def create(self, collection: str, id: str, document: Document) -> None:
        """Store a new document. Raises `DocumentExists`, `errors.InvalidDocument`."""

        def step(stored: Document | None) -> Document:
            if stored is not None:
                raise DocumentExists(id)
            return document

        await self._write(collection, id, step)

    async def update(self, collection: str, id: str, change: Change) -> Document:
        """Replace a document by the result of `change`, and return the result. Raises `DocumentMissing`."""

        def step(stored: Document | None) -> Document:
            if stored is None:
                raise DocumentMissing(id)
            return change(stored)

        return cast("Document", await self._write(collection, id, step))

    async def delete(self, collection: str, id: str) -> bool:
        """Delete a document. Return whether it existed."""

        def step(stored: Document | None) -> None:
            if stored is None:
                raise DocumentMissing(id)

        try:
            await self._write(collection, id, step)
        except DocumentMissing:
            return False
        return True

    async def search(self, collection: str, query: Query) -> Page:
        """Return a page of the matching documents, and the number of all."""
        return await search_table(self._table(collection), query, self._uncommitted(collection))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None, None]:
        """Open a transaction: its writes are committed together, or rolled back when the block raises."""
        commits, outer = self._opened(), self._transaction()
        transaction = Transaction(outer, commits.failures)
        token = self._innermost.set(transaction)
        done: asyncio.Future[None] | None = None
        try:
            yield
            if outer is not None:
                if outer.ended.is_set():
                    raise RuntimeError("The transaction around this one has ended before it.")
                outer.changes.update(transaction.changes.maps[0])
                outer.after_commit += transaction.after_commit
            elif transaction.changes:
                if transaction.failures != commits.failures:
                    raise errors.StorageUnavailable  # a document that it has read may have been undone since
                done = self._commit(transaction.changes)
                done.add_done_callback(transaction.call_after_commit)
        finally:
            transaction.ended.set()
            self._locks.release(transaction)
            self._innermost.reset(token)
        if done is not None:
            await asyncio.shield(done)  # a task that is cancelled here has committed all the same
        elif outer is None:
            transaction.call_after_commit()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call a function once this task's writes are committed, or now if it has no transaction."""
        transaction = self._transaction()
        if transaction is None:
            call()
        else:
            transaction.after_commit.append(call)

    async def check(self) -> None:
        """Raise `StorageUnavailable` unless the disk accepts a write now."""
        await self._opened().add((), lambda: None)

    async def close(self) -> None:
        """Close the folder, once everything is written."""
        commits, self._commits = self._commits, None
        if commits is not None:
            await commits.close()
            self._tables, self._database = {}, None

    def _load(self) -> tuple[Journal, dict[str, IndexedTable]]:
        was_enabled = gc.isenabled()
        gc.disable()  # the collector would examine all documents again and again, and find no garbage
        try:
            database = Database(self._folder, storage=Journal)
            tables = {name: _open_table(database, each) for name, each in self._collections.items()}
        finally:
            if was_enabled:
                gc.enable()
        self._database, journal = database, cast("Journal", database.storage)
        if sum(map(len, journal.read().values())) > _MIN_FROZEN_DOCUMENTS:
            gc.freeze()  # a later collection must not stop the event loop to examine them
        return journal, tables

    def _opened(self) -> GroupCommit:
        if self._commits is None:
            raise errors.StorageUnavailable
        return self._commits

    def _table(self, collection: str) -> IndexedTable:
        self._opened()
        if collection not in self._tables:
            raise LookupError(f'The collection "{collection}" was never declared.')
        return self._tables[collection]

    def _transaction(self) -> Transaction | None:
        """Return the innermost open transaction of this task, which may outlive the block that started it."""
        transaction = self._innermost.get()
        while transaction is not None and transaction.ended.is_set():
            transaction = transaction.outer
        return transaction

    def _uncommitted(self, collection: str) -> dict[str, Document | None]:
        transaction = self._transaction()
        if transaction is None:
            return {}
        changes = transaction.changes.items()
        return {doc_id: document for (name, doc_id), (_, document) in changes if name == collection}

    def _visible(self, table: IndexedTable, id: str) -> Document | None:
        """Return the document that this task sees: as its transaction has written it, or as it is stored."""
        transaction = self._transaction()
        if transaction is not None and (table.name, id) in transaction.changes:
            return transaction.changes[table.name, id][1]
        return table.rows.get(id)

    async def _write(self, collection: str, id: str, step: _Step) -> Document | None:
        table, key = self._table(collection), (collection, id)
        await self._locks.wait(key, self._transaction())
        # Nothing is awaited between here and the queue, so no other task can write between the read and the write.
        transaction = self._transaction()
        try:
            written = encode_document(collection, id, step(self._visible(table, id)))
        except (DocumentExists, DocumentMissing):
            await self._opened().settle()  # the write of the document that was seen may yet fail
            raise
        if transaction is None:
            await self._commit({key: written})
        else:
            self._locks.lock(key, transaction)
            transaction.changes[key] = written
        return written[1]

    def _commit(self, changes: Mapping[DocumentKey, EncodedDocument]) -> asyncio.Future[None]:
        commits = self._opened()
        before = [
            (self._tables[collection], doc_id, self._tables[collection].replace(doc_id, document))
            for (collection, doc_id), (_, document) in changes.items()
        ]

        def undo() -> None:
            for table, doc_id, document in reversed(before):
                table.replace(doc_id, document)

        return commits.add([row for row, _ in changes.values()], undo)


def _open_table(database: Database, collection: protocol.Collection) -> IndexedTable:
    open_table = cast("Callable[..., IndexedTable]", database.table)  # pyright: ignore[reportUnknownMemberType]
    return open_table(collection.name, indexes=collection.indexes)
