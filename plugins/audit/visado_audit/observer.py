"""The observer: writes events to the log in a thread. Requests that wait at the same time share one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from typing_extensions import override

from visado import Clock, Event, Observer, Settings
from visado_audit.errors import LogUnwritable
from visado_audit.events import LogStarted, LogStopped, utc
from visado_audit.log import AuditLog
from visado_audit.settings import AuditSection, log_path

T = TypeVar("T")
_QueuedEvent: TypeAlias = tuple[Mapping[str, Any], asyncio.Future[None]]
MAX_QUEUED_EVENTS: Final = 10_000
MAX_EVENTS_PER_WRITE: Final = 1_000
OPTIONAL_WAIT_SECONDS: Final = 2.0
"""How long a request waits for its record where records are not required."""
_QUEUE_FULL: Final = "events arrive faster than the disk writes them"


class AuditObserver(Observer):
    """Writes every event to the log.

    Where records are required, a request waits until its record is written. Elsewhere it waits `OPTIONAL_WAIT_SECONDS`
    at most: a disk that hangs delays requests by that time, and the records are written when the disk works again.
    """

    timeout = 10.0

    def __init__(self, settings: Settings, clock: Clock) -> None:
        section = settings[AuditSection]
        self._log, self._clock, self.essential = AuditLog(log_path(settings), section, clock), clock, section.required
        self._queue: list[_QueuedEvent] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "visado-audit")

    @override
    async def open(self) -> None:
        """Record the start. If the log cannot be written, `problem` says so, and later events try again."""
        await asyncio.wait([self._enqueue(LogStarted(at=utc(self._clock())))])

    @override
    async def observe(self, event: Event) -> None:
        """Record an event. Raises `LogUnwritable` where records are required; elsewhere a missed event is counted."""
        try:
            await self._record(event)
        except LogUnwritable:
            if self.essential:
                raise

    async def _record(self, event: Event) -> None:
        if len(self._queue) >= MAX_QUEUED_EVENTS:
            self._log.count_missed(1, _QUEUE_FULL)
            raise LogUnwritable(reason=_QUEUE_FULL)
        done = self._enqueue(event)
        await asyncio.wait([done], timeout=None if self.essential else OPTIONAL_WAIT_SECONDS)
        if done.done():
            done.result()

    @override
    async def close(self) -> None:
        await asyncio.wait([self._enqueue(LogStopped(at=utc(self._clock())))])
        await self._in_thread(self._log.close)
        self._thread.shutdown()

    @override
    def problem(self) -> str | None:
        """Return why events are not recorded, or that the log was changed; None if all is well."""
        return self._log.failure or self._log.damage or None

    def _enqueue(self, event: Event) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        # An exception that no request waits for any more is not logged: the log has counted the event.
        done.add_done_callback(lambda each: each.cancelled() or each.exception())
        self._queue.append((event.as_dict(), done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_queue())
        return done

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:MAX_EVENTS_PER_WRITE], self._queue[MAX_EVENTS_PER_WRITE:]
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
