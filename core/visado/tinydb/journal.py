"""The folder of the default storage: a snapshot of every document, and journals of the changes since.

lock               locked by the process that has the folder open; contains its id
snapshot           every document as of the start of the journal of the same generation
snapshot.backup    the snapshot before; with the journals since then, it can replace the newer one
journal.N          the changes since, in order; each names the checksum at which the one before ended
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
from typing import Any, Final, TypeAlias, cast

from tinydb.storages import Storage
from typing_extensions import override

from visado.storage.protocol import Document, StorageError
from visado.tinydb import frames

Tables: TypeAlias = dict[str, dict[str, Document]]

_log = logging.getLogger(__name__)
_sync = getattr(os, "fdatasync", os.fsync)
_MIN_SNAPSHOT_BYTES = 4 << 20
"""A journal that is shorter needs no new snapshot."""
_FRAME_BYTES: Final = 64 << 10
_PAUSE_SECONDS: Final = 0.001
_OWNER_ONLY: Final = 0o700
_PROCESS_ID_WIDTH: Final = 19


class Journal(Storage):
    """The files of the folder, as TinyDB's storage: read at the start, appended to, and replaced by a new snapshot.

    One thread at a time may call `append` or `rotate`; `save` may run beside them.
    """

    def __init__(self, folder: Path) -> None:
        """Lock the folder and read it. Raises `StorageError`."""
        self._folder = folder
        self._snapshot, self._backup = folder / "snapshot", folder / "snapshot.backup"
        self._new_snapshot, self._new_journal = folder / "snapshot.new", folder / "journal.new"
        self._tables: Tables = {}
        self._fd, self._generation, self._size, self._crc = -1, 0, 0, 0
        self._snapshot_generation = self._snapshot_size = 0
        self._has_partial_write = self._has_new_name = False
        _prepare_folder(folder)
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
        """Return the documents themselves, not a copy."""
        return self._tables

    @override
    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace all documents."""
        self.rotate()
        self.save(data)
        self._tables = cast("Tables", data)

    @property
    def needs_snapshot(self) -> bool:
        """Whether a new snapshot would be faster to read than this journal."""
        return self._size > max(_MIN_SNAPSHOT_BYTES, self._snapshot_size)

    def append(self, rows: Sequence[bytes]) -> None:
        """Write rows to the disk: all of them, or none if this raises OSError."""
        if self._has_partial_write:
            self._drop_partial_write()
        frame, crc = frames.frame(rows, self._crc)
        self._has_partial_write = True
        try:
            frames.write(self._fd, frame, self._size)
            _sync(self._fd)
            if self._has_new_name:
                self._sync_folder()
        except OSError:
            with suppress(OSError):
                self._drop_partial_write()
            raise
        self._has_partial_write = False
        self._size, self._crc = self._size + len(frame), crc

    def rotate(self) -> None:
        """Start the journal of the next generation. If this raises OSError, the old one goes on."""
        if self._has_partial_write:
            self._drop_partial_write()
        previous = self._fd
        self._start_journal(self._generation + 1, self._crc)
        os.close(previous)

    def save(self, tables: Mapping[str, Mapping[str, Document]]) -> None:
        """Write the documents as of the last `rotate` as the new snapshot; the old one becomes the backup."""
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
        """Close the files and unlock the folder."""
        if self._has_partial_write:
            with suppress(OSError):
                self._drop_partial_write()
        if self._fd >= 0:
            os.close(self._fd)
        os.close(self._lock)

    def _load(self) -> None:
        for left_over in (self._new_snapshot, self._new_journal):
            left_over.unlink(missing_ok=True)
        journals = self._journals()
        if not os.path.lexists(self._snapshot):
            self._create(journals)
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
                self._continue(journal)

    def _create(self, journals: list[int]) -> None:
        """Create the files of a new folder. If this was interrupted before, a journal without rows was left."""
        is_unused = not self._backup.exists() and journals in ([], [1])
        if is_unused and journals:
            with frames.Reader(self._journal(1), "journal") as journal:
                is_unused = not any(journal.rows(may_be_torn=True))
        if not is_unused:
            raise frames.refusal(self._snapshot, "is missing")
        self._start_journal(1)
        self.save({})

    def _replay(self, rows: Iterator[frames.JournalRow]) -> None:
        for collection, doc_id, document in rows:
            table = self._tables.setdefault(collection, {})
            if document is None:
                table.pop(doc_id, None)
            else:
                table[doc_id] = document

    def _continue(self, journal: frames.Reader) -> None:
        self._fd = frames.open_file(journal.path, os.O_RDWR)
        self._generation, self._size, self._crc = journal.generation, journal.size, journal.crc
        if journal.torn:
            _log.warning("%s: dropped %d bytes that were never acknowledged", journal.path, journal.torn)
            self._drop_partial_write()

    def _start_journal(self, generation: int, continues: int | None = None) -> None:
        with _new_file(self._new_journal) as fd:
            size, crc = frames.write_header(fd, "journal", generation, continues)
            os.fsync(fd)
            self._new_journal.replace(self._journal(generation))
            self._fd, self._generation, self._size, self._crc = os.dup(fd), generation, size, crc
        self._has_new_name = True

    def _write_snapshot(self, tables: Mapping[str, Mapping[str, Document]], generation: int) -> int:
        with _new_file(self._new_snapshot) as fd:
            size, crc = frames.write_header(fd, "snapshot", generation)
            for rows in chain(_portions(tables), ([],)):
                frame, crc = frames.frame(rows, crc)
                frames.write(fd, frame, size)
                size += len(frame)
            os.fsync(fd)
        return size

    def _drop_partial_write(self) -> None:
        """Cut off the bytes that a failed write has left."""
        os.ftruncate(self._fd, self._size)
        _sync(self._fd)
        self._has_partial_write = False

    def _sync_folder(self) -> None:
        _sync_directory(self._folder)
        self._has_new_name = False

    def _journal(self, number: int) -> Path:
        return self._folder / f"journal.{number}"

    def _journals(self) -> list[int]:
        numbers = (path.suffix[1:] for path in self._folder.glob("journal.*"))
        return sorted(int(number) for number in numbers if number.isdecimal())


