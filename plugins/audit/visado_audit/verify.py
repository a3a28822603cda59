"""Verification: follow the chain through all files, and prove that no record was removed, changed, moved or added."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from visado_audit.chain import FIRST_PREVIOUS, ChainPosition, HashChain, InvalidRecord, RecordHeader
from visado_audit.files import LogFiles
from visado_audit.head import LogHead, read_head

READ_BUFFER_BYTES: Final = 1 << 20
HEAD_ATTEMPTS: Final = 5
"""How often the head is read: a host that runs may be writing it."""
HEAD_RETRY_SECONDS: Final = 0.01


class VerificationFailed(Exception):
    """The chain is broken at a line of a file; the text says how."""

    def __init__(self, file: str, line: int, fault: str) -> None:
        super().__init__(f"{file}, line {line}: {fault}")


@dataclass(slots=True)
class VerifiedLog:
    """The first and the last number of the verified records, the files, and the bytes of an incomplete last line."""

    first: int = 0
    last: int = 0
    files: int = 0
    incomplete_bytes: int = 0


def verify_log(path: Path, chain: HashChain) -> VerifiedLog:
    """Verify a log, also while the host writes it. Raises `VerificationFailed` at the first fault, and `OSError`."""
    files = LogFiles(path)
    try:
        head = _read_head(files, chain)  # before the records: later there may be more of them, never fewer
        with _open_all(files) as opened:
            return _Walk(chain, head).through(opened)
    finally:
        files.close()


def _read_head(files: LogFiles, chain: HashChain) -> LogHead:
    for attempt in range(HEAD_ATTEMPTS):
        try:
            fd = files.open(files.head, os.O_RDONLY)
        except FileNotFoundError:
            break
        try:
            head = read_head(fd, chain)
        except InvalidRecord as error:
            if attempt == HEAD_ATTEMPTS - 1:
                raise VerificationFailed(files.head, 1, str(error)) from None
            time.sleep(HEAD_RETRY_SECONDS)
            continue
        finally:
            os.close(fd)
        if head is not None:
            return head
        break
    raise VerificationFailed(files.head, 1, "the head is missing: records removed from the end would not be noticed")


@contextmanager
def _open_all(files: LogFiles) -> Generator[list[tuple[str, BinaryIO]], None, None]:
    """Open all files in order. If the host rotates them meanwhile, open them again."""
    while True:
        with ExitStack() as stack:
            names, opened = _names(files), list[tuple[str, BinaryIO]]()
            with suppress(FileNotFoundError):
                for name in names:
                    fd = files.open(name, os.O_RDONLY)
                    opened.append((name, stack.enter_context(os.fdopen(fd, "rb", READ_BUFFER_BYTES))))
            if names == _names(files) and all(files.is_named(name, file.fileno()) for name, file in opened):
                yield opened
                return


def _names(files: LogFiles) -> list[str]:
    return [*files.full().values(), *([files.current] if files.current in files.names() else [])]


class _Walk:
    """A walk along the chain, with the position that it has reached."""

    def __init__(self, chain: HashChain, head: LogHead) -> None:
        self._chain, self._head = chain, head
        self._position: ChainPosition | None = None
        self._verified = VerifiedLog()

    def through(self, opened: list[tuple[str, BinaryIO]]) -> VerifiedLog:
        """Verify all files, which must reach the end that the head names, or go beyond."""
        name, number, verified = "no file", 0, self._verified
        for name, file in opened:
            number = 0
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    self._step(name, number, line[:-1])
                elif file is opened[-1][1]:
                    verified.incomplete_bytes = len(line)
                else:
                    raise VerificationFailed(name, number, "the line is incomplete")
        verified.files = len(opened)
        expected = self._head.last.sequence
        if expected > verified.last:
            raise VerificationFailed(name, number, f"{_missing(verified.last + 1, expected)} missing after it")
        return verified

    def _step(self, name: str, number: int, line: bytes) -> None:
        try:
            header = self._chain.read(line)
        except InvalidRecord as error:
            raise VerificationFailed(name, number, f"the line {error}") from None
        fault = self._fault(header)
        if fault:
            raise VerificationFailed(name, number, fault)
        self._position = header.position
        self._verified.first = self._verified.first or header.position.sequence
        self._verified.last = header.position.sequence

    def _fault(self, header: RecordHeader) -> str:
        """Return the fault of a record whose hash matches, or an empty text."""
        sequence, last = header.position.sequence, self._head.last
        if self._position is None:
            if sequence > self._head.first:
                return f"{_missing(self._head.first, sequence - 1)} missing before it"
            if sequence == 1 and header.previous != FIRST_PREVIOUS:
                return "record 1 follows another record"
        elif sequence > self._position.sequence + 1:
            return f"{_missing(self._position.sequence + 1, sequence - 1)} missing before it"
        elif sequence <= self._position.sequence:
            return f"record {sequence} was repeated or moved"
        elif not header.follows(self._position):
            return f"record {sequence} does not follow the record before it: one of them was replaced"
        if sequence == last.sequence and header.position != last:
            return f"record {sequence} is not the one that the head names"
        return ""


def _missing(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
