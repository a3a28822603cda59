"""Group commit: all tasks that write at the same time share one write and one sync of the disk.

Changes are made in memory before they are queued here, on the event loop alone. So after a failed write exactly the
batch and the writes queued behind it must be undone, the newest first.
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
class _QueuedWrite:
    """The rows of a write, the function that undoes its changes in memory, and the future of the task that waits."""

    rows: Sequence[bytes]
    undo: Callable[[], None]
    done: asyncio.Future[None]


class GroupCommit:
    """The queue in front of the journal. It also writes a new snapshot when the journal has grown long."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: list[_QueuedWrite] = []
        self._flushing: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(2, "visado-storage")
        self.failures = 0

    def add(self, rows: Sequence[bytes], undo: Callable[[], None]) -> asyncio.Future[None]:
        """Queue a change that was made in memory. The future ends when it is on disk, or with `StorageUnavailable`."""
        write = _QueuedWrite(rows, undo, asyncio.get_running_loop().create_future())
        self._queue.append(write)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return write.done

    async def settle(self) -> None:
        """Wait until all that is in memory now is on disk. Raises `StorageUnavailable` if it was undone."""
        if self._flushing is not None:
            await self.add((), lambda: None)

    async def close(self) -> None:
        """Wait for writes and snapshots that are under way, and close the journal."""
        while task := self._flushing or self._saving:
            await task
        self._threads.shutdown()
        self._journal.close()

    async def _flush(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                try:
                    # At this moment memory holds exactly the documents that the journal will hold after this batch.
                    view = self._view() if self._journal.needs_snapshot and self._saving is None else None
                    await self._in_thread(self._journal.append, [row for write in batch for row in write.rows])
                except Exception as error:  # whatever the reason, nothing was written
                    _log.exception("A write failed, and its changes were undone")
                    self._fail(batch, error)
                    continue
                for write in batch:
                    if not write.done.done():
                        write.done.set_result(None)
                if view is not None:
                    await self._start_snapshot(view)
        finally:
            self._flushing = None

    def _fail(self, batch: list[_QueuedWrite], error: Exception) -> None:
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
        return {collection: rows.copy() for collection, rows in self._journal.read().items()}

    async def _start_snapshot(self, view: Tables) -> None:
        try:
            await self._in_thread(self._journal.rotate)
        except OSError:
            _log.exception("No new journal could be started: the old one goes on")
        else:
            self._saving = asyncio.create_task(self._save(view))

    async def _save(self, view: Tables) -> None:
        try:
            await self._in_thread(self._journal.save, view)
        except OSError:
            _log.exception("The snapshot could not be written: the journals hold the changes since the last one")
        finally:
            self._saving = None

    def _in_thread(self, work: Callable[..., None], *arguments: Any) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
