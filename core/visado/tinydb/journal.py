"""The folder of the default storage: a snapshot of every document, and journals of what changed since.

lock               held by the process that has the folder open; holds its id
snapshot           every document as of the beginning of the journal of the same generation
snapshot.backup    the snapshot before; the journals since then are kept too, so it can replace the newer
journal.N          the changes since, in their order; each names the checksum at which the one before ended
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, cast

from tinydb.storages import Storage
from typing_extensions import override

from visado.storage.protocol import Document, StorageError
from visado.tinydb import frames

Tables: TypeAlias = dict[str, dict[str, Document]]

_log = logging.getLogger(__name__)
_sync = getattr(os, "fdatasync", os.fsync)
_SHORTEST = 4 << 20
_FRAME = 64 << 10
_REST = 0.001
_OWNER_ONLY = 0o700
_ID_WIDTH = 19


class Journal(Storage):
    """The durable side, as TinyDB's storage: read at start, appended to, and at times written anew.

    One thread at a time may append or rotate; `save` may run beside them.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder and read it. Raises `StorageError`."""
        self._folder = folder
        self._snapshot, self._backup = folder / "snapshot", folder / "snapshot.backup"
        self._new_snapshot, self._new_journal = folder / "snapshot.new", folder / "journal.new"
        self._tables: Tables = {}
        self._fd, self._generation, self._size, self._crc = -1, 0, 0, 0
        self._snapshot_generation = self._snapshot_size = 0
        self._is_spoilt = self._is_unlisted = False
        _own(folder)
        self._lock = _lock(folder)
        try:
            self._load()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise StorageError(f"{error.filename or folder}: {error.strerror}.") from error
            raise

    @override
    def read(self) -> Tables:
        """The documents themselves, not a copy."""
        return self._tables

    @override
    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep these documents in the place of all others."""
        self.rotate()
        self.save(data)
        self._tables = cast("Tables", data)

    @property
    def is_long(self) -> bool:
        """Whether a new snapshot would be quicker to read than this journal."""
        return self._size > max(_SHORTEST, self._snapshot_size)

    def append(self, rows: Sequence[bytes]) -> None:
        """Keep these rows for good: all of them, or none where this raises OSError."""
        if self._is_spoilt:
            self._mend()
        frame, crc = frames.frame(rows, self._crc)
        self._is_spoilt = True
        try:
            frames.write(self._fd, frame, self._size)
            _sync(self._fd)
            if self._is_unlisted:
                self._sync_folder()
        except OSError:
            with suppress(OSError):
                self._mend()
            raise
        self._is_spoilt = False
        self._size, self._crc = self._size + len(frame), crc

    def rotate(self) -> None:
        """Begin the journal of the next generation. Where this raises OSError, the present one goes on."""
        if self._is_spoilt:
            self._mend()
        previous = self._fd
        self._begin(self._generation + 1, self._crc)
        os.close(previous)

    def save(self, tables: Mapping[str, Mapping[str, Document]]) -> None:
        """Make the documents as of the last `rotate` the snapshot, and the present one the backup."""
        generation, oldest = self._generation, self._snapshot_generation
        size = self._write_snapshot(tables, generation)
        if self._snapshot.exists():
            self._backup.unlink(missing_ok=True)
            self._backup.hardlink_to(self._snapshot)
        self._new_snapshot.replace(self._snapshot)
        self._sync_folder()
        self._snapshot_generation, self._snapshot_size = generation, size
        for number in self._journals():
            if number < oldest:
                self._journal(number).unlink()

    @override
    def close(self) -> None:
        """Let go of the folder."""
        if self._is_spoilt:
            with suppress(OSError):
                self._mend()
        if self._fd >= 0:
            os.close(self._fd)
        os.close(self._lock)

    def _load(self) -> None:
        for left_over in (self._new_snapshot, self._new_journal):
            left_over.unlink(missing_ok=True)
        journals = self._journals()
        if not os.path.lexists(self._snapshot):
            self._start(journals)
            return
        with frames.Reader(self._snapshot, "snapshot") as snapshot:
            self._replay(snapshot.rows())
            if not snapshot.is_closed:
                raise snapshot.refusal("is cut short")
        self._snapshot_generation, self._snapshot_size = snapshot.generation, snapshot.size
        last, crc = max([*journals, snapshot.generation]), None
        for number in range(snapshot.generation, last + 1):
            with frames.Reader(self._journal(number), "journal") as journal:
                if journal.generation != number or crc not in {None, journal.continues}:
                    raise journal.refusal("does not continue the journal before")
                self._replay(journal.rows(may_be_torn=number == last))
            crc = journal.crc
            if number == last:
                self._go_on(journal)

    def _start(self, journals: list[int]) -> None:
        """Fill a new folder. A start that was cut off left a journal without rows, and no snapshot."""
        is_unused = not self._backup.exists() and journals in ([], [1])
        if is_unused and journals:
            with frames.Reader(self._journal(1), "journal") as journal:
                is_unused = not any(journal.rows(may_be_torn=True))
        if not is_unused:
            raise frames.refusal(self._snapshot, "is missing")
        self._begin(1)
        self.save({})

    def _replay(self, rows: Iterator[frames.Row]) -> None:
        for collection, doc_id, document in rows:
            table = self._tables.setdefault(collection, {})
            if document is None:
                table.pop(doc_id, None)
            else:
                table[doc_id] = document

    def _go_on(self, journal: frames.Reader) -> None:
        self._fd = frames.open_file(journal.path, os.O_RDWR)
        self._generation, self._size, self._crc = journal.generation, journal.size, journal.crc
        if journal.torn:
            _log.warning("%s: dropped %d bytes that were never acknowledged", journal.path, journal.torn)
            self._mend()

    def _begin(self, generation: int, continues: int | None = None) -> None:
        with _new_file(self._new_journal) as fd:
            size, crc = frames.write_header(fd, "journal", generation, continues)
            os.fsync(fd)
            self._new_journal.replace(self._journal(generation))
            self._fd, self._generation, self._size, self._crc = os.dup(fd), generation, size, crc
        self._is_unlisted = True

    def _write_snapshot(self, tables: Mapping[str, Mapping[str, Document]], generation: int) -> int:
        with _new_file(self._new_snapshot) as fd:
            size, crc = frames.write_header(fd, "snapshot", generation)
            for rows in chain(_portions(tables), ([],)):
                frame, crc = frames.frame(rows, crc)
                frames.write(fd, frame, size)
                size += len(frame)
            os.fsync(fd)
        return size

    def _mend(self) -> None:
        """Cut off what is left of a write that failed."""
        os.ftruncate(self._fd, self._size)
        _sync(self._fd)
        self._is_spoilt = False

    def _sync_folder(self) -> None:
        _sync_names(self._folder)
        self._is_unlisted = False

    def _journal(self, number: int) -> Path:
        return self._folder / f"journal.{number}"

    def _journals(self) -> list[int]:
        numbers = (path.suffix[1:] for path in self._folder.glob("journal.*"))
        return sorted(int(number) for number in numbers if number.isdecimal())


