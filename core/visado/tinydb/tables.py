"""The documents in memory: TinyDB's tables, with text as ids, changes in place, and indexes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from itertools import chain
from typing import Any, Final, cast

from tinydb import TinyDB
from tinydb.table import Table
from typing_extensions import override

from visado.storage.protocol import Document
from visado.storage.query import Anything, Equals, Ids, OneOf, Predicate, necessary_conditions, term_of, terms_of
from visado.tinydb.frames import encode_row
from visado.tinydb.journal import Journal

_COPY_SPEEDUP: Final = 10
"""How many times faster a document is copied with the whole table than by itself."""


class IndexedTable(Table):
    """A table with an index of terms for each declared field."""

    document_id_class = cast("type[int]", str)  # TinyDB only calls it

    def __init__(self, storage: Journal, name: str, indexes: Iterable[str] = ()) -> None:
        super().__init__(storage, name, cache_size=0)
        self._journal = storage
        self.rows = storage.read().setdefault(name, {})
        self._indexes = {field: _index(field, self.rows) for field in indexes}

    def replace(self, doc_id: str, document: Document | None) -> Document | None:
        """Replace a document in memory, or delete it for None, and return the one before."""
        before = self.rows.pop(doc_id, None) if document is None else self.rows.get(doc_id)
        if document is not None:
            self.rows[doc_id] = document
        self._file(doc_id, before, document)
        return before

    def candidates(self, where: Predicate) -> tuple[Collection[str], bool]:
        """Return the ids that may match: the shortest list of an index, or all ids; and whether all of them match."""
        fewest: Collection[str] | None = None
        for condition in necessary_conditions(where):
            ids = self._ids(condition)
            if ids is not None and (fewest is None or len(ids) < len(fewest)):
                fewest = ids
        if fewest is None:
            return self.rows, isinstance(where, Anything)
        return fewest, isinstance(where, Equals | OneOf | Ids)

    def view(self, ids: Collection[str]) -> dict[str, Document]:
        """Return a copy of these documents, or of the whole table if that is faster."""
        if len(ids) * _COPY_SPEEDUP > len(self.rows):
            return self.rows.copy()
        return {doc_id: self.rows[doc_id] for doc_id in ids}

    def _ids(self, condition: Equals | OneOf | Ids) -> Collection[str] | None:
        if isinstance(condition, Ids):
            return [doc_id for doc_id in dict.fromkeys(condition.ids) if doc_id in self.rows]
        index = self._indexes.get(condition.field)
        if index is None:
            return None
        if isinstance(condition, Equals):
            term = term_of(condition.value)
            return index.get(term, {}) if term is not None else {}
        terms = {term_of(value): None for value in condition.values}
        return dict.fromkeys(chain.from_iterable(index.get(term, {}) for term in terms if term is not None))

    def _file(self, doc_id: str, before: Document | None, after: Document | None) -> None:
        for field, index in self._indexes.items():
            path = field.split(".")
            old = _terms(before, path) if before is not None else set[str]()
            new = _terms(after, path) if after is not None else set[str]()
            for term in old - new:
                del index[term][doc_id]
                if not index[term]:
                    del index[term]
            for term in new - old:
                index.setdefault(term, {})[doc_id] = None

    @override
    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        """Append the changes of TinyDB's own methods to the journal: TinyDB itself would write all tables anew."""
        draft = _Draft(self.rows)
        updater(cast("dict[int, Mapping[str, Any]]", draft))
        self._journal.append([encode_row(self.name, doc_id, document) for doc_id, document in draft.changes.items()])
        for doc_id, document in draft.changes.items():
            self.replace(doc_id, document)


def _index(field: str, rows: Mapping[str, Document]) -> dict[str, dict[str, None]]:
    index: dict[str, dict[str, None]] = {}
    path = field.split(".")
    for doc_id, document in rows.items():
        for term in _terms(document, path):
            if term in index:
                index[term][doc_id] = None
            else:
                index[term] = {doc_id: None}
    return index


def _terms(document: Document, path: Sequence[str]) -> set[str]:
    """Return the same as `terms_of`, in a third of the time for texts: the start of the host waits for it."""
    value: Any = document
    for name in path:
        if value.__class__ is not dict:
            break
        value = value.get(name)
    else:
        if value.__class__ is str:
            return {value}
        if value.__class__ is list and all(item.__class__ is str for item in value):
            return set(value)
    return terms_of(document, ".".join(path))


class _Draft(MutableMapping[str, Any]):
    """A view of a table for TinyDB's own methods. They may alter the documents that they read, so those are copies."""

    def __init__(self, rows: Mapping[str, Document]) -> None:
        self._rows = rows
        self.changes: dict[str, Document | None] = {}

    @override
    def __getitem__(self, doc_id: str) -> Any:
        if doc_id not in self.changes:
            self.changes[doc_id] = copy.deepcopy(self._rows[doc_id])
        if (document := self.changes[doc_id]) is None:
            raise KeyError(doc_id)
        return document

    @override
    def __setitem__(self, doc_id: str, document: Any) -> None:
        self.changes[doc_id] = document

    @override
    def __delitem__(self, doc_id: str) -> None:
        self.changes[doc_id] = None

    @override
    def __iter__(self) -> Iterator[str]:
        known = dict.fromkeys(chain(self._rows, self.changes))
        return (doc_id for doc_id in known if self.changes.get(doc_id, True) is not None)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class Database(TinyDB):
    """The TinyDB database of a folder."""

    table_class = cast("type[Table]", IndexedTable)
