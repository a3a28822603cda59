"""What visado asks of a database, answered by TinyDB."""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import sys
import time
from collections import ChainMap
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias, cast

from visado import errors
from visado.storage import protocol
from visado.storage.protocol import Change, Document, DocumentExists, DocumentMissing
from visado.storage.query import DocumentTest, Page, Query, Sort, compile_predicate, hits_after, sort_hits
from visado.tinydb.commits import GroupCommit
from visado.tinydb.frames import encode_row
from visado.tinydb.journal import Journal
from visado.tinydb.tables import Database, IndexedTable
from visado.tinydb.transactions import Claims, Key, Transaction, Written

Hit: TypeAlias = tuple[str, Document]

_DEEPEST = 64
_SLICE = 0.001
_STEP = 50
_LONGEST_RUN = 500
_MANY = 10_000


class TinyStorage:
    """Documents in memory, and in the files of one folder; one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._collections: dict[str, protocol.Collection] = {}
        self._tables: dict[str, IndexedTable] = {}
        self._database: Database | None = None
        self._commits: GroupCommit | None = None
        self._claims = Claims()
        self._block: ContextVar[Transaction | None] = ContextVar("transaction", default=None)

    @property
    def collections(self) -> Iterable[str]:
        """The names of all that was declared."""
        return self._collections

    def declare(self, collection: protocol.Collection) -> None:
        """Make a collection known. Raises ValueError for other words than before."""
        if self._collections.setdefault(collection.name, collection) != collection:
            raise ValueError(f'The collection "{collection.name}" is declared twice, with different indexes.')
        if self._database is not None and collection.name not in self._tables:
            self._tables[collection.name] = _table(self._database, collection)

    async def open(self) -> None:
        """Read the folder. Raises `StorageError`."""
        journal, self._tables = await asyncio.to_thread(self._load)
        self._commits = GroupCommit(journal)

    async def get(self, collection: str, id: str) -> Document | None:
        """The document of this id, or None."""
        return self._present(self._table(collection), id)

    async def create(self, collection: str, id: str, document: Document) -> None:
        """Keep a new document. Raises `DocumentExists`, `errors.InvalidDocument`."""

        def step(present: Document | None) -> Document:
            if present is not None:
                raise DocumentExists(id)
            return document

        await self._write(collection, id, step)

    async def update(self, collection: str, id: str, change: Change) -> Document:
        """Replace a document by what `change` makes of it; return it. Raises `DocumentMissing`."""

        def step(present: Document | None) -> Document:
            if present is None:
                raise DocumentMissing(id)
            return change(present)

        return cast("Document", await self._write(collection, id, step))

    async def delete(self, collection: str, id: str) -> bool:
        """Forget a document; whether there was one."""

        def step(present: Document | None) -> None:
            if present is None:
                raise DocumentMissing(id)

        try:
            await self._write(collection, id, step)
        except DocumentMissing:
            return False
        return True

    async def search(self, collection: str, query: Query) -> Page:
        """A page of the documents that match, and how many match in all."""
        table, mine = self._table(collection), self._changed(collection)
        stop = None if query.limit is None else query.offset + query.limit
        found, is_answer = table.candidates(query.where)
        if is_answer and not (query.sort or query.after is not None or mine):
            page = islice(found, query.offset, stop)
            return Page([(doc_id, table.rows[doc_id]) for doc_id in page], len(found))
        ids: Iterable[str] = found
        rows: MutableMapping[str, Document] = table.rows
        if len(found) > _STEP:  # others may write before the search is over
            rows = table.view(found)
            ids = rows if found is table.rows else list(found)
        if mine:
            kept = {doc_id: document for doc_id, document in mine.items() if document is not None}
            rows, ids = ChainMap(kept, rows), chain((doc_id for doc_id in ids if doc_id not in mine), kept)
        total, runs = 0, list[list[Hit]]()
        async for hits in _matching(rows, ids, compile_predicate(query.where)):
            total += len(hits)
            run = hits if query.after is None else hits_after(hits, query.sort, query.after)
            runs.append(sort_hits(run, query.sort)[:stop])
        return Page((await _merge(runs, query.sort, stop))[query.offset :], total)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None, None]:
        """What this task writes inside happens as a whole, or, where the block raises, not at all."""
        commits, outer = self._opened(), self._transaction()
        transaction = Transaction(outer, commits.failures)
        token = self._block.set(transaction)
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
                    raise errors.StorageUnavailable  # what it has read may have been undone since
                done = self._commit(transaction.changes)
                done.add_done_callback(transaction.report)
        finally:
            transaction.ended.set()
            self._claims.release(transaction)
            self._block.reset(token)
        if done is not None:
            await asyncio.shield(done)  # who does not wait any more has committed all the same
        elif outer is None:
            transaction.report()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once what the task has written is there for all."""
        transaction = self._transaction()
        if transaction is None:
            call()
        else:
            transaction.after_commit.append(call)

    async def check(self) -> None:
        """Raise `StorageUnavailable` unless the disk takes a write now."""
        await self._opened().add((), lambda: None)

    async def close(self) -> None:
        """Let go of the folder, once everything is written."""
        commits, self._commits = self._commits, None
        if commits is not None:
            await commits.close()
            self._tables, self._database = {}, None

    def _load(self) -> tuple[Journal, dict[str, IndexedTable]]:
        was_enabled = gc.isenabled()
        gc.disable()  # it would look through all documents again and again, and find nothing
        try:
            database = Database(self._folder, storage=Journal)
            tables = {name: _table(database, each) for name, each in self._collections.items()}
        finally:
            if was_enabled:
                gc.enable()
        self._database, journal = database, cast("Journal", database.storage)
        if sum(map(len, journal.read().values())) > _MANY:
            gc.freeze()  # nor shall a later collection pause the event loop for them
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
        """The innermost block that this task is in; a task may outlive the block that began it."""
        transaction = self._block.get()
        while transaction is not None and transaction.ended.is_set():
            transaction = transaction.outer
        return transaction

    def _changed(self, collection: str) -> dict[str, Document | None]:
        transaction = self._transaction()
        if transaction is None:
            return {}
        changes = transaction.changes.items()
        return {doc_id: document for (name, doc_id), (_, document) in changes if name == collection}

    def _present(self, table: IndexedTable, id: str) -> Document | None:
        transaction = self._transaction()
        if transaction is not None and (table.name, id) in transaction.changes:
            return transaction.changes[table.name, id][1]
        return table.rows.get(id)

    async def _write(
        self, collection: str, id: str, step: Callable[[Document | None], Document | None]
    ) -> Document | None:
        table, key = self._table(collection), (collection, id)
        await self._claims.free(key, self._transaction())
        # From here to the queue nothing waits: nobody comes between reading and writing.
        transaction = self._transaction()
        try:
            written = _encode(collection, id, step(self._present(table, id)))
        except (DocumentExists, DocumentMissing):
            await self._opened().settle()  # what was seen may yet be undone
            raise
        if transaction is None:
            await self._commit({key: written})
        else:
            self._claims.take(key, transaction)
            transaction.changes[key] = written
        return written[1]

    def _commit(self, changes: Mapping[Key, Written]) -> asyncio.Future[None]:
        commits = self._opened()
        before = [
            (self._tables[collection], doc_id, self._tables[collection].replace(doc_id, document))
            for (collection, doc_id), (_, document) in changes.items()
        ]

        def undo() -> None:
            for table, doc_id, document in reversed(before):
                table.replace(doc_id, document)

        return commits.add([row for row, _ in changes.values()], undo)


