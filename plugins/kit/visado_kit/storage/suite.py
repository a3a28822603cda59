"""The storage under test: made by the subclass, opened in a new folder for each test."""

from __future__ import annotations

import asyncio
import functools
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from visado.storage.protocol import Storage
from visado_kit.storage.samples import PEOPLE, PLAIN

_Test = Callable[[Any, Storage], Coroutine[Any, Any, None]]
P = ParamSpec("P")


def promised(test: Callable[P, None]) -> Callable[P, None]:
    """Where a test fails, say what a storage promises: the docstring of the test."""

    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        try:
            test(*args, **named)
        except (Exception, pytest.fail.Exception) as error:
            promise = " ".join((test.__doc__ or "").split())
            raise AssertionError(f"A storage promises: {promise} This one: {error!r}") from error

    return run


def on_an_open_storage(test: _Test) -> Callable[[StorageSuite, Path], None]:
    """Run a test on an open storage in a new folder."""

    def run(self: StorageSuite, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await test(self, storage)

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return promised(run)


class StorageSuite(ABC):
    """Where the tests get their storage from."""

    @abstractmethod
    def make(self, folder: Path) -> Storage:
        """Make a storage of this folder, not yet open."""

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncGenerator[Storage, None]:
        """A storage of this folder, open for the block, with the collections of the suite."""
        storage = self.make(folder)
        storage.declare(PEOPLE)
        storage.declare(PLAIN)
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()
