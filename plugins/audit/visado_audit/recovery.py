"""Recovery: when a log is opened, find the end of its chain, and whether its files are as the host left them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from visado import Event
from visado_audit.chain import FIRST_PREVIOUS, ChainPosition, HashChain, InvalidRecord, RecordHeader, read_unverified
from visado_audit.events import LogBroken, LogTorn
from visado_audit.files import LogFiles, complete_bytes, read_backwards
from visado_audit.head import LogHead, read_head

MAX_FIRST_LINE_BYTES: Final = 256 << 10
"""Bytes that are read to find the first record of a file."""
_HEAD_MISSING: Final = "the head is missing"


@dataclass(slots=True)
class RecoveredLog:
    """The head to continue from, the events to record, and the start of the current file.

    `first` is the number of the file's first record, `started_at` its time in ms since 1970 (0: unknown).
    """

    head: LogHead
    events: list[Event] = field(default_factory=list[Event])
    first: int = 1
    started_at: int = 0


def recover_log(
    files: LogFiles, fd: int, head_fd: int, chain: HashChain, known: LogHead | None, now: datetime
) -> RecoveredLog:
    """Read the end of a log whose current file is open. `known` is the head that this process wrote last.

    Records after the head that continue the chain are accepted. Lines after the head that do not continue it were
    never acknowledged: they are moved to a file of their own. Where the head itself does not match, the lines stay
    unchanged for `visado audit:verify`. `now` is the time of the events. Raises `OSError`.
    """
    end, size = complete_bytes(fd), os.fstat(fd).st_size
    try:
        head = known or read_head(head_fd, chain)
        damage = _HEAD_MISSING
    except InvalidRecord as error:
        head, damage = None, str(error)
    if head is None:
        recovered = _recover_without_head(files, fd, end, damage, now)
    else:
        recovered = RecoveredLog(head)
        followed = _follow(files, fd, end, chain, head.last)
        if followed is None:
            reason = f"record {head.last.sequence} was changed or removed"
            recovered.events.append(LogBroken(reason=reason, at=now))
        else:
            recovered.head, end = LogHead(followed[0], head.first), followed[1]
    if end < size:
        recovered.events.append(_move_torn(files, fd, end, recovered.head.last.sequence + 1, now))
    _read_first(fd, recovered)
    return recovered


def _recover_without_head(files: LogFiles, fd: int, end: int, damage: str, now: datetime) -> RecoveredLog:
    """Continue after the last record, whose hash is not checked; without any record, start a new chain."""
    headers = (read_unverified(line) for line in _last_lines(files, fd, end))
    last = next((header for header in headers if header is not None), None)
    start = ChainPosition(0, FIRST_PREVIOUS)
    if last is None and not (end or files.full()) and damage == _HEAD_MISSING:
        return RecoveredLog(LogHead(start, 1))
    head = LogHead(last.position if last else start, min(files.full(), default=1))
    return RecoveredLog(head, [LogBroken(reason=damage, at=now)])


def _last_lines(files: LogFiles, fd: int, end: int) -> Iterator[bytes]:
    """Yield the lines of the current file, then those of the newest full file, the last one first."""
    yield from (line for _, line in read_backwards(fd, end))
    full = list(files.full().values())
    if full:
        full_fd = files.open(full[-1], os.O_RDONLY)
        try:
            yield from (line for _, line in read_backwards(full_fd, complete_bytes(full_fd)))
        finally:
            os.close(full_fd)


def _follow(
    files: LogFiles, fd: int, end: int, chain: HashChain, last: ChainPosition
) -> tuple[ChainPosition, int] | None:
    """Follow the chain from a record on: return its end, and the offset after it in the current file.

    None if that record does not exist.
    """
    later: list[tuple[int, RecordHeader | None]] = []
    for offset, line in read_backwards(fd, end):
        header = _read(chain, line)
        if header is not None and header.position.sequence <= last.sequence:
            if header.position != last:
                return None
            break
        later.append((offset, header))
    else:  # the current file holds later records only: the record must be the last one of the newest full file
        before = next(_last_lines(files, fd, 0), None)
        header = None if before is None else _read(chain, before)
        if (header.position if header else ChainPosition(0, FIRST_PREVIOUS)) != last:
            return None
    for offset, header in reversed(later):
        if header is None or not header.follows(last):
            return last, offset
        last = header.position
    return last, end


def _read(chain: HashChain, line: bytes) -> RecordHeader | None:
    with suppress(InvalidRecord):
        return chain.read(line)
    return None


def _move_torn(files: LogFiles, fd: int, end: int, number: int, now: datetime) -> Event:
    torn = os.pread(fd, os.fstat(fd).st_size - end, end)
    name = files.save_torn(torn, number)
    os.ftruncate(fd, end)
    os.fsync(fd)
    return LogTorn(target=name, size=len(torn), at=now)


def _read_first(fd: int, recovered: RecoveredLog) -> None:
    """Read the number and the time of the current file's first record."""
    line = os.pread(fd, MAX_FIRST_LINE_BYTES, 0).partition(b"\n")[0]
    header = read_unverified(line)
    recovered.first = header.position.sequence if header else recovered.head.last.sequence + 1
    with suppress(ValueError, KeyError, TypeError):
        recovered.started_at = round(datetime.fromisoformat(json.loads(line)["at"]).timestamp() * 1_000)
