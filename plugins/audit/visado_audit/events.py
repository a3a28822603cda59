"""The events of the audit log itself. They are written to the same chain as the events of the host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from visado import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStarted(Event):
    """The host started to write the log."""

    name: ClassVar[str] = "audit.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStopped(Event):
    """The host stopped in the normal way. A start without this event before it means that the host was killed."""

    name: ClassVar[str] = "audit.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTorn(Event):
    """The log ended with an incomplete line of `size` bytes, as after a kill: the file `target` holds it now."""

    name: ClassVar[str] = "audit.torn"
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBroken(Event):
    """The files are not as the host left them; `reason` says what differs. `visado audit:verify` says where."""

    name: ClassVar[str] = "audit.broken"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsMissed(Event):
    """Before this record, `count` events could not be recorded; `reason` is that of the last one."""

    name: ClassVar[str] = "audit.missed"
    count: int
    reason: str


def utc(milliseconds: int) -> datetime:
    """Return a time of the host's clock (ms since 1970) as the `at` of an event."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
