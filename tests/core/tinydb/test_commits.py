"""Writes that fail, wait or are cancelled on their way to the disk."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from visado import errors
from visado.storage.query import Equals, Query
from visado.tinydb import TinyStorage, journal
from visado.tinydb.journal import Journal

from .folders import digest, using


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
    tmp_path: Path, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that come while a batch is failing see its changes, and go with them."""

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "a", {"n": 0})
        append = Journal.append

        def slowly(self: Journal, rows: list[bytes]) -> None:
            time.sleep(0.1)
            append(self, rows)

        monkeypatch.setattr(Journal, "append", slowly)
        full_disk(True)

        async def add(delay: float) -> None:
            await asyncio.sleep(delay)
            await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})

        async def add_in_transaction() -> None:
            async with storage.transaction():
                await asyncio.sleep(0.02)
                await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})
                await asyncio.sleep(0.2)
                full_disk(False)

        ended = await asyncio.gather(add(0), add(0.005), add(0.01), add_in_transaction(), return_exceptions=True)
        assert {type(error) for error in ended} == {errors.StorageUnavailable}
        assert await storage.get("plain", "a") == {"n": 0}
        await add(0)
        assert await storage.get("plain", "a") == {"n": 1}

    using(tmp_path / "data", body)


def test_the_event_loop_is_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a slow disk nor by a snapshot."""
    monkeypatch.setattr(journal, "_MIN_SNAPSHOT_BYTES", 1_000)
    append = Journal.append

    def slowly(self: Journal, rows: list[bytes]) -> None:
        time.sleep(0.2)
        append(self, rows)

    monkeypatch.setattr(Journal, "append", slowly)

    async def body(storage: TinyStorage) -> None:
        longest = 0.0

        async def tick() -> None:
            nonlocal longest
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - begun)

        ticking = asyncio.create_task(tick())
        for _ in range(3):
            await asyncio.gather(*(storage.create("plain", os.urandom(8).hex(), {"n": n}) for n in range(100)))
        ticking.cancel()
        assert longest < 0.15

    using(tmp_path / "data", body)


def test_a_commit_that_nobody_waits_for_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled request has committed all the same: what it revoked must be forgotten."""
    append = Journal.append

    def slowly(self: Journal, rows: list[bytes]) -> None:
        time.sleep(0.1)
        append(self, rows)

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "token", {})
        forgotten: list[str] = []

        async def revoke() -> None:
            async with storage.transaction():
                await storage.delete("plain", "token")
                storage.after_commit(lambda: forgotten.append("token"))

        monkeypatch.setattr(Journal, "append", slowly)
        task = asyncio.create_task(revoke())
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await storage.check()
        assert forgotten == ["token"]
        assert await storage.get("plain", "token") is None

    using(tmp_path / "data", body)
