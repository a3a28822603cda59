"""The format of a file: a header line, then frames, each a line `=length crc check` and rows of JSON.

A row is `["collection","id",document]`, with null for a deletion. The checksum of a frame continues that of the frame
before, so a reader detects frames that are missing, moved or altered. A frame is synced before the next one is written:
only the last can be torn, by a kill or a power cut. Its writes were never acknowledged, so a reader may drop it.
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
from typing import Any, Final, Literal, Self, TypeAlias, cast

from visado.storage.protocol import Document, StorageError

SCHEMA: Final = 1
FileKind: TypeAlias = Literal["journal", "snapshot"]
JournalRow: TypeAlias = tuple[str, str, Document | None]
"""A collection, an id, and the document; None for a deletion."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_HEAD_BYTES: Final = len("=00000000 00000000 00000000\n")
_HEAD_PATTERN: Final = re.compile(rb"=[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}\n")
_LATER_HEAD: Final = re.compile(rb"\n" + _HEAD_PATTERN.pattern)
_SECTOR_BYTES: Final = 512
_MAX_HEADER_BYTES: Final = 256
_DECODED_BYTES: Final = 256 << 10
"""How many bytes of rows are decoded at once."""


def encode_row(collection: str, id: str, document: Document | None) -> bytes:
    """Return a row as JSON. Raises TypeError, ValueError or RecursionError if JSON cannot hold the document."""
    return _encode([collection, id, document]).encode()


def open_file(path: Path, flags: int) -> int:
    """Open a file for its owner alone, and never through a link. Raises OSError, `StorageError`."""
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
    """Write all bytes at a position. Raises OSError."""
    left = memoryview(data)
    while left:
        written = os.pwrite(fd, left, position)
        left, position = left[written:], position + written


def write_header(fd: int, kind: FileKind, generation: int, continues: int | None = None) -> tuple[int, int]:
    """Write the header of a file; return its size and checksum. `continues` is the last journal's checksum."""
    header = {"visado": kind, "schema": SCHEMA, "generation": generation, "continues": continues}
    line = _encode(header).encode() + b"\n"
    write(fd, line, 0)
    return len(line), zlib.crc32(line)


def frame(rows: Sequence[bytes], crc: int) -> tuple[bytes, int]:
    """Return a frame of rows, and its checksum. `crc` is the checksum of the frame before."""
    payload = b",\n".join(rows) + b"\n" if rows else b""
    crc = zlib.crc32(payload, crc)
    head = b"=%08x %08x" % (len(payload), crc)
    return b"%s %08x\n%s" % (head, zlib.crc32(head), payload), crc


class Reader:
    """Reads a file of frames, and records how many bytes are intact. Raises `StorageError` for any other file."""

    def __init__(self, path: Path, kind: FileKind) -> None:
        self.path = path
        self.torn = 0
        self.is_closed = False  # by an empty frame, the last one of a snapshot
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
        """Return the error to raise when the file cannot be used. The file stays unchanged."""
        return refusal(self.path, problem)

    def rows(self, *, may_be_torn: bool = False) -> Iterator[JournalRow]:
        """Yield every row. Raises `StorageError` for a damaged frame, but not for a torn last one if `may_be_torn`."""
        payloads: list[bytes] = []
        size = 0
        for payload in self._payloads(may_be_torn=may_be_torn):
            payloads.append(payload)
            size += len(payload)
            if size > _DECODED_BYTES:
                yield from self._decode(payloads)
                payloads, size = [], 0
        yield from self._decode(payloads)

    def _read_header(self, kind: FileKind) -> None:
        line = self._file.readline(_MAX_HEADER_BYTES)
        if not line:
            raise self.refusal("is empty")
        try:
            header = cast("dict[str, Any]", json.loads(line))
            found, schema = header["visado"], int(header["schema"])
            self.generation, self.continues = int(header["generation"]), header.get("continues")
        except (ValueError, TypeError, LookupError, RecursionError):
            raise self.refusal(f"is not a visado {kind}, or its header is damaged") from None
        if schema > SCHEMA:
            raise self.refusal(f"has schema {schema}, this visado knows schema {SCHEMA}: use a newer visado")
        if found != kind or not line.endswith(b"\n"):
            raise self.refusal(f"is not a visado {kind}")
        self.size, self.crc = len(line), zlib.crc32(line)

    def _payloads(self, *, may_be_torn: bool) -> Iterator[bytes]:
        while head := self._file.read(_HEAD_BYTES):
            length, crc = _read_head(head)
            payload = b"" if length is None else self._file.read(length)
            if length is None or len(payload) < length or zlib.crc32(payload, self.crc) != crc:
                rest = head + payload + self._file.read()
                if not may_be_torn or not _is_torn(rest, length, self.size):
                    raise self.refusal(f"is damaged at byte {self.size}")
                self.torn = len(rest)
                return
            self.size, self.crc, self.is_closed = self.size + _HEAD_BYTES + length, crc, not payload
            if payload:
                yield payload

    def _decode(self, payloads: Iterable[bytes]) -> Iterator[JournalRow]:
        """Decode many rows at once: that is faster, and equal keys share their text."""
        try:
            yield from cast("list[JournalRow]", json.loads(b"[%s]" % b",".join(payloads)))
        except (ValueError, RecursionError) as error:
            raise self.refusal(f"has rows that are not JSON ({error})") from error


def refusal(path: Path, problem: str) -> StorageError:
    """Return the error for a file that cannot be used, with advice for the operator."""
    backup = path.with_name("snapshot.backup")
    if not backup.exists():
        advice = "It has no backup: restore the folder from a backup of your own."
    elif path.name == "snapshot":
        advice = f"Move it away and put a copy of its backup {backup} in its place: the journals have the rest."
    else:
        advice = f"Restore the folder from a backup of your own. The snapshot before it is {backup}."
    return StorageError(f"{path} {problem}. It was not changed. {advice}")


def _read_head(head: bytes) -> tuple[int | None, int]:
    if not _HEAD_PATTERN.fullmatch(head) or int(head[19:27], 16) != zlib.crc32(head[:18]):
        return None, 0
    return int(head[1:9], 16), int(head[10:18], 16)


def _is_torn(rest: bytes, length: int | None, position: int) -> bool:
    """Return whether the end of a journal is an unfinished write, and not damaged data."""
    if _LATER_HEAD.search(rest, 1):
        return False
    if length is not None and len(rest) < _HEAD_BYTES + length:
        return True
    if len(rest) < _HEAD_BYTES and _HEAD_PATTERN.fullmatch(rest + b"=00000000 00000000 00000000\n"[len(rest) :]):
        return True
    # A power cut loses whole sectors that were not synced. They read as zeros, and JSON never contains a zero.
    cuts = [0, *range(-position % _SECTOR_BYTES, len(rest), _SECTOR_BYTES), len(rest)]
    return any(start < end and not rest[start:end].strip(b"\0") for start, end in pairwise(cuts))
