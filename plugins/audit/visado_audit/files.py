"""The files of a log in their folder: only their owner may read them, and links are never followed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BLOCK: Final = 64 << 10
_DIGITS: Final = 12


class Files:
    """A log's folder, held open, and the names in it.

    The present file is `audit.jsonl`; one that is full is `audit.000000000001.jsonl`, after the number of its first
    record; `audit.head` says where the chain ends. Every method raises OSError.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path.parent))
        self.fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        self.present, self.head = path.name, f"{path.stem}.head"
        self._path, self._full = path, re.compile(rf"{re.escape(path.stem)}\.(\d{{12,18}}){re.escape(path.suffix)}")

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.fd)

    def open(self, name: str, flags: int) -> int:
        """Open a file; one that is made is for its owner alone."""
        try:
            fd = os.open(name, flags | _FLAGS, 0o600, dir_fd=self.fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path.with_name(name))) from None
        try:
            _own(fd, flags, str(self._path.with_name(name)))
        except OSError:
            os.close(fd)
            raise
        return fd

    def lock(self, fd: int) -> None:
        """Keep other processes from writing the log for as long as the file is open."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, "another process writes it", str(self._path)) from None

    def is_there(self) -> bool:
        """Whether the folder is still where it was."""
        return _is_same(self._path.parent, self.fd)

    def is_at(self, name: str, fd: int) -> bool:
        """Whether this open file is what the name stands for."""
        return _is_same(name, fd, self.fd)

    def names(self) -> list[str]:
        """Every name in the folder."""
        return os.listdir(self.fd)  # noqa: PTH208 - a folder that is open has no path

    def full(self) -> dict[int, str]:
        """The names of the files that are full, by the number of their first record, in order."""
        found = {int(each[1]): each[0] for name in self.names() if (each := self._full.fullmatch(name))}
        return dict(sorted(found.items()))

    def retire(self, first: int) -> None:
        """Give the present file, whose first record has this number, the name of a full one."""
        name = f"{self._path.stem}.{first:0{_DIGITS}d}{self._path.suffix}"
        if name in self.names():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._path.with_name(name)))
        os.rename(self.present, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(name, dir_fd=self.fd)

    def put_aside(self, data: bytes, number: int) -> str:
        """Keep bytes that are no record in a file of their own; return its name."""
        name = f"{self._path.stem}.torn-{number:0{_DIGITS}d}"
        while name in self.names():
            name += "+"
        fd = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        return name


def _is_same(path: str | Path, fd: int, folder: int | None = None) -> bool:
    try:
        found = os.stat(path, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(fd))


def _own(fd: int, flags: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "it is not a file", path)
    if flags & os.O_CREAT:
        os.fchmod(fd, 0o600)


def whole(fd: int) -> int:
    """Say how many bytes of a file are whole lines."""
    end = os.fstat(fd).st_size
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def backwards(fd: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The whole lines before byte `end`, the last one first: where each begins, and the line without newline."""
    rest, end = b"", end - 1
    if end < 0:
        return
    while end > 0:
        begin = max(0, end - _BLOCK)
        first, *lines = (os.pread(fd, end - begin, begin) + rest).split(b"\n")
        place = begin + len(first) + 1 + sum(len(line) + 1 for line in lines)
        for line in reversed(lines):
            place -= len(line) + 1
            yield place, line
        rest, end = first, begin
    yield 0, rest
