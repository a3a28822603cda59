"""The search of a table: in slices of a millisecond, so that a search never blocks the event loop."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import ChainMap
from collections.abc import AsyncGenerator, Iterable, Mapping, MutableMapping
from itertools import chain, islice
from typing import Final

from visado.storage.protocol import Document
from visado.storage.query import DocumentTest, Hit, Page, Query, Sort, compile_predicate, hits_after, sort_hits
from visado.tinydb.tables import IndexedTable

_SLICE_SECONDS: Final = 0.001
_STEP_DOCUMENTS: Final = 50
"""How many documents are tested between two looks at the clock."""
_MAX_RUN_HITS: Final = 500
"""How many hits are sorted at once."""


async def search_table(table: IndexedTable, query: Query, uncommitted: Mapping[str, Document | None]) -> Page:
    """Return a page of a table. `uncommitted` holds what the transaction of this task changed, None for a deletion."""
    stop = None if query.limit is None else query.offset + query.limit
    candidates, are_exact = table.candidates(query.where)
    if are_exact and not (query.sort or query.after is not None or uncommitted):
        page = islice(candidates, query.offset, stop)
        return Page([(doc_id, table.rows[doc_id]) for doc_id in page], len(candidates))
    ids: Iterable[str] = candidates
    rows: MutableMapping[str, Document] = table.rows
    if len(candidates) > _STEP_DOCUMENTS:  # other tasks may write before the search is over
        rows = table.view(candidates)
        ids = rows if candidates is table.rows else list(candidates)
    if uncommitted:
        written = {doc_id: document for doc_id, document in uncommitted.items() if document is not None}
        rows, ids = ChainMap(written, rows), chain((doc_id for doc_id in ids if doc_id not in uncommitted), written)
    total, runs = 0, list[list[Hit]]()
    async for hits in _matching(rows, ids, compile_predicate(query.where)):
        total += len(hits)
        run = hits if query.after is None else hits_after(hits, query.sort, query.after)
        runs.append(sort_hits(run, query.sort)[:stop])
    return Page((await _merge(runs, query.sort, stop))[query.offset :], total)


async def _matching(
    rows: Mapping[str, Document], ids: Iterable[str], matches: DocumentTest
) -> AsyncGenerator[list[Hit], None]:
    """Yield the documents that match, in runs; between two runs, the event loop goes on."""
    waiting = iter(ids)
    hits: list[Hit] = []
    until = time.perf_counter() + _SLICE_SECONDS
    while step := list(islice(waiting, _STEP_DOCUMENTS)):
        hits += [(doc_id, rows[doc_id]) for doc_id in step if matches(doc_id, rows[doc_id])]
        if time.perf_counter() > until or len(hits) > _MAX_RUN_HITS:
            yield hits
            await asyncio.sleep(0)
            hits, until = [], time.perf_counter() + _SLICE_SECONDS
    yield hits


async def _merge(runs: list[list[Hit]], sort: tuple[Sort, ...], stop: int | None) -> list[Hit]:
    """Return the first `stop` hits of sorted runs, in order."""
    if not sort or len(runs) == 1:
        return list(islice(chain.from_iterable(runs), stop))
    merged = heapq.merge(*runs, key=lambda hit: _SortKey(hit, sort))
    first: list[Hit] = []
    while step := list(islice(merged, _STEP_DOCUMENTS if stop is None else min(_STEP_DOCUMENTS, stop - len(first)))):
        first += step
        await asyncio.sleep(0)
    return first


class _SortKey:
    """Compares a hit with others by the order of a search."""

    __slots__ = ("hit", "sort")

    def __init__(self, hit: Hit, sort: tuple[Sort, ...]) -> None:
        self.hit = hit
        self.sort = sort

    def __lt__(self, other: _SortKey) -> bool:
        return sort_hits((other.hit, self.hit), self.sort)[0] is self.hit
