"""Many callers at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

from visado.storage.protocol import Document, DocumentExists, Storage
from visado.storage.query import Equals, Prefix, Query
from visado_kit.storage.suite import StorageSuite, on_an_open_storage


class Concurrency(StorageSuite):
    """Nothing is lost or done twice between many callers."""

    writers: ClassVar[int] = 64
    writes: ClassVar[int] = 500
    readers: ClassVar[int] = 8

    @on_an_open_storage
    async def test_updates_are_atomic(self, storage: Storage) -> None:
        """Of many increments at once, none is lost."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment() -> None:
            for _ in range(10):
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})

        await asyncio.gather(*(increment() for _ in range(20)))
        assert await storage.get("plain", "counter") == {"n": 200}

    @on_an_open_storage
    async def test_one_of_many_wins(self, storage: Storage) -> None:
        """Of many that take the same thing, or the same id, exactly one gets it."""
        await storage.create("plain", "seat", {"by": None})

        async def take(who: int) -> bool:
            def change(present: Document) -> Document:
                return present if present["by"] is not None else {"by": who}

            return await storage.update("plain", "seat", change) == {"by": who}

        async def create(who: int) -> bool:
            with suppress(DocumentExists):
                await storage.create("plain", "id", {"by": who})
                return True
            return False

        async def create_as_a_whole(who: int) -> bool:
            with suppress(DocumentExists):
                async with storage.transaction():
                    await storage.create("plain", f"of {who}", {})
                    await storage.create("plain", "id of a transaction", {"by": who})
                return True
            return False

        assert sum(await asyncio.gather(*(take(who) for who in range(50)))) == 1
        assert sum(await asyncio.gather(*(create(who) for who in range(50)))) == 1
        assert sum(await asyncio.gather(*(create_as_a_whole(who) for who in range(10)))) == 1
        assert (await storage.search("plain", Query(Prefix("_id", "of ")))).total == 1

    @on_an_open_storage
    async def test_many_writers_and_readers(self, storage: Storage) -> None:
        """Nothing is lost, nothing fails, and no reader sees half of a transaction."""
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
