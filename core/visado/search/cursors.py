"""Cursors: how far a client that scrolls has read the results of a search."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

from visado import errors
from visado.host import Clock
from visado.storage.query import Query

_RENEWAL_MS: Final = 15_000
_MAX_CURSORS: Final = 500


@dataclass(slots=True)
class Cursor:
    """A search that goes on: `query` asks for its next page."""

    collection: str
    query: Query
    total: int
    expires_at: int


class Cursors:
    """The open cursors, by random ids. A cursor closes after its last page, and when it expires."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cursors: dict[str, Cursor] = {}

    def open(self, collection: str, query: Query, total: int, lifetime: int) -> str:
        """Open a cursor for so many milliseconds, and return its id. Raises `SearchRefused` if too many are open."""
        self._close_expired()
        if len(self._cursors) >= _MAX_CURSORS:
            raise errors.SearchRefused(cause="too many cursors are open; try again later")
        cursor_id = secrets.token_hex(16)
        self._cursors[cursor_id] = Cursor(collection, query, total, self._clock() + lifetime)
        return cursor_id

    def find(self, cursor_id: str, collection: str) -> Cursor:
        """Return an open cursor of this collection, and let it live for another 15 s. Raises `UnknownScrollId`."""
        self._close_expired()
        cursor = self._cursors.get(cursor_id)
        if cursor is None or cursor.collection != collection:
            raise errors.UnknownScrollId
        cursor.expires_at = self._clock() + _RENEWAL_MS
        return cursor

    def advance(self, cursor_id: str, count: int) -> None:
        """Move a cursor past the documents that were read; close it if they were the last."""
        cursor = self._cursors.get(cursor_id)
        if cursor is None:  # another request read the last page meanwhile
            return
        cursor.query = replace(cursor.query, offset=cursor.query.offset + count, after=None)
        if cursor.query.offset >= cursor.total or not count:
            del self._cursors[cursor_id]

    def _close_expired(self) -> None:
        now = self._clock()
        self._cursors = {cursor_id: cursor for cursor_id, cursor in self._cursors.items() if cursor.expires_at > now}
