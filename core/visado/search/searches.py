"""The searches of the controllers: bodies in, pages out, and cursors over the pages that follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from visado import errors
from visado.host import Clock
from visado.request import Fields
from visado.search.body import parse_scroll, parse_search
from visado.search.cursors import Cursors
from visado.storage.protocol import Document
from visado.storage.query import Page, Query

Find: TypeAlias = Callable[[Query], Awaitable[Page]]
"""Finds a page, in a collection of the caller's choice."""

Show: TypeAlias = Callable[[str, Document], Fields]
"""Makes the hit that a client sees from a document and its id."""


class Searches:
    """Compiles search bodies and writes pages of results, with a cursor if the client scrolls.

    `fetch_count` is the largest page that the settings allow.
    """

    def __init__(self, clock: Clock, fetch_count: int, show: Show) -> None:
        self._cursors, self._fetch_count, self._show = Cursors(clock), fetch_count, show

    def query(self, body: Fields, lang: str, offset: int, size: int | None) -> Query:
        """Compile a search body `{query, sort, ...}`. Raises `GetLimitExceeded`, and the errors of `parse_search`."""
        if size is not None and size > self._fetch_count:
            raise errors.GetLimitExceeded
        return parse_search(body, lang=lang, offset=offset, limit=size)

    def bare_query(self, query: Fields, lang: str, offset: int, size: int) -> Query:
        """Compile a body that is the query itself. Raises the errors of `query`."""
        return self.query({"query": query} if query else {}, lang, offset, size)

    async def page(self, collection: str, find: Find, query: Query, scroll: str | None = None) -> Fields:
        """Return the first page of a search; `scroll`, such as `10s`, opens a cursor for that time.

        Raises `SearchRefused` and `ScrollTooLong`.
        """
        lifetime = parse_scroll(scroll) if scroll is not None else None
        page = await find(query)
        if lifetime is None:
            return self._shown(page)
        cursor_id = self._cursors.open(collection, query, page.total, lifetime)
        self._cursors.advance(cursor_id, len(page.hits))
        return self._shown(page) | {"scrollId": cursor_id}

    async def scroll(self, collection: str, find: Find, cursor_id: str) -> Fields:
        """Return the next page of a cursor, which then lives for another 15 s. Raises `UnknownScrollId`."""
        cursor = self._cursors.find(cursor_id, collection)
        page = await find(cursor.query)
        self._cursors.advance(cursor_id, len(page.hits))
        return self._shown(page) | {"scrollId": cursor_id}

    def _shown(self, page: Page) -> dict[str, Any]:
        return {"hits": [self._show(*hit) for hit in page.hits], "total": page.total}
