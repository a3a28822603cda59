"""What is left after a restart, a kill and a close."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from visado import errors
from visado.query import Equals, Query, Sort
from visado.storage import Storage
from visado.testing.storage.samples import ANN, BOB, EVE, PLAIN
from visado.testing.storage.suite import StorageSuite, on_an_open_storage


class Durability(StorageSuite):
    """What was acknowledged stays."""

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

    @on_an_open_storage
    async def test_checks_itself(self, storage: Storage) -> None:
        """A storage that works says so, and keeps no trace of the question."""
        await storage.check()
        assert (await storage.search("plain", Query())).total == 0

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(body())
        finally:
            os._exit(1)
    os.waitpid(child, 0)
