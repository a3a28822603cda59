"""Who is told of events, and when: once what happened is there for all, and before the request is answered."""

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

_PAUSE: Final = 30.0
_AT_ONCE: Final = 256
_PATIENCE: Final = 10.0
_LONGEST_ID: Final = 200
_log = logging.getLogger("visado.observers")


@dataclass(slots=True)
class _Seat:
    """An observer, and until when it is left out because it was too slow."""

    observer: Observer
    plugin: str
    away_until: float = 0.0
    missed: int = 0


class Observers:
    """Every observer. Plugins get this as `events`, to note what happens in them."""

    def __init__(self, storage: Storage, unavailable: AbstractSet[str], disabled: AbstractSet[str]) -> None:
        self._storage, self._unavailable, self._disabled = storage, unavailable, disabled
        self._seats: list[_Seat] = []
        self._telling: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[tuple[str, Observer]]:
        """Every observer at work, with the name of its plugin."""
        return ((seat.plugin, seat.observer) for seat in self._seats if seat.plugin not in self._unavailable)

    def add(self, observer: Any, plugin: str) -> None:
        """Let an observer hear from now on. Raises `TypeError` for what is none."""
        if not isinstance(observer, Observer):
            raise TypeError(f"an observer is needed, not {type(observer).__name__}")
        self._seats.append(_Seat(observer, plugin))

    def note(self, event: Event) -> None:
        """Tell of this, as soon as what the present task has written is there for all.

        What is noted twice during one request is told once. Raises `TypeError` for an event that cannot be hashed.
        """
        hash(event)
        if not self._seats:
            return
        request = current_request()
        if request is not None:
            actor = None if request.user.anonymous else request.user.id
            address, request_id = request.connection.address, str(request.id)[:_LONGEST_ID]
            event = replace(event, actor=event.actor or actor, address=address, request_id=request_id)
        self._storage.after_commit(lambda: self._keep(event, request))

    def _keep(self, event: Event, request: Request | None) -> None:
        if request is None or request.events is None:
            self.tell_later([event])
        else:
            request.events.setdefault(event, event)

    def tell_later(self, events: Iterable[Event]) -> asyncio.Future[None]:
        """Tell of events, in a task of its own. It raises `EventNotRecorded` where an essential observer fails."""
        task = asyncio.create_task(self._tell(events))
        self._telling.add(task)
        task.add_done_callback(self._told)
        return task

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled():
            task.exception()  # it is in the log already

    async def _tell(self, events: Iterable[Event]) -> None:
        told = list(events)
        if not all(await asyncio.gather(*(self._hears_all(seat, told) for seat in self._seats))):
            raise errors.EventNotRecorded

    async def _hears_all(self, seat: _Seat, events: list[Event]) -> bool:
        """Tell an observer of events, many at a time; say whether it did not miss what it must not."""
        missed = 0
        for start in range(0, len(events), _AT_ONCE):
            told = [each for each in events[start : start + _AT_ONCE] if self._is_for(seat, each)]
            missed += (await asyncio.gather(*(self._hears(seat, each) for each in told))).count(False)
        return not (missed and seat.observer.essential)

    def _is_for(self, seat: _Seat, event: Event) -> bool:
        """Whether an observer is to hear of it: one that was switched off still hears of that."""
        is_its_end = isinstance(event, PluginSwitched) and event.target == seat.plugin
        return is_its_end or seat.plugin not in self._disabled

    async def _hears(self, seat: _Seat, event: Event) -> bool:
        """Tell an observer of an event, and say whether it heard."""
        observer = seat.observer
        if seat.plugin in self._unavailable - self._disabled:
            return False
        if not observer.essential and time.monotonic() < seat.away_until:
            seat.missed += 1
            return False
        if seat.missed:
            _log.warning("%s missed %s events while it was left out", _name(seat), seat.missed)
            seat.missed = 0
        late = errors.EventNotRecorded()
        try:
            await call_plugin(_name(seat), observer.timeout, lambda: observer.observe(event), late)
        except errors.VisadoError as error:
            if error is late:
                seat.away_until = time.monotonic() + _PAUSE
            else:
                _log.warning("%s did not hear of %s: %s", _name(seat), event.kind, error.text)
            return False
        return True

    async def open(self, failed: Callable[[str, str], None]) -> None:
        """Let every observer begin; `failed` hears of the plugin and the reason where one cannot."""
        for seat in self._seats:
            try:
                await call_plugin(_name(seat), _PATIENCE, seat.observer.open, errors.EventNotRecorded())
            except errors.VisadoError as error:
                failed(seat.plugin, error.text)

    async def close(self) -> None:
        """Tell what is left to tell, then let every observer end."""
        while self._telling:
            await asyncio.gather(*self._telling, return_exceptions=True)
        for seat in self._seats:
            try:
                await call_plugin(_name(seat), _PATIENCE, seat.observer.close, errors.EventNotRecorded())
            except errors.VisadoError:
                _log.warning("%s did not close", _name(seat))


def _name(seat: _Seat) -> str:
    return f'an observer of the plugin "{seat.plugin}"'