def _encode(collection: str, id: str, document: Document | None) -> Written:
    """Write a document as JSON, and read it again: what is kept is no object of the caller's."""
    try:
        if document is None:
            return encode_row(collection, id, None), None
        _check(document, 0)
        row = encode_row(collection, id, dict(document))
        return row, _decode(row.decode())[2]
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidDocument(cause=str(error)) from error


def _check(value: Any, depth: int) -> None:
    """Refuse what JSON writers let pass: keys that are no text, and more depth than a reader may take."""
    if depth > _DEEPEST:
        raise ValueError(f"it is more than {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, Any]", value).items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is no text")
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in cast("Iterable[Any]", value):
            _check(item, depth + 1)
    elif depth == 0:
        raise TypeError("it is no object")


def _share_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): value for key, value in pairs}


_decode = json.JSONDecoder(object_pairs_hook=_share_keys).decode


async def _matching(
    rows: Mapping[str, Document], ids: Iterable[str], fits: DocumentTest
) -> AsyncGenerator[list[Hit], None]:
    """The documents that fit, in as many runs as the event loop needs pauses."""
    waiting = iter(ids)
    hits: list[Hit] = []
    until = time.perf_counter() + _SLICE
    while step := list(islice(waiting, _STEP)):
        hits += [(doc_id, rows[doc_id]) for doc_id in step if fits(doc_id, rows[doc_id])]
        if time.perf_counter() > until or len(hits) > _LONGEST_RUN:
            yield hits
            await asyncio.sleep(0)
            hits, until = [], time.perf_counter() + _SLICE
    yield hits


async def _merge(runs: list[list[Hit]], sort: tuple[Sort, ...], stop: int | None) -> list[Hit]:
    """The first hits of sorted runs, in order."""
    if not sort or len(runs) == 1:
        return list(islice(chain.from_iterable(runs), stop))
    merged = heapq.merge(*runs, key=lambda hit: _Place(hit, sort))
    found: list[Hit] = []
    while step := list(islice(merged, _STEP if stop is None else min(_STEP, stop - len(found)))):
        found += step
        await asyncio.sleep(0)
    return found


class _Place:
    """A hit's place among others."""

    __slots__ = ("hit", "sort")

    def __init__(self, hit: Hit, sort: tuple[Sort, ...]) -> None:
        self.hit = hit
        self.sort = sort

    def __lt__(self, other: _Place) -> bool:
        return sort_hits((other.hit, self.hit), self.sort)[0] is self.hit


def _table(database: Database, collection: protocol.Collection) -> IndexedTable:
    open_table = cast("Callable[..., IndexedTable]", database.table)  # pyright: ignore[reportUnknownMemberType]
    return open_table(collection.name, indexes=collection.indexes)