@contextmanager
def _new_file(path: Path) -> Generator[int, None, None]:
    """A file to write under a name that is not its last; where that fails, it gives its space back."""
    path.unlink(missing_ok=True)
    fd = frames.open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        yield fd
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def _portions(tables: Mapping[str, Mapping[str, Document]]) -> Iterator[list[bytes]]:
    """Rows enough for a frame at a time; in between, the event loop may have the interpreter."""
    rows: list[bytes] = []
    size = 0
    for collection, documents in tables.items():
        for doc_id, document in documents.items():
            rows.append(frames.encode_row(collection, doc_id, document))
            size += len(rows[-1])
            if size > _FRAME:
                yield rows
                rows, size = [], 0
                time.sleep(_REST)
    if rows:
        yield rows


def _sync_names(folder: Path) -> None:
    """Make sure that the folder's files are found under their names after a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _own(folder: Path) -> None:
    """Make sure that there is a folder, and that nobody else may look into it."""
    try:
        if not folder.exists():
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            _sync_names(folder.parent)
        mode = folder.stat().st_mode
        if not mode & stat.S_ISVTX:
            folder.chmod(_OWNER_ONLY)
            return
    except OSError as error:
        raise StorageError(f"{folder} cannot be the storage's folder ({error.strerror}).") from error
    raise StorageError(f"{folder} belongs to everybody: name a folder of its own in [storage] url.")


def _lock(folder: Path) -> int:
    """Hold the folder against other processes, which find here who does."""
    path = folder / "lock"
    try:
        fd = frames.open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened ({error.strerror}).") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(fd, _ID_WIDTH, 0).decode("ascii", "replace").strip()
        os.close(fd)
        if not isinstance(error, BlockingIOError):
            raise StorageError(f"{path} cannot be locked ({error.strerror}).") from error
        raise StorageError(f"{folder} is in use by process {holder}: stop it first.") from None
    with suppress(OSError):  # a full disk is no reason not to read
        os.pwrite(fd, b"%-*d\n" % (_ID_WIDTH, os.getpid()), 0)
    return fd
