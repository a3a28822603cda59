"""The log on disk: appends whole lines, rotates files, and records what was wrong with the files when it opened them.

Everything here blocks, and runs in one thread. After a failure the files are closed; the next append opens them again,
recovers the end of the chain, and continues from it.
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
from visado_audit.chain import HashChain
from visado_audit.errors import LogUnwritable
from visado_audit.events import LogBroken, LogTorn, RecordsMissed, utc
from visado_audit.files import LogFiles
from visado_audit.head import LogHead, write_head
from visado_audit.recovery import RecoveredLog, recover_log
from visado_audit.settings import AuditSection

_log = logging.getLogger("visado.audit")


class AuditLog:
    """The log of one host.

    `failure` is the reason why the log cannot be written now, `damage` the reason of the last `audit.broken`; both are
    empty if all is well.
    """

    def __init__(self, path: Path, section: AuditSection, clock: Clock) -> None:
        self._path, self._section, self._clock = path.absolute(), section, clock
        self._opened: _OpenedLog | None = None
        self._head: LogHead | None = None
        self._own_events: list[Event] = []
        """Events of the log itself that are not written yet."""
        self._missed, self._counting = 0, Lock()
        self.failure = self.damage = ""

    def append(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Write events, and return when they are durable. Raises `LogUnwritable`: then none of them is recorded."""
        events = list(events)
        try:
            self._append(events)
        except (OSError, ValueError) as error:
            self.close()
            self.count_missed(len(events), _reason(error))
            raise LogUnwritable(reason=self.failure) from None
        if self.failure:
            _log.warning("%s can be written again", self._path)
            self.failure = ""

    def count_missed(self, events: int, reason: str) -> None:
        """Count events that were not written, for `audit.missed`. May be called from any thread."""
        if reason != self.failure:
            _log.error("%s cannot be written: %s", self._path, reason)
        self.failure = reason
        with self._counting:
            self._missed += events

    def _append(self, events: list[Mapping[str, Any]]) -> None:
        opened = self._opened
        if opened is None or not opened.is_unchanged():
            self.close()
            opened = self._opened = _OpenedLog(self._path, self._section, self._head, self._clock)
            self._report(opened.recovered)
        missed, own = self._missed, [each.as_dict() for each in self._own_events]
        if missed:
            event = RecordsMissed(count=missed, reason=self.failure, at=utc(self._clock()))
            own.append(event.as_dict())
        self._head = opened.append([*own, *events])
        self._own_events.clear()
        with self._counting:
            self._missed -= missed

    def _report(self, recovered: RecoveredLog) -> None:
        for event in recovered.events:
            if event in self._own_events:
                continue
            self._own_events.append(event)
            if isinstance(event, LogBroken):
                self.damage = event.reason
                _log.error("%s: %s. `visado audit:verify` says where", self._path, event.reason)
            elif isinstance(event, LogTorn):
                _log.warning("%s: an incomplete line was moved to %s", self._path, event.target)

    def close(self) -> None:
        """Close the files."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


class _OpenedLog:
    """The open files, after recovery."""

    def __init__(self, path: Path, section: AuditSection, known: LogHead | None, clock: Clock) -> None:
        self._section, self._clock = section, clock
        self._files = files = LogFiles(path, create=True)
        self._fds: list[int] = []
        try:
            self._head_fd = self._register(files.open(files.head, os.O_RDWR | os.O_CREAT))
            files.lock(self._head_fd)
            self._fd = self._register(files.open(files.current, os.O_RDWR | os.O_CREAT | os.O_APPEND))
            self._chain = HashChain(_read_key(section, files))
            self.recovered = recover_log(files, self._fd, self._head_fd, self._chain, known, utc(clock()))
            self._head = self.recovered.head
            if not self._head.last.sequence:  # no record may exist without a head
                write_head(self._head_fd, self._chain, self._head)
            self._size = os.fstat(self._fd).st_size
            self._sync_folder()
        except BaseException:
            self.close()
            raise

    def _register(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def is_unchanged(self) -> bool:
        """Return whether the files are in their places, and no other process has written to the current one."""
        files = self._files
        in_place = files.is_in_place() and files.is_named(files.current, self._fd)
        return in_place and files.is_named(files.head, self._head_fd) and os.fstat(self._fd).st_size == self._size

    def append(self, events: Iterable[Mapping[str, Any]]) -> LogHead:
        """Write records, after a rotation if it is due; return the new head."""
        now = self._clock()
        is_old = now - self.recovered.started_at >= self._section.rotate_after
        if self._size and (is_old or self._size >= self._section.rotate_size):
            self._rotate()
        position, lines = self._head.last, list[bytes]()
        for event in events:
            line, position = self._chain.write(position.sequence + 1, position.hash, event)
            lines.append(line)
        if not self._size:
            self.recovered.first, self.recovered.started_at = self._head.last.sequence + 1, now
        self._write(b"".join(lines))
        self._head = LogHead(position, self._head.first)
        write_head(self._head_fd, self._chain, self._head)
        return self._head

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written < len(data):
            os.ftruncate(self._fd, self._size)  # no incomplete line may stay
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written
        if self._section.sync:
            os.fdatasync(self._fd)

    def _rotate(self) -> None:
        files = self._files
        files.retire(self.recovered.first)
        self._fds.remove(self._fd)
        os.close(self._fd)
        self._fd = self._register(files.open(files.current, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND))
        self._size = 0
        self._remove_oldest()
        self._sync_folder()

    def _remove_oldest(self) -> None:
        """Delete full files beyond `keep`. The head is written first, so that verification does not expect them."""
        full = self._files.full()
        if not self._section.keep or len(full) <= self._section.keep:
            return
        kept = list(full)[-self._section.keep :]
        self._head = LogHead(self._head.last, kept[0])
        write_head(self._head_fd, self._chain, self._head)
        for number, name in full.items():
            if number not in kept:
                self._files.remove(name)

    def _sync_folder(self) -> None:
        if self._section.sync:
            os.fsync(self._files.fd)

    def close(self) -> None:
        """Close the files, and with the head its lock."""
        for fd in self._fds:
            os.close(fd)
        self._files.close()


def _read_key(section: AuditSection, files: LogFiles) -> str | None:
    """Return the key, or None without `key_file`. A missing file is made only where no log exists: its chain has a key.

    Raises `OSError` or `ValueError`.
    """
    file = section.key_file
    if file is None:
        return None
    if not file.exists() and (files.full() or os.stat(files.current, dir_fd=files.fd).st_size):
        raise FileNotFoundError(errno.ENOENT, "the key is missing", str(file))
    return read_secret(file)


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
