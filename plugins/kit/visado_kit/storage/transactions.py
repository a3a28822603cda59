"""Transactions: all or nothing, and one after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import pytest

from visado import errors
from visado.storage import DocumentExists, Storage
from visado.storage.query import Equals, Exists, Query, Sort
from visado_kit.storage.samples import ANN, BOB, EVE
from visado_kit.storage.suite import StorageSuite, with_open_storage

_OVERLAP_SECONDS: Final = 0.5
"""How long a transaction waits for another to have written, too."""


class StorageTransactions(StorageSuite):
    """A transaction stores all of its writes, or none."""

    @with_open_storage
    async def test_a_transaction_is_stored_as_a_whole(self, storage: Storage) -> None:
        """A transaction sees its own writes; other tasks see none of them before it commits, and then all."""
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

    @with_open_storage
    async def test_a_transaction_that_raises_leaves_nothing(self, storage: Storage) -> None:
        """A transaction that raises changes no document and no index, and the writes after it work."""
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

    @with_open_storage
    async def test_a_cancelled_transaction_leaves_nothing(self, storage: Storage) -> None:
        """A transaction whose task is cancelled stores nothing, and releases its locks."""
        written = asyncio.Event()

        async def write() -> None:
            async with storage.transaction():
                await storage.create("people", "ann", ANN)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await storage.get("people", "ann") is None
        await asyncio.wait_for(storage.create("people", "ann", EVE), 10)

    @with_open_storage
    async def test_transactions_nest(self, storage: Storage) -> None:
        """An inner transaction that raises stores nothing; the outer one decides about the rest."""
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

    @with_open_storage
    async def test_transactions_wait_for_each_other(self, storage: Storage) -> None:
        """Transactions and single writes that change one document run one after the other."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment(*, whole: bool) -> None:
            if not whole:
                await storage.update("plain", "counter", lambda stored: {"n": stored["n"] + 1})
                return
            async with storage.transaction():
                await storage.update("plain", "counter", lambda stored: {"n": stored["n"] + 1})
                await asyncio.sleep(0.001)
                await storage.update("plain", "counter", lambda stored: {"n": stored["n"] + 1})

        await asyncio.wait_for(asyncio.gather(*(increment(whole=n % 2 == 0) for n in range(20))), 60)
        assert await storage.get("plain", "counter") == {"n": 30}

    @with_open_storage
    async def test_transactions_do_not_hang(self, storage: Storage) -> None:
        """Of two transactions that wait for each other, one may raise StorageUnavailable; the other is stored."""
        for id_ in "ab":
            await storage.create("plain", id_, {"by": ""})

        written = {"x": asyncio.Event(), "y": asyncio.Event()}

        async def write(by: str, other: str, order: str) -> None:
            async with storage.transaction():
                for id_ in order:
                    await storage.update("plain", id_, lambda _: {"by": by})
                    written[by].set()
                    with suppress(TimeoutError):  # a storage may let one transaction wait until the other has ended
                        await asyncio.wait_for(written[other].wait(), _OVERLAP_SECONDS)

        both = asyncio.gather(write("x", "y", "ab"), write("y", "x", "ba"), return_exceptions=True)
        ended = await asyncio.wait_for(both, 30)
        assert None in ended
        assert all(error is None or isinstance(error, errors.StorageUnavailable) for error in ended)
        assert await storage.get("plain", "a") == await storage.get("plain", "b") != {"by": ""}
