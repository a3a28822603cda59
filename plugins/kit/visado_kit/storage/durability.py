"""What a storage holds after a restart, after SIGKILL and after it was closed."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from visado import errors
from visado.storage import Storage
from visado.storage.query import Equals, Query, Range, Sort
from visado_kit.storage.samples import ANN, BOB, EVE, PLAIN, TIMES
from visado_kit.storage.suite import StorageSuite, promise, with_open_storage


class StorageDurability(StorageSuite):
    """A write that has returned is never lost."""

    @promise
    def test_a_restart_loses_nothing(self, tmp_path: Path) -> None:
        """After a restart every document is stored, found by its indexes, and can be changed."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for id_, document in (("ann", ANN), ("bob", BOB), ("eve", EVE)):
                    await storage.create("people", id_, document)
                await storage.update("people", "bob", lambda stored: {**stored, "team": "red"})
                await storage.delete("people", "eve")
                async with storage.transaction():
                    await storage.create("plain", "ann", {})
            for _ in range(2):
                async with self.opened(tmp_path / "data") as storage:
                    page = await storage.search("people", Query(Equals("team", "red"), (Sort("_id"),)))
                    assert page.hits == [("ann", ANN), ("bob", {**BOB, "team": "red"})]
                    assert await storage.get("people", "eve") is None
                    assert await storage.get("plain", "ann") == {}
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("people", "eve", EVE)

        asyncio.run(main())

    @promise
    def test_a_kill_inside_a_transaction_stores_nothing_of_it(self, tmp_path: Path) -> None:
        """A process killed inside a transaction has stored the writes before it, and none of the transaction."""

        async def write() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("plain", "before", {})
                async with storage.transaction():
                    await storage.create("plain", "inside", {})
                    await storage.delete("plain", "before")
                    os.kill(os.getpid(), signal.SIGKILL)

        async def read() -> list[str]:
            async with self.opened(tmp_path / "data") as storage:
                return [id_ for id_, _ in (await storage.search("plain", Query())).hits]

        _in_child(write)
        assert asyncio.run(read()) == ["before"]

    @promise
    def test_a_kill_loses_no_acknowledged_write(self, tmp_path: Path) -> None:
        """A write whose call has returned is stored, at whatever moment the process is killed."""
        for round_ in range(3):
            acknowledged = self._killed_after(tmp_path / "data", round_, 10 + 20 * round_)
            stored = asyncio.run(self._ids(tmp_path / "data"))
            lost = {*acknowledged} - {*stored}
            assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged writes are lost"

    def _killed_after(self, folder: Path, round_: int, count: int) -> list[str]:
        """Write in another process, kill it after so many acknowledged writes, and return their ids."""
        reader, writer = os.pipe()

        async def write() -> None:
            async with self.opened(folder) as storage:
                for number in itertools.count():
                    await storage.create("plain", f"{round_}-{number}", {"n": number})
                    os.write(writer, b".")

        child = _fork(write)
        os.close(writer)
        seen = 0
        while seen < count and (more := os.read(reader, count)):
            seen += len(more)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reader, 65_536):
            seen += len(more)
        os.close(reader)
        return [f"{round_}-{number}" for number in range(seen)]

    async def _ids(self, folder: Path) -> list[str]:
        async with self.opened(folder) as storage:
            return [id_ for id_, _ in (await storage.search("plain", Query())).hits]

    @promise
    def test_times_are_numbers_and_texts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A time is a number or a text like any other: returned unchanged and sorted as such, in every time zone."""

        async def write() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for number, text in enumerate(TIMES):
                    await storage.create("plain", text, {"at": 1_774_746_000_000 + number, "text": text})

        async def read() -> None:
            async with self.opened(tmp_path / "data") as storage:
                page = await storage.search("plain", Query(Range("at", gte=1_774_746_000_000), (Sort("at"),)))
                assert [document["text"] for _, document in page.hits] == list(TIMES)
                assert [document["at"] % 1_000 for _, document in page.hits] == [*range(len(TIMES))]
                texts = await storage.search("plain", Query(sort=(Sort("text"),)))
                assert [id_ for id_, _ in texts.hits] == sorted(TIMES)
                for text in TIMES:
                    assert (await storage.search("plain", Query(Equals("text", text)))).total == 1

        try:
            for zone, step in (("Pacific/Kiritimati", write), ("Europe/Oslo", read), ("Pacific/Niue", read)):
                monkeypatch.setenv("TZ", zone)
                time.tzset()
                asyncio.run(step())
        finally:
            monkeypatch.undo()
            time.tzset()

    @with_open_storage
    async def test_check_succeeds(self, storage: Storage) -> None:
        """check() of a storage that works raises nothing, and stores no document."""
        await storage.check()
        assert (await storage.search("plain", Query())).total == 0

    @promise
    def test_a_closed_storage_refuses(self, tmp_path: Path) -> None:
        """Before open() and after close() every call raises StorageUnavailable; a second close() does nothing."""

        async def main() -> None:
            storage = self.make(tmp_path / "data")
            storage.declare(PLAIN)
            for _ in range(2):
                with pytest.raises(errors.StorageUnavailable):
                    await storage.check()
                with pytest.raises(errors.StorageUnavailable):
                    await storage.create("plain", "a", {})
                with pytest.raises(errors.StorageUnavailable):
                    await storage.get("plain", "a")
                await storage.open()
                await storage.close()
                await storage.close()

        asyncio.run(main())


def _in_child(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in a process of its own, and wait until the process ends."""
    os.waitpid(_fork(body), 0)


def _fork(body: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Start a coroutine in a process of its own; return the id of the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads, of which the child uses none
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(body())
        finally:
            os._exit(1)
    return child
