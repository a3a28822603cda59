"""The files of a log in their folder: readable by their owner only, and never symbolic links."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OPEN_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BLOCK_BYTES: Final = 64 << 10
"""Bytes that are read at once when a file is read backwards."""
SEQUENCE_DIGITS: Final = 12
"""Digits of a sequence number in the name of a file, at least."""


class LogFiles:
    """A log's folder, held open, and the names of its files.

    `audit.jsonl` is the current file; `audit.000000000001.jsonl` is a full file, named after the number of its first
    record; `audit.head` holds the end of the chain. Every method raises `OSError`.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path.parent))
        self.fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | _OPEN_FLAGS)
        self.current, self.head = path.name, f"{path.stem}.head"
        self._path = path
        self._full_name = re.compile(rf"{re.escape(path.stem)}\.(\d{{12,18}}){re.escape(path.suffix)}")

    def close(self) -> None:
        """Close the folder."""
        os.close(self.fd)

    def open(self, name: str, flags: int) -> int:
        """Open a file and return its descriptor; a file opened with O_CREAT gets the mode 0600."""
        try:
            fd = os.open(name, flags | _OPEN_FLAGS, 0o600, dir_fd=self.fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path.with_name(name))) from None
        try:
            _check_file(fd, flags, str(self._path.with_name(name)))
        except OSError:
            os.close(fd)
            raise
        return fd

    def lock(self, fd: int) -> None:
        """Lock the log against other processes until the file is closed."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, "another process writes it", str(self._path)) from None

    def is_in_place(self) -> bool:
        """Return whether the open folder is still the folder at its path."""
        return _is_same_file(self._path.parent, self.fd)

    def is_named(self, name: str, fd: int) -> bool:
        """Return whether an open file still has this name."""
        return _is_same_file(name, fd, self.fd)

    def names(self) -> list[str]:
        """Return every name in the folder."""
        return os.listdir(self.fd)  # noqa: PTH208 - an open folder has no path

    def full(self) -> dict[int, str]:
        """Return the names of the full files by the numbers of their first records, in order."""
        numbered = {int(each[1]): each[0] for name in self.names() if (each := self._full_name.fullmatch(name))}
        return dict(sorted(numbered.items()))

    def retire(self, first: int) -> None:
        """Rename the current file, whose first record has this number, to the name of a full one."""
        name = f"{self._path.stem}.{first:0{SEQUENCE_DIGITS}d}{self._path.suffix}"
        if name in self.names():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._path.with_name(name)))
        os.rename(self.current, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Delete a file."""
        os.unlink(name, dir_fd=self.fd)

    def save_torn(self, data: bytes, number: int) -> str:
        """Write an incomplete line, found where record `number` belongs, to a new file; return the file's name."""
        name = f"{self._path.stem}.torn-{number:0{SEQUENCE_DIGITS}d}"
        while name in self.names():
            name += "+"
        fd = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        return name


def _is_same_file(path: str | Path, fd: int, folder: int | None = None) -> bool:
    try:
        status = os.stat(path, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(status, os.fstat(fd))


def _check_file(fd: int, flags: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    if flags & os.O_CREAT:
        os.fchmod(fd, 0o600)


def complete_bytes(fd: int) -> int:
    """Return how many bytes of a file are complete lines."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def read_backwards(fd: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines before byte `end`, the last one first: the offset and the line without its newline."""
    rest, end = b"", end - 1
    if end < 0:
        return
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        first, *lines = (os.pread(fd, end - start, start) + rest).split(b"\n")
        offset = start + len(first) + 1 + sum(len(line) + 1 for line in lines)
        for line in reversed(lines):
            offset -= len(line) + 1
            yield offset, line
        rest, end = first, start
    yield 0, rest
