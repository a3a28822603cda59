"""Finding out, when a log is opened, where its chain ends, and whether it is as the host left it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from visado import Event
from visado_audit.chain import START, Broken, Chain, Link, Record, claimed
from visado_audit.events import LogBroken, LogTorn
from visado_audit.files import Files, backwards, whole
from visado_audit.head import Head, read_head

_FIRST_LINE: Final = 256 << 10


@dataclass(slots=True)
class Found:
    """Where to go on, what is to be said of the log, and how its present file begins.

    `first` is the number of the file's first record, `began` the time of it in milliseconds since 1970 (0: not known).
    """

    head: Head
    notes: list[Event] = field(default_factory=list[Event])
    first: int = 1
    began: int = 0


def recover(files: Files, fd: int, head_fd: int, chain: Chain, known: Head | None) -> Found:
    """Look at the end of a log whose present file is open. `known` is the head that this process wrote last.

    What follows the head and fits the chain is kept, what follows it and does not was never acknowledged: it is put
    aside. Where the head itself does not fit, the lines stay as they are, for verification to find. Raises OSError.
    """
    end, size = whole(fd), os.fstat(fd).st_size
    try:
        head = known or read_head(head_fd, chain)
        damage = "the head is missing"
    except Broken as error:
        head, damage = None, str(error)
    if head is None:
        found = _guess(files, fd, end, damage)
    else:
        found = Found(head)
        followed = _follow(files, fd, end, chain, head.last)
        if followed is None:
            found.notes.append(LogBroken(reason=f"the record {head.last.sequence} was changed or removed"))
        else:
            found.head, end = Head(followed[0], head.first), followed[1]
    if end < size:
        found.notes.append(_put_aside(files, fd, end, found.head.last.sequence + 1))
    _look(fd, found)
    return found


def _guess(files: Files, fd: int, end: int, damage: str) -> Found:
    """Go on without a head: from what the last record says of itself. Without records, begin anew."""
    records = (claimed(line) for line in _lines(files, fd, end))
    last = next((record for record in records if record is not None), None)
    if last is None and not (end or files.full()) and damage == "the head is missing":
        return Found(Head(Link(0, START), 1))
    head = Head(last.link if last else Link(0, START), min(files.full(), default=1))
    return Found(head, [LogBroken(reason=damage)])


def _lines(files: Files, fd: int, end: int) -> Iterator[bytes]:
    """The lines of the present file, and of the full one before it, the last one first."""
    yield from (line for _, line in backwards(fd, end))
    before = list(files.full().values())
    if before:
        other = files.open(before[-1], os.O_RDONLY)
        try:
            yield from (line for _, line in backwards(other, whole(other)))
        finally:
            os.close(other)


def _follow(files: Files, fd: int, end: int, chain: Chain, last: Link) -> tuple[Link, int] | None:
    """Follow the chain from a record on: where it ends, and the byte after it in the present file.

    None where that record is not there.
    """
    later: list[tuple[int, Record | None]] = []
    for begin, line in backwards(fd, end):
        record = _read(chain, line)
        if record is not None and record.link.sequence <= last.sequence:
            if record.link != last:
                return None
            break
        later.append((begin, record))
    else:  # the present file is new
        before = next(_lines(files, fd, 0), None)
        record = None if before is None else _read(chain, before)
        if (record.link if record else Link(0, START)) != last:
            return None
    for begin, record in reversed(later):
        if record is None or not record.follows(last):
            return last, begin
        last = record.link
    return last, end


def _read(chain: Chain, line: bytes) -> Record | None:
    with suppress(Broken):
        return chain.read(line)
    return None


def _put_aside(files: Files, fd: int, end: int, number: int) -> Event:
    torn = os.pread(fd, os.fstat(fd).st_size - end, end)
    name = files.put_aside(torn, number)
    os.ftruncate(fd, end)
    os.fsync(fd)
    return LogTorn(target=name, size=len(torn))


def _look(fd: int, found: Found) -> None:
    """Read the first record of the present file."""
    line = os.pread(fd, _FIRST_LINE, 0).partition(b"\n")[0]
    record = claimed(line)
    found.first = record.link.sequence if record else found.head.last.sequence + 1
    with suppress(ValueError, KeyError, TypeError):
        found.began = round(datetime.fromisoformat(json.loads(line)["at"]).timestamp() * 1_000)
