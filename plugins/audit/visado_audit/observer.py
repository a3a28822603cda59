"""The observer: everybody who waits for a record at the same time waits for one write, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from typing_extensions import override

from visado import Event, Observer
from visado_audit.errors import LogUnwritable
from visado_audit.events import LogStarted, LogStopped
from visado_audit.log import Log

T = TypeVar("T")
_Waiting: TypeAlias = tuple[Mapping[str, Any], asyncio.Future[None]]
_MOST: Final = 10_000
_AT_ONCE: Final = 1_000
_PATIENCE: Final = 2.0
_TOO_MUCH: Final = "more happens than the disk takes"


class AuditObserver(Observer):
    """Writes every event to the log.

    Where records are required, the answer waits for them. Where they are not, it waits a moment: a disk that hangs
    delays requests by that much, and the records are written when it is back.
    """

    timeout = 10.0

    def __init__(self, log: Log, *, required: bool) -> None:
        self._log, self.essential = log, required
        self._queue: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "visado-audit")

    @override
    async def open(self) -> None:
        """Begin; a log that cannot be written now may be later, and says so in `problem`."""
        await asyncio.wait([self._add(LogStarted())])

    @override
    async def observe(self, event: Event) -> None:
        """Write an event down. Raises `LogUnwritable` where records are required; elsewhere it is counted."""
        try:
            await self._record(event)
        except LogUnwritable:
            if self.essential:
                raise

    async def _record(self, event: Event) -> None:
        if len(self._queue) >= _MOST:
            self._log.miss(1, _TOO_MUCH)
            raise LogUnwritable(reason=_TOO_MUCH)
        done = self._add(event)
        await asyncio.wait([done], timeout=None if self.essential else _PATIENCE)
        if done.done():
            done.result()

    @override
    async def close(self) -> None:
        await asyncio.wait([self._add(LogStopped())])
        await self._in_thread(self._log.close)
        self._thread.shutdown()

    @override
    def problem(self) -> str | None:
        """Why events are not recorded, or that the log was changed."""
        return self._log.failure or self._log.damage or None

    def _add(self, event: Event) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda each: each.cancelled() or each.exception())  # nobody may wait any more
        self._queue.append((event.as_dict(), done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return done

    async def _write(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:_AT_ONCE], self._queue[_AT_ONCE:]
                failure: Exception | None = None
                try:
                    await self._in_thread(partial(self._log.append, [event for event, _ in batch]))
                except Exception as error:
                    failure = error
                for _, done in batch:
                    if failure is None:
                        done.set_result(None)
                    else:
                        done.set_exception(failure)
        finally:
            self._writing = None

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)
