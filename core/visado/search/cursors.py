"""What searching users, profiles, roles and keys have in common: pages, and cursors that walk over them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from visado import errors
from visado.host import Clock
from visado.request import Fields
from visado.search import body
from visado.security.documents import found
from visado.storage.query import Page, Query

Find = Callable[[Query], Awaitable[Page]]
_KEPT: Final = 15_000
_MOST_CURSORS: Final = 500


@dataclass(slots=True)
class _Cursor:
    kind: str
    query: Query
    total: int
    ends_at: int


class Searches:
    """Reads search bodies, and keeps the cursors of those who scroll."""

    def __init__(self, clock: Clock, fetch_count: int) -> None:
        self._clock, self._fetch_count = clock, fetch_count
        self._cursors: dict[str, _Cursor] = {}

    def query(self, fields: Fields, lang: str, offset: int, size: int | None) -> Query:
        """Read a search body, `{query, sort, ...}`. Raises what `visado.storage.query.body.parse` raises."""
        if size is not None and size > self._fetch_count:
            raise errors.GetLimitExceeded
        return body.parse(fields, lang=lang, offset=offset, limit=size)

    def bare_query(self, fields: Fields, lang: str, offset: int, size: int) -> Query:
        """Read a body that is the query itself."""
        return self.query({"query": fields} if fields else {}, lang, offset, size)

    async def page(self, kind: str, find: Find, query: Query, scroll: str | None = None) -> Fields:
        """Find the first page; with `scroll`, begin a cursor over the rest."""
        kept = body.parse_scroll(scroll) if scroll is not None else None
        page = await find(query)
        shown = _shown(page)
        if kept is None:
            return shown
        self._forget_ended()
        if len(self._cursors) >= _MOST_CURSORS:
            raise errors.SearchRefused(cause="too many cursors are open; try again later")
        cursor_id = secrets.token_hex(16)
        self._cursors[cursor_id] = _Cursor(kind, query, page.total, self._clock() + kept)
        self._advance(cursor_id, len(page.hits))
        return shown | {"scrollId": cursor_id}

    async def scroll(self, kind: str, find: Find, cursor_id: str) -> Fields:
        """Find the next page of a cursor, which then lives on for 15 s. Raises `UnknownScrollId`."""
        self._forget_ended()
        cursor = self._cursors.get(cursor_id)
        if cursor is None or cursor.kind != kind:
            raise errors.UnknownScrollId
        cursor.ends_at = self._clock() + _KEPT
        page = await find(cursor.query)
        self._advance(cursor_id, len(page.hits))
        return _shown(page) | {"scrollId": cursor_id}

    def _advance(self, cursor_id: str, fetched: int) -> None:
        cursor = self._cursors[cursor_id]
        cursor.query = replace(cursor.query, offset=cursor.query.offset + fetched, after=None)
        if cursor.query.offset >= cursor.total or not fetched:
            del self._cursors[cursor_id]

    def _forget_ended(self) -> None:
        now = self._clock()
        self._cursors = {each: cursor for each, cursor in self._cursors.items() if cursor.ends_at > now}


def _shown(page: Page) -> dict[str, Any]:
    return {"hits": [found(*hit) for hit in page.hits], "total": page.total}


async def delete_all(ids: list[str], limit: int, delete: Callable[[str], Awaitable[None]]) -> list[str]:
    """Delete documents one by one. Raises `WriteLimitExceeded`, and `IncompleteDelete` that holds both halves."""
    if len(ids) > limit:
        raise errors.WriteLimitExceeded
    deleted: list[str] = []
    failed: list[errors.VisadoError] = []
    for each in ids:
        try:
            await delete(each)
        except errors.VisadoError as error:
            failed.append(error)
        else:
            deleted.append(each)
    if failed:
        raise errors.IncompleteDelete(failed, deleted)
    return deleted
