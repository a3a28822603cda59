"""Many callers of a storage at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

from visado.storage import Document, DocumentExists, Storage
from visado.storage.query import Equals, Prefix, Query
from visado_kit.storage.suite import StorageSuite, with_open_storage


class StorageConcurrency(StorageSuite):
    """Of the writes of many callers, none is lost and none is done twice."""

    writers: ClassVar[int] = 64
    """How many tasks write at once."""
    writes: ClassVar[int] = 500
    """How many transactions each of them commits."""
    readers: ClassVar[int] = 8
    """How many tasks read at the same time."""

    @with_open_storage
    async def test_updates_are_atomic(self, storage: Storage) -> None:
        """Of many updates of one document at once, none is lost."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment() -> None:
            for _ in range(10):
                await storage.update("plain", "counter", lambda stored: {"n": stored["n"] + 1})

        await asyncio.gather(*(increment() for _ in range(20)))
        assert await storage.get("plain", "counter") == {"n": 200}

    @with_open_storage
    async def test_one_of_many_wins(self, storage: Storage) -> None:
        """Of many callers that reserve one document, or create one id, exactly one succeeds."""
        await storage.create("plain", "seat", {"by": None})

        async def reserve(by: int) -> bool:
            def change(stored: Document) -> Document:
                return stored if stored["by"] is not None else {"by": by}

            return await storage.update("plain", "seat", change) == {"by": by}

        async def create(by: int) -> bool:
            with suppress(DocumentExists):
                await storage.create("plain", "id", {"by": by})
                return True
            return False

        async def create_in_a_transaction(by: int) -> bool:
            with suppress(DocumentExists):
                async with storage.transaction():
                    await storage.create("plain", f"of {by}", {})
                    await storage.create("plain", "id of a transaction", {"by": by})
                return True
            return False

        assert sum(await asyncio.gather(*(reserve(by) for by in range(50)))) == 1
        assert sum(await asyncio.gather(*(create(by) for by in range(50)))) == 1
        assert sum(await asyncio.gather(*(create_in_a_transaction(by) for by in range(10)))) == 1
        assert (await storage.search("plain", Query(Prefix("_id", "of ")))).total == 1

    @with_open_storage
    async def test_many_writers_and_readers(self, storage: Storage) -> None:
        """With many writers at once no write is lost or fails, and a reader sees all of a transaction or nothing."""
        written: list[str] = []

        async def write(writer: int) -> None:
            for number in range(self.writes):
                id_ = f"{writer}-{number}"
                async with storage.transaction():
                    await storage.create("people", id_, {"team": str(writer), "n": number})
                    await storage.create("plain", id_, {"of": id_})
                written.append(id_)

        async def read(reader: int) -> None:
            while len(written) < self.writers * self.writes:
                page = await storage.search("people", Query(Equals("team", str(reader)), limit=10))
                for id_, _ in page.hits:
                    assert await storage.get("plain", id_) == {"of": id_}
                await asyncio.sleep(0.01)

        await asyncio.gather(*map(write, range(self.writers)), *map(read, range(self.readers)))
        assert (await storage.search("people", Query(limit=0))).total == self.writers * self.writes
        assert (await storage.search("plain", Query(limit=0))).total == self.writers * self.writes
