"""The storage under test: the subclass makes it, and each test opens it in a new folder."""

from __future__ import annotations

import asyncio
import functools
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from visado.storage import Storage
from visado_kit.storage.samples import PEOPLE, PLAIN

_Test = Callable[[Any, Storage], Coroutine[Any, Any, None]]
P = ParamSpec("P")


def promise(test: Callable[P, None]) -> Callable[P, None]:
    """Put the docstring of a test, which says what a storage must do, into the message where it fails."""

    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        try:
            test(*args, **named)
        except (Exception, pytest.fail.Exception) as error:
            text = " ".join((test.__doc__ or "").split())
            raise AssertionError(f"A storage must keep this promise: {text} Here: {error!r}") from error

    return run


def with_open_storage(test: _Test) -> Callable[[StorageSuite, Path], None]:
    """Make a test of a coroutine: it runs with an open storage in a new folder."""

    def run(self: StorageSuite, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await test(self, storage)

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return promise(run)


class StorageSuite(ABC):
    """The hook that makes the storage."""

    @abstractmethod
    def make(self, folder: Path) -> Storage:
        """Make a storage of this folder, which is not open yet."""

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncGenerator[Storage, None]:
        """Open a storage of this folder, with the collections of the suite; close it after the block."""
        storage = self.make(folder)
        storage.declare(PEOPLE)
        storage.declare(PLAIN)
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()
