"""Folders of the default storage: filled, read and compared."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from visado.storage.protocol import Collection, StorageError
from visado.tinydb import TinyStorage, frames
from visado.tinydb.journal import Journal

PLAIN = Collection("plain", ("n",))


def using(folder: Path, body: Callable[[TinyStorage], Awaitable[object]]) -> None:
    async def main() -> None:
        storage = TinyStorage(folder)
        storage.declare(PLAIN)
        await storage.open()
        try:
            await body(storage)
        finally:
            await storage.close()

    asyncio.run(main())


def row(id_: str, number: int = 0, *, size: int = 0) -> bytes:
    return frames.encode_row("plain", id_, {"n": number, "text": "x" * size})


def fill(folder: Path, count: int = 3) -> None:
    """A folder with `count` documents, each in a frame of its own."""
    kept = Journal(folder)
    for number in range(count):
        kept.append([row(str(number), number)])
    kept.close()


def compact(kept: Journal, contents: dict[str, dict[str, object]]) -> None:
    kept.rotate()
    kept.save(contents)


def ids(folder: Path) -> list[str]:
    kept = Journal(folder)
    kept.close()
    return list(kept.read().get("plain", {}))


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "lock" and path.is_file()
    }


def refused(folder: Path) -> str:
    before = digest(folder)
    with pytest.raises(StorageError) as caught:
        Journal(folder)
    assert digest(folder) == before
    return str(caught.value)
