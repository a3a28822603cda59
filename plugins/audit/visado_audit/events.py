"""What the log says of itself: events like the host's, in the same chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from visado import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStarted(Event):
    """A host began to write the log."""

    name: ClassVar[str] = "audit.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStopped(Event):
    """The host ended in an orderly way. Where this is missing before a start, it was killed."""

    name: ClassVar[str] = "audit.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTorn(Event):
    """The end of the log was an unfinished line, as a kill leaves it: it is now in a file, the target."""

    name: ClassVar[str] = "audit.torn"
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBroken(Event):
    """The files are not as the host left them; `reason` says what was found. Verification says where."""

    name: ClassVar[str] = "audit.broken"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsMissed(Event):
    """So many events could not be recorded before this one, and why the last of them could not."""

    name: ClassVar[str] = "audit.missed"
    count: int
    reason: str
