"""All or nothing, and one after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from visado import errors
from visado.storage.protocol import DocumentExists, Storage
from visado.storage.query import Equals, Exists, Query, Sort
from visado_kit.storage.samples import ANN, BOB, EVE
from visado_kit.storage.suite import StorageSuite, on_an_open_storage


class Transactions(StorageSuite):
    """A transaction is kept as a whole or leaves nothing."""

    @on_an_open_storage
    async def test_a_transaction_is_kept_as_a_whole(self, storage: Storage) -> None:
        """Inside, its own writes are seen; outside, nothing of them before the end, and then everything."""
        await storage.create("people", "bob", BOB)

        async def outside() -> list[str]:
            return sorted(id_ for id_, _ in (await storage.search("people", Query(Exists("name")))).hits)

        inside, looked = asyncio.Event(), asyncio.Event()

        async def look() -> None:
            await inside.wait()
            assert await outside() == ["bob"]
            assert await storage.get("people", "ann") is None
            looked.set()

        other = asyncio.create_task(look())
        async with storage.transaction():
            await storage.create("people", "ann", ANN)
            await storage.delete("people", "bob")
            await storage.create("people", "eve", {})
            await storage.update("people", "eve", lambda _: EVE)
            assert await storage.get("people", "bob") is None
            assert await outside() == ["ann", "eve"]
            red = await storage.search("people", Query(Equals("team", "red"), (Sort("name"),), limit=1))
            assert (red.total, red.hits) == (2, [("ann", ANN)])
            assert (await storage.search("people", Query())).total == 2
            with pytest.raises(DocumentExists):
                await storage.create("people", "ann", {})
            inside.set()
            await asyncio.wait_for(looked.wait(), 10)
        await other
        assert await outside() == ["ann", "eve"]

    @on_an_open_storage
    async def test_a_transaction_that_raises_leaves_nothing(self, storage: Storage) -> None:
        """Everything is as before, for indexes too, and what follows works."""
        await storage.create("people", "bob", BOB)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
            async with storage.transaction():
                await storage.create("people", "ann", ANN)
                await storage.update("people", "bob", lambda _: {"team": "red"})
                raise ZeroDivisionError
        assert await storage.get("people", "ann") is None
        assert (await storage.search("people", Query(Equals("team", "blue")))).hits == [("bob", BOB)]
        assert (await storage.search("people", Query(Equals("team", "red")))).total == 0
        await storage.create("people", "ann", ANN)

    @on_an_open_storage
    async def test_a_cancelled_transaction_leaves_nothing(self, storage: Storage) -> None:
        """A task that is cancelled inside has written nothing, and holds nothing."""
        written = asyncio.Event()

        async def write() -> None:
            async with storage.transaction():
                await storage.create("people", "ann", ANN)
                written.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await storage.get("people", "ann") is None
        await asyncio.wait_for(storage.create("people", "ann", EVE), 10)

    @on_an_open_storage
    async def test_transactions_nest(self, storage: Storage) -> None:
        """An inner block that raises leaves nothing; the outer one decides about the rest."""
        async with storage.transaction():
            await storage.create("plain", "a", {})
            with suppress(ZeroDivisionError):
                async with storage.transaction():
                    await storage.create("plain", "b", {})
                    await storage.delete("plain", "a")
                    raise ZeroDivisionError
            async with storage.transaction():
                await storage.create("plain", "c", {})
        with suppress(ZeroDivisionError):
            async with storage.transaction():
                async with storage.transaction():
                    await storage.create("plain", "d", {})
                raise ZeroDivisionError
        assert sorted(id_ for id_, _ in (await storage.search("plain", Query())).hits) == ["a", "c"]

    @on_an_open_storage
    async def test_transactions_wait_for_each_other(self, storage: Storage) -> None:
        """Transactions, and single writes, that change one document come one after the other."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment(*, whole: bool) -> None:
            if not whole:
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})
                return
            async with storage.transaction():
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})
                await asyncio.sleep(0.001)
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})

        await asyncio.wait_for(asyncio.gather(*(increment(whole=n % 2 == 0) for n in range(20))), 60)
        assert await storage.get("plain", "counter") == {"n": 30}

    @on_an_open_storage
    async def test_transactions_do_not_hang(self, storage: Storage) -> None:
        """Of two that wait for each other, one may be refused; the other is kept as a whole."""
        for id_ in "ab":
            await storage.create("plain", id_, {"by": ""})

        async def write(who: str, order: str) -> None:
            async with storage.transaction():
                for id_ in order:
                    await storage.update("plain", id_, lambda _: {"by": who})
                    await asyncio.sleep(0.01)

        both = asyncio.gather(write("x", "ab"), write("y", "ba"), return_exceptions=True)
        ended = await asyncio.wait_for(both, 30)
        assert None in ended
        assert all(error is None or isinstance(error, errors.StorageUnavailable) for error in ended)
        assert await storage.get("plain", "a") == await storage.get("plain", "b") != {"by": ""}
