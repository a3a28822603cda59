"""Writes that fail, wait or are cancelled on their way to the disk."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import until, until_async
from visado import errors
from visado.storage.query import Equals, Query
from visado.tinydb import TinyStorage, journal
from visado.tinydb.journal import Journal

from .folders import digest, using


class HeldDisk(threading.Event):
    """While it is cleared, a write to the journal waits; `waiting` is true once one does."""

    waiting = False


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldDisk:
    disk, append = HeldDisk(), Journal.append
    disk.set()

    def wait(self: Journal, rows: list[bytes]) -> None:
        disk.waiting = not disk.is_set()
        assert disk.wait(20)
        append(self, rows)

    monkeypatch.setattr(Journal, "append", wait)
    return disk


def test_a_write_that_fails_is_undone(tmp_path: Path, full_disk: Callable[[bool], None]) -> None:
    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "a", {"n": 1})
        await storage.create("plain", "b", {"n": 1})
        before = digest(tmp_path / "data")

        async def increment() -> None:
            await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})

        async def replace() -> None:
            await storage.delete("plain", "b")
            await storage.create("plain", "b", {"n": 99})

        async def both() -> None:
            async with storage.transaction():
                await storage.create("plain", "c", {"n": 1})
                await storage.update("plain", "a", lambda present: {"n": present["n"] + 10})

        full_disk(True)
        work = [increment(), both(), increment(), replace(), storage.check(), increment(), both()]
        failed = await asyncio.gather(*work, return_exceptions=True)
        assert {type(error) for error in failed} == {errors.StorageUnavailable}
        assert digest(tmp_path / "data") == before
        hits = (await storage.search("plain", Query(Equals("n", 1)))).hits
        assert sorted(hits) == [("a", {"n": 1}), ("b", {"n": 1})]
        assert (await storage.search("plain", Query())).total == 2
        full_disk(False)
        await asyncio.gather(increment(), increment(), both(), storage.check())
        assert await storage.get("plain", "a") == {"n": 13}

    using(tmp_path / "data", body)

    async def again(storage: TinyStorage) -> None:
        hits = dict((await storage.search("plain", Query())).hits)
        assert hits == {"a": {"n": 13}, "b": {"n": 1}, "c": {"n": 1}}

    using(tmp_path / "data", again)


def test_a_write_fails_with_those_that_were_built_on_it(
    tmp_path: Path, full_disk: Callable[[bool], None], held: HeldDisk
) -> None:
    """Changes that come while a batch is failing see its changes, and go with them."""

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "a", {"n": 0})
        held.clear()
        full_disk(True)

        async def add() -> None:
            await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})

        async def add_in_transaction() -> None:
            async with storage.transaction():
                await add()
                held.set()
                await asyncio.wait([first])
                full_disk(False)

        first = asyncio.create_task(add())
        await until_async(lambda: held.waiting)
        others = [asyncio.create_task(each) for each in (add(), add(), add_in_transaction())]
        ended = await asyncio.gather(first, *others, return_exceptions=True)
        assert {type(error) for error in ended} == {errors.StorageUnavailable}
        assert await storage.get("plain", "a") == {"n": 0}
        await add()
        assert await storage.get("plain", "a") == {"n": 1}

    using(tmp_path / "data", body)


def test_the_event_loop_is_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a slow disk nor by a snapshot: both wait here until the event loop has gone on."""
    monkeypatch.setattr(journal, "_MIN_SNAPSHOT_BYTES", 1_000)
    turns, saved = 0, 0
    append, save = Journal.append, Journal.save

    def wait_for_the_loop() -> None:
        before = turns
        until(lambda: turns > before + 10, seconds=5, why="the event loop stands still")

    def slow_append(self: Journal, rows: list[bytes]) -> None:
        wait_for_the_loop()
        append(self, rows)

    def slow_save(self: Journal, contents: dict[str, dict[str, object]]) -> None:
        nonlocal saved
        wait_for_the_loop()
        save(self, contents)
        saved += 1

    async def body(storage: TinyStorage) -> None:
        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        turning = asyncio.create_task(turn())
        monkeypatch.setattr(Journal, "append", slow_append)
        monkeypatch.setattr(Journal, "save", slow_save)
        for _ in range(3):
            await asyncio.gather(*(storage.create("plain", os.urandom(8).hex(), {"n": n}) for n in range(100)))
        await until_async(lambda: saved)
        monkeypatch.undo()
        turning.cancel()

    using(tmp_path / "data", body)


def test_a_commit_that_nobody_waits_for_is_reported(tmp_path: Path, held: HeldDisk) -> None:
    """A cancelled request has committed all the same: what it revoked must be forgotten."""

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "token", {})
        forgotten: list[str] = []

        async def revoke() -> None:
            async with storage.transaction():
                await storage.delete("plain", "token")
                storage.after_commit(lambda: forgotten.append("token"))

        held.clear()
        task = asyncio.create_task(revoke())
        await until_async(lambda: held.waiting)
        task.cancel()
        await asyncio.sleep(0)
        held.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await storage.check()
        assert forgotten == ["token"]
        assert await storage.get("plain", "token") is None

    using(tmp_path / "data", body)
