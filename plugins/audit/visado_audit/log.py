"""The log on disk: lines are appended whole, files are begun anew, and whatever was found amiss is said in the chain.

Everything here blocks and is for one thread. After any failure the files are closed; the next append opens them again,
finds out what is really there, and goes on from it.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from visado import Clock, Event, read_secret
from visado_audit.chain import Chain
from visado_audit.errors import LogUnwritable
from visado_audit.events import LogBroken, LogTorn, RecordsMissed
from visado_audit.files import Files
from visado_audit.head import Head, write_head
from visado_audit.recovery import Found, recover
from visado_audit.settings import AuditSection

_log = logging.getLogger("visado.audit")


class Log:
    """The log of one host. `failure` says why it cannot be written at present, `damage` what was found changed."""

    def __init__(self, path: Path, section: AuditSection, clock: Clock) -> None:
        self._path, self._section, self._clock = path.absolute(), section, clock
        self._opened: _Opened | None = None
        self._head: Head | None = None
        self._notes: list[Event] = []
        self._missed, self._counting = 0, Lock()
        self.failure = self.damage = ""

    def append(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Write events down, and answer once they are safe. Raises `LogUnwritable`: then none of them counts."""
        events = list(events)
        try:
            self._append(events)
        except (OSError, ValueError) as error:
            self.close()
            self.miss(len(events), _reason(error))
            raise LogUnwritable(reason=self.failure) from None
        if self.failure:
            _log.warning("%s can be written again", self._path)
            self.failure = ""

    def miss(self, events: int, reason: str) -> None:
        """Remember that so many events were not written, to say so once it works again."""
        if reason != self.failure:
            _log.error("%s cannot be written: %s", self._path, reason)
        self.failure = reason
        with self._counting:
            self._missed += events

    def _append(self, events: list[Mapping[str, Any]]) -> None:
        opened = self._opened
        if opened is None or not opened.is_sound():
            self.close()
            opened = self._opened = _Opened(self._path, self._section, self._head, self._clock)
            self._report(opened.found)
        missed, notes = self._missed, [each.as_dict() for each in self._notes]
        if missed:
            notes.append(RecordsMissed(count=missed, reason=self.failure).as_dict())
        self._head = opened.append([*notes, *events])
        self._notes.clear()
        with self._counting:
            self._missed -= missed

    def _report(self, found: Found) -> None:
        for note in found.notes:
            if note in self._notes:
                continue
            self._notes.append(note)  # until it is written
            if isinstance(note, LogBroken):
                self.damage = note.reason
                _log.error("%s: %s. `visado audit:verify` says where", self._path, note.reason)
            elif isinstance(note, LogTorn):
                _log.warning("%s: an unfinished line was put aside: %s", self._path, note.target)

    def close(self) -> None:
        """Let go of the files."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


class _Opened:
    """The files while they are open: everything in it was looked at, and is as this host left it."""

    def __init__(self, path: Path, section: AuditSection, known: Head | None, clock: Clock) -> None:
        self._section, self._clock = section, clock
        self._files = files = Files(path, make=True)
        self._fds: list[int] = []
        try:
            self._head_fd = self._keep(files.open(files.head, os.O_RDWR | os.O_CREAT))
            files.lock(self._head_fd)
            self._fd = self._keep(files.open(files.present, os.O_RDWR | os.O_CREAT | os.O_APPEND))
            self._chain = Chain(_key(section, files))
            self.found = recover(files, self._fd, self._head_fd, self._chain, known)
            self._head = self.found.head
            if not self._head.last.sequence:
                write_head(self._head_fd, self._chain, self._head)  # before the first record: none without a head
            self._size = os.fstat(self._fd).st_size
            self._sync_folder()
        except BaseException:
            self.close()
            raise

    def _keep(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def is_sound(self) -> bool:
        """Whether the files are where they were, and nobody else has written to them."""
        files = self._files
        there = files.is_there() and files.is_at(files.present, self._fd) and files.is_at(files.head, self._head_fd)
        return there and os.fstat(self._fd).st_size == self._size

    def append(self, events: Iterable[Mapping[str, Any]]) -> Head:
        """Write records down, first in a new file where it is time; return the new head."""
        now = self._clock()
        is_old = now - self.found.began >= self._section.rotate_after
        if self._size and (is_old or self._size >= self._section.rotate_size):
            self._rotate()
        link, lines = self._head.last, list[bytes]()
        for event in events:
            line, link = self._chain.line(link.sequence + 1, link.hash, event)
            lines.append(line)
        if not self._size:
            self.found.first, self.found.began = self._head.last.sequence + 1, now
        self._write(b"".join(lines))
        self._head = Head(link, self._head.first)
        write_head(self._head_fd, self._chain, self._head)
        return self._head

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written < len(data):
            os.ftruncate(self._fd, self._size)  # half a line is none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written
        if self._section.sync:
            os.fdatasync(self._fd)

    def _rotate(self) -> None:
        files = self._files
        files.retire(self.found.first)
        self._fds.remove(self._fd)
        os.close(self._fd)
        self._fd = self._keep(files.open(files.present, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND))
        self._size = 0
        self._forget()
        self._sync_folder()

    def _forget(self) -> None:
        """Remove the oldest files. The head says so first: what it does not miss, verification does not miss."""
        full = self._files.full()
        if not self._section.keep or len(full) <= self._section.keep:
            return
        kept = list(full)[-self._section.keep :]
        self._head = Head(self._head.last, kept[0])
        write_head(self._head_fd, self._chain, self._head)
        for number, name in full.items():
            if number not in kept:
                self._files.remove(name)

    def _sync_folder(self) -> None:
        if self._section.sync:
            os.fsync(self._files.fd)

    def close(self) -> None:
        """Let go of the files, and of the lock."""
        for fd in self._fds:
            os.close(fd)
        self._files.close()


def _key(section: AuditSection, files: Files) -> str | None:
    """Read the key. It is made where there is no log yet: another key would break the chain of one that is there."""
    file = section.key_file
    if file is None:
        return None
    if not file.exists() and (files.full() or os.stat(files.present, dir_fd=files.fd).st_size):
        raise FileNotFoundError(errno.ENOENT, "the key is missing", str(file))
    return read_secret(file)


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
