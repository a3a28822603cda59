"""What users, roles and profiles have in common: an id, a source, and a note of who made it and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from visado.request import Fields
from visado.storage import Document, DocumentMissing, Storage

Clock: TypeAlias = Callable[[], int]
"""The present, in milliseconds since 1970."""

INFO = "_kuzzle_info"
_NOT_CONTENT = frozenset({INFO, "_id"})


def now() -> int:
    """Read the system's clock."""
    return time.time_ns() // 1_000_000


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


async def put(storage: Storage, collection: str, id: str, document: Document) -> None:
    """Keep a document under an id, whether or not there was one before."""
    try:
        await storage.update(collection, id, lambda _: document)
    except DocumentMissing:
        await storage.create(collection, id, document)
