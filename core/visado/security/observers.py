"""Observers: delivers events to them, after the commit of what happened and before the response is sent.

Owns when an event is delivered, and what happens where an observer fails. Does not own the events (`visado.events`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Final

from visado import errors
from visado.events import Event, Observer, PluginSwitched
from visado.plugins.calls import call_plugin
from visado.request import Request, current_request
from visado.storage.protocol import Storage

PAUSE_SECONDS: Final = 30.0
"""How long an observer that exceeded its timeout is skipped."""
MAX_CONCURRENT_EVENTS: Final = 256
OPEN_SECONDS: Final = 10.0
"""The time limit of an observer's `open`, and of its `close`."""
MAX_REQUEST_ID_CHARACTERS: Final = 200
_log = logging.getLogger("visado.observers")


@dataclass(slots=True)
class _Registered:
    """An observer of a plugin. `skipped_until` is a time of `time.monotonic()`."""

    observer: Observer
    plugin: str
    skipped_until: float = 0.0
    missed: int = 0

    @property
    def label(self) -> str:
        return f'an observer of the plugin "{self.plugin}"'


class Observers:
    """The observers of all plugins. Plugins receive this as `host.events`, to note events of their own."""

    def __init__(self, storage: Storage, unavailable: AbstractSet[str], disabled: AbstractSet[str]) -> None:
        self._storage, self._unavailable, self._disabled = storage, unavailable, disabled
        self._registered: list[_Registered] = []
        self._deliveries: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[tuple[str, Observer]]:
        """Iterate over the observers of available plugins, each with the name of its plugin."""
        return ((each.plugin, each.observer) for each in self._registered if each.plugin not in self._unavailable)

    def add(self, observer: Any, plugin: str) -> None:
        """Register an observer. Raises `TypeError` for an object that is none."""
        if not isinstance(observer, Observer):
            raise TypeError(f"an observer is needed, not {type(observer).__name__}")
        self._registered.append(_Registered(observer, plugin))

    def note(self, event: Event) -> None:
        """Deliver an event once the transaction of the current task commits, and before the response is sent.

        Of equal events of one request, one is delivered. Outside a request, the event is delivered at once. Raises
        `TypeError` for an event that cannot be hashed.
        """
        hash(event)
        if not self._registered:
            return
        request = current_request()
        if request is not None:
            actor = None if request.user.anonymous else request.user.id
            if request.token is not None and request.token.actor is not None:
                actor = request.token.actor
            address, request_id = request.connection.address, str(request.id)[:MAX_REQUEST_ID_CHARACTERS]
            event = replace(event, actor=event.actor or actor, address=address, request_id=request_id)
        self._storage.after_commit(lambda: self._collect(event, request))

    def _collect(self, event: Event, request: Request | None) -> None:
        if request is None or request.events is None:
            self.deliver([event])
        else:
            request.events.setdefault(event, event)

    def deliver(self, events: Iterable[Event]) -> asyncio.Future[None]:
        """Deliver events in a task of its own, which raises `EventNotRecorded` where an essential observer fails."""
        task = asyncio.create_task(self._deliver(list(events)))
        self._deliveries.add(task)
        task.add_done_callback(self._delivered)
        return task

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if not task.cancelled():
            task.exception()  # it is in the log already

    async def _deliver(self, events: list[Event]) -> None:
        if not all(await asyncio.gather(*(self._deliver_all(each, events) for each in self._registered))):
            raise errors.EventNotRecorded

    async def _deliver_all(self, registered: _Registered, events: list[Event]) -> bool:
        """Deliver events to one observer; return False where it is essential and missed one."""
        missed = 0
        for start in range(0, len(events), MAX_CONCURRENT_EVENTS):
            batch = events[start : start + MAX_CONCURRENT_EVENTS]
            delivered = [each for each in batch if self._receives(registered, each)]
            missed += (await asyncio.gather(*(self._call(registered, each) for each in delivered))).count(False)
        return not (missed and registered.observer.essential)

    def _receives(self, registered: _Registered, event: Event) -> bool:
        """Return whether an observer receives an event: that of a disabled plugin receives its own disabling only."""
        is_own_disabling = isinstance(event, PluginSwitched) and event.target == registered.plugin
        return is_own_disabling or registered.plugin not in self._disabled

    async def _call(self, registered: _Registered, event: Event) -> bool:
        """Deliver an event to an observer; return whether it succeeded."""
        observer = registered.observer
        if registered.plugin in self._unavailable - self._disabled:
            return False
        if not observer.essential and time.monotonic() < registered.skipped_until:
            registered.missed += 1
            return False
        if registered.missed:
            _log.warning("%s missed %s events while it was skipped", registered.label, registered.missed)
            registered.missed = 0
        timeout_error = errors.EventNotRecorded()
        try:
            await call_plugin(registered.label, observer.timeout, lambda: observer.observe(event), timeout_error)
        except errors.VisadoError as error:
            if error is timeout_error:
                registered.skipped_until = time.monotonic() + PAUSE_SECONDS
            else:
                _log.warning("%s failed on %s: %s", registered.label, event.kind, error.text)
            return False
        return True

    async def open(self, quarantine: Callable[[str, str], None]) -> None:
        """Open every observer. `quarantine` is called with the plugin and the reason where one fails to open."""
        for each in self._registered:
            try:
                await call_plugin(each.label, OPEN_SECONDS, each.observer.open, errors.EventNotRecorded())
            except errors.VisadoError as error:
                quarantine(each.plugin, error.text)

    async def close(self) -> None:
        """Wait until all noted events are delivered, then close every observer."""
        while self._deliveries:
            await asyncio.gather(*self._deliveries, return_exceptions=True)
        for each in self._registered:
            try:
                await call_plugin(each.label, OPEN_SECONDS, each.observer.close, errors.EventNotRecorded())
            except errors.VisadoError:
                _log.warning("%s did not close", each.label)
