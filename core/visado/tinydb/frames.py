"""The format of a file: a header line, then frames, each a line `=length crc check` and rows of JSON.

A row is `["collection","id",document]`, null for a deletion. Checksums run on from frame to frame, so that
what is missing, moved or altered is found. A frame is synced before the next is written: only the last can be
torn, by a kill or a power cut. Nobody was told that it was kept, and a reader may drop it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast

from visado.storage.protocol import Document, StorageError

SCHEMA = 1
Kind: TypeAlias = Literal["journal", "snapshot"]
Row: TypeAlias = tuple[str, str, Document | None]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_HEAD = len("=00000000 00000000 00000000\n")
_HEAD_FORM = re.compile(rb"=[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}\n")
_LATER_HEAD = re.compile(rb"\n" + _HEAD_FORM.pattern)
_SECTOR = 512
_HEADER_LIMIT = 256
_READ_AT_ONCE = 256 << 10


def encode_row(collection: str, id: str, document: Document | None) -> bytes:
    """Write a row down. Raises TypeError, ValueError or RecursionError where JSON cannot hold it."""
    return _encode([collection, id, document]).encode()


def open_file(path: Path, flags: int) -> int:
    """Open a file that only its owner may read, and never what a link points to."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            os.fchmod(fd, 0o600)
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    raise StorageError(f"{path} is not a file: move it away.")


def write(fd: int, data: bytes, position: int) -> None:
    """Write all of it. Raises OSError."""
    left = memoryview(data)
    while left:
        written = os.pwrite(fd, left, position)
        left, position = left[written:], position + written


def write_header(fd: int, kind: Kind, generation: int, continues: int | None = None) -> tuple[int, int]:
    """Begin a file; return its size and checksum. `continues` is the checksum of the journal before."""
    header = {"visado": kind, "schema": SCHEMA, "generation": generation, "continues": continues}
    line = _encode(header).encode() + b"\n"
    write(fd, line, 0)
    return len(line), zlib.crc32(line)


def frame(rows: Sequence[bytes], crc: int) -> tuple[bytes, int]:
    """Put rows into a frame after one of this checksum; return it and its own."""
    payload = b",\n".join(rows) + b"\n" if rows else b""
    crc = zlib.crc32(payload, crc)
    head = b"=%08x %08x" % (len(payload), crc)
    return b"%s %08x\n%s" % (head, zlib.crc32(head), payload), crc


class Reader:
    """A file of frames, and how far it was found whole. Raises `StorageError` for what is no such file."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path = path
        self.torn = 0
        self.is_closed = False  # by an empty frame, as a snapshot is
        try:
            self._file = os.fdopen(open_file(path, os.O_RDONLY), "rb")
        except FileNotFoundError:
            raise refusal(path, "is missing") from None
        except OSError as error:
            raise refusal(path, f"cannot be read ({error.strerror})") from error
        try:
            self._read_header(kind)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def refusal(self, problem: str) -> StorageError:
        """The error to raise where the file is not used, and not touched."""
        return refusal(self.path, problem)

    def rows(self, *, may_be_torn: bool = False) -> Iterator[Row]:
        """Every row. Raises `StorageError` for damage, unless it is a torn last frame that may be."""
        waiting: list[bytes] = []
        size = 0
        for payload in self._payloads(may_be_torn=may_be_torn):
            waiting.append(payload)
            size += len(payload)
            if size > _READ_AT_ONCE:
                yield from self._decode(waiting)
                waiting, size = [], 0
        yield from self._decode(waiting)

    def _read_header(self, kind: Kind) -> None:
        line = self._file.readline(_HEADER_LIMIT)
        if not line:
            raise self.refusal("is empty")
        try:
            header = cast("dict[str, Any]", json.loads(line))
            found, schema = header["visado"], int(header["schema"])
            self.generation, self.continues = int(header["generation"]), header.get("continues")
        except (ValueError, TypeError, LookupError, RecursionError):
            raise self.refusal(f"is no visado {kind}, or its beginning is lost") from None
        if schema > SCHEMA:
            raise self.refusal(f"has schema {schema}, this visado knows schema {SCHEMA}: use a newer visado")
        if found != kind or not line.endswith(b"\n"):
            raise self.refusal(f"is no visado {kind}")
        self.size, self.crc = len(line), zlib.crc32(line)

    def _payloads(self, *, may_be_torn: bool) -> Iterator[bytes]:
        while head := self._file.read(_HEAD):
            length, crc = _read_head(head)
            payload = b"" if length is None else self._file.read(length)
            if length is None or len(payload) < length or zlib.crc32(payload, self.crc) != crc:
                rest = head + payload + self._file.read()
                if not may_be_torn or not _is_torn(rest, length, self.size):
                    raise self.refusal(f"is damaged at byte {self.size}")
                self.torn = len(rest)
                return
            self.size, self.crc, self.is_closed = self.size + _HEAD + length, crc, not payload
            if payload:
                yield payload

    def _decode(self, payloads: Iterable[bytes]) -> Iterator[Row]:
        """Read many rows in one go: it is quick, and they share the text of their keys."""
        try:
            yield from cast("list[Row]", json.loads(b"[%s]" % b",".join(payloads)))
        except (ValueError, RecursionError) as error:
            raise self.refusal(f"holds rows that are no JSON ({error})") from error


def refusal(path: Path, problem: str) -> StorageError:
    """The error of a file that cannot be used, with what the operator can do."""
    backup = path.with_name("snapshot.backup")
    if not backup.exists():
        advice = "There is no backup beside it: restore the folder from a backup of yours."
    elif path.name == "snapshot":
        advice = f"Move it away and copy the newest backup, {backup}, in its place: the journals hold the rest."
    else:
        advice = f"Restore the folder from a backup of yours. The newest snapshot before is {backup}."
    return StorageError(f"{path} {problem}. It was not changed. {advice}")


def _read_head(head: bytes) -> tuple[int | None, int]:
    if not _HEAD_FORM.fullmatch(head) or int(head[19:27], 16) != zlib.crc32(head[:18]):
        return None, 0
    return int(head[1:9], 16), int(head[10:18], 16)


def _is_torn(rest: bytes, length: int | None, position: int) -> bool:
    """Whether the end of a journal is an unfinished write, and not a damaged one."""
    if _LATER_HEAD.search(rest, 1):
        return False
    if length is not None and len(rest) < _HEAD + length:
        return True
    if len(rest) < _HEAD and _HEAD_FORM.fullmatch(rest + b"=00000000 00000000 00000000\n"[len(rest) :]):
        return True
    # A power cut loses whole sectors of what was not synced. They read as zeros, which JSON never holds.
    cuts = [0, *range(-position % _SECTOR, len(rest), _SECTOR), len(rest)]
    return any(begin < end and not rest[begin:end].strip(b"\0") for begin, end in pairwise(cuts))
