"""Group commit: everybody who writes at the same time waits for one write and one sync of the disk.

Changes are made in memory before they are queued here, on the event loop alone. So what a failed write leaves
to be undone is exactly the batch and all that was queued behind it, newest first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from visado import errors
from visado.tinydb.journal import Journal, Tables

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Write:
    rows: Sequence[bytes]
    undo: Callable[[], None]
    done: asyncio.Future[None]


class GroupCommit:
    """The queue in front of the journal; it renews the snapshot too, when the journal has grown long."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: list[_Write] = []
        self._flushing: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(2, "visado-storage")
        self.failures = 0

    def add(self, rows: Sequence[bytes], undo: Callable[[], None]) -> asyncio.Future[None]:
        """Queue what was changed in memory. The future ends when it is safe, or with `StorageUnavailable`."""
        write = _Write(rows, undo, asyncio.get_running_loop().create_future())
        self._queue.append(write)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return write.done

    async def settle(self) -> None:
        """Wait until what is in memory now is safe. Raises `StorageUnavailable` where it was undone."""
        if self._flushing is not None:
            await self.add((), lambda: None)

    async def close(self) -> None:
        """Wait for what is under way, and close the journal."""
        while task := self._flushing or self._saving:
            await task
        self._threads.shutdown()
        self._journal.close()

    async def _flush(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                try:
                    # Now memory is what the journal will be after this batch, neither more nor less.
                    view = self._view() if self._journal.is_long and self._saving is None else None
                    await self._in_thread(self._journal.append, [row for write in batch for row in write.rows])
                except Exception as error:  # whatever it was, nothing was kept
                    _log.exception("A write failed, and its changes were undone")
                    self._fail(batch, error)
                    continue
                for write in batch:
                    if not write.done.done():
                        write.done.set_result(None)
                if view is not None:
                    await self._begin_snapshot(view)
        finally:
            self._flushing = None

    def _fail(self, batch: list[_Write], error: Exception) -> None:
        failed, self._queue = batch + self._queue, []
        self.failures += 1
        for write in reversed(failed):
            write.undo()
        for write in failed:
            if not write.done.done():
                unavailable = errors.StorageUnavailable()
                unavailable.__cause__ = error
                write.done.set_exception(unavailable)

    def _view(self) -> Tables:
        return {name: rows.copy() for name, rows in self._journal.read().items()}

    async def _begin_snapshot(self, view: Tables) -> None:
        try:
            await self._in_thread(self._journal.rotate)
        except OSError:
            _log.exception("No new journal could be begun: the present one goes on")
        else:
            self._saving = asyncio.create_task(self._save(view))

    async def _save(self, view: Tables) -> None:
        try:
            await self._in_thread(self._journal.save, view)
        except OSError:
            _log.exception("The snapshot could not be renewed: the journals hold what it lacks")
        finally:
            self._saving = None

    def _in_thread(self, work: Callable[..., None], *arguments: Any) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