@contextmanager
def _new_file(path: Path) -> Generator[int, None, None]:
    """Create a file under a temporary name, and delete it if the block raises."""
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
    """Yield the rows of one frame at a time, with pauses in which the event loop can run."""
    rows: list[bytes] = []
    size = 0
    for collection, documents in tables.items():
        for doc_id, document in documents.items():
            rows.append(frames.encode_row(collection, doc_id, document))
            size += len(rows[-1])
            if size > _FRAME_BYTES:
                yield rows
                rows, size = [], 0
                time.sleep(_PAUSE_SECONDS)
    if rows:
        yield rows


def _sync_directory(folder: Path) -> None:
    """Sync the names of a folder's files, so that a power cut does not lose them."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _prepare_folder(folder: Path) -> None:
    """Create the folder if it is missing, and let its owner alone read it. Raises `StorageError`."""
    try:
        if not folder.exists():
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            _sync_directory(folder.parent)
        mode = folder.stat().st_mode
        if not mode & stat.S_ISVTX:
            folder.chmod(_OWNER_ONLY)
            return
    except OSError as error:
        raise StorageError(f"{folder} cannot be the storage's folder ({error.strerror}).") from error
    raise StorageError(f"{folder} is shared by all users of the machine: set [storage] url to another folder.")


def _lock(folder: Path) -> int:
    """Lock the folder against other processes, and write our process id for them. Raises `StorageError`."""
    path = folder / "lock"
    try:
        fd = frames.open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened ({error.strerror}).") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(fd, _PROCESS_ID_WIDTH, 0).decode("ascii", "replace").strip()
        os.close(fd)
        if not isinstance(error, BlockingIOError):
            raise StorageError(f"{path} cannot be locked ({error.strerror}).") from error
        raise StorageError(f"{folder} is in use by process {holder}: stop it first.") from None
    with suppress(OSError):  # a full disk must not prevent reading
        os.pwrite(fd, b"%-*d\n" % (_PROCESS_ID_WIDTH, os.getpid()), 0)
    return fd
