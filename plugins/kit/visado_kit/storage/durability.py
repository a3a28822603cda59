"""What is left after a restart, a kill and a close."""

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
from visado.storage.protocol import Storage
from visado.storage.query import Equals, Query, Range, Sort
from visado_kit.storage.samples import ANN, BOB, EVE, MOMENTS, PLAIN
from visado_kit.storage.suite import StorageSuite, on_an_open_storage, promised


class Durability(StorageSuite):
    """What was acknowledged stays."""

    @promised
    def test_keeps_everything_over_a_restart(self, tmp_path: Path) -> None:
        """What was acknowledged is there again, is found by the indexes again, and can be changed."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for id_, document in (("ann", ANN), ("bob", BOB), ("eve", EVE)):
                    await storage.create("people", id_, document)
                await storage.update("people", "bob", lambda present: {**present, "team": "red"})
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

    @promised
    def test_a_kill_inside_a_transaction_leaves_nothing(self, tmp_path: Path) -> None:
        """A process killed inside has kept what was acknowledged before, and nothing of the transaction."""

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

    @promised
    def test_a_kill_loses_nothing_that_was_acknowledged(self, tmp_path: Path) -> None:
        """What was written is there after a kill at any moment, once its call had returned."""
        for round_ in range(3):
            acknowledged = self._killed_after(tmp_path / "data", round_, 10 + 20 * round_)
            kept = asyncio.run(self._ids(tmp_path / "data"))
            assert {*acknowledged} <= {*kept}, f"{len({*acknowledged} - {*kept})} of {len(acknowledged)} are lost"

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

    @promised
    def test_moments_stay_as_they_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Times are numbers and texts like others: they come back as they were, in their order, whatever zone it is."""

        async def write() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for number, text in enumerate(MOMENTS):
                    await storage.create("plain", text, {"at": 1_774_746_000_000 + number, "text": text})

        async def read() -> None:
            async with self.opened(tmp_path / "data") as storage:
                page = await storage.search("plain", Query(Range("at", gte=1_774_746_000_000), (Sort("at"),)))
                assert [document["text"] for _, document in page.hits] == list(MOMENTS)
                assert [document["at"] % 1_000 for _, document in page.hits] == [*range(len(MOMENTS))]
                texts = await storage.search("plain", Query(sort=(Sort("text"),)))
                assert [id_ for id_, _ in texts.hits] == sorted(MOMENTS)
                for text in MOMENTS:
                    assert (await storage.search("plain", Query(Equals("text", text)))).total == 1

        try:
            for zone, step in (("Pacific/Kiritimati", write), ("Europe/Oslo", read), ("Pacific/Niue", read)):
                monkeypatch.setenv("TZ", zone)
                time.tzset()
                asyncio.run(step())
        finally:
            monkeypatch.undo()
            time.tzset()

    @on_an_open_storage
    async def test_checks_itself(self, storage: Storage) -> None:
        """A storage that works says so, and keeps no trace of the question."""
        await storage.check()
        assert (await storage.search("plain", Query())).total == 0

    @promised
    def test_a_closed_storage_refuses(self, tmp_path: Path) -> None:
        """Before `open` and after `close`, everything is refused; closing twice does no harm."""

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
    """Run something in a process of its own, which may come to a bad end."""
    os.waitpid(_fork(body), 0)


def _fork(body: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Begin something in a process of its own, and return its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(body())
        finally:
            os._exit(1)
    return child
