"""Proving that no record was removed, changed, moved or added: the chain from the first line of the oldest file on."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from visado_audit.chain import START, Broken, Chain, Link, Record
from visado_audit.files import Files
from visado_audit.head import Head, read_head

_READ_AT_ONCE: Final = 1 << 20
_ATTEMPTS: Final = 5


class Break(Exception):
    """The chain is broken here; the text says how."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}, line {line}: {what}")


@dataclass(slots=True)
class Proof:
    """What was found whole: records by their numbers, in so many files. `unfinished` counts bytes of a last line."""

    first: int = 0
    last: int = 0
    files: int = 0
    unfinished: int = 0


def verify(path: Path, chain: Chain) -> Proof:
    """Follow the chain of a log. Raises `Break` at the first fault, and OSError. The host may write meanwhile."""
    files = Files(path)
    try:
        head = _head(files, chain)  # before the records: they may be more by then, never fewer
        with _opened(files) as opened:
            return _Walk(chain, head).through(opened)
    finally:
        files.close()


def _head(files: Files, chain: Chain) -> Head:
    for attempt in range(_ATTEMPTS):
        try:
            fd = files.open(files.head, os.O_RDONLY)
        except FileNotFoundError:
            break
        try:
            head = read_head(fd, chain)
        except Broken as error:
            if attempt == _ATTEMPTS - 1:
                raise Break(files.head, 1, str(error).removeprefix("the head ")) from None
            time.sleep(0.01)  # it is being written
            continue
        finally:
            os.close(fd)
        if head is not None:
            return head
        break
    raise Break(files.head, 1, "the head is missing: what was cut from the end would not be seen")


@contextmanager
def _opened(files: Files) -> Generator[list[tuple[str, BinaryIO]], None, None]:
    """Open all files in order, also while the host begins a new one."""
    while True:
        with ExitStack() as stack:
            names, opened = _names(files), list[tuple[str, BinaryIO]]()
            with suppress(FileNotFoundError):
                for name in names:
                    fd = files.open(name, os.O_RDONLY)
                    opened.append((name, stack.enter_context(os.fdopen(fd, "rb", _READ_AT_ONCE))))
            if names == _names(files) and all(files.is_at(name, file.fileno()) for name, file in opened):
                yield opened
                return


def _names(files: Files) -> list[str]:
    return [*files.full().values(), *([files.present] if files.present in files.names() else [])]


class _Walk:
    """A walk along the chain, and how far it came."""

    def __init__(self, chain: Chain, head: Head) -> None:
        self._chain, self._head = chain, head
        self._link: Link | None = None
        self._proof = Proof()

    def through(self, opened: list[tuple[str, BinaryIO]]) -> Proof:
        """Walk through all files, to the end that the head names, or beyond."""
        name, number, proof = "no file", 0, self._proof
        for name, file in opened:
            number = 0
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    self._step(name, number, line[:-1])
                elif file is opened[-1][1]:
                    proof.unfinished = len(line)
                else:
                    raise Break(name, number, "the line is cut off")
        proof.files = len(opened)
        expected = self._head.last.sequence
        if expected > proof.last:
            raise Break(name, number, f"{_records(proof.last + 1, expected)} cut off after it")
        return proof

    def _step(self, name: str, number: int, line: bytes) -> None:
        try:
            record = self._chain.read(line)
        except Broken as error:
            raise Break(name, number, f"the line {error}") from None
        fault = self._fault(record)
        if fault:
            raise Break(name, number, fault)
        self._link = record.link
        self._proof.first = self._proof.first or record.link.sequence
        self._proof.last = record.link.sequence

    def _fault(self, record: Record) -> str:
        sequence, last = record.link.sequence, self._head.last
        if self._link is None:
            if sequence > self._head.first:
                return f"{_records(self._head.first, sequence - 1)} missing before it"
            if sequence == 1 and record.previous != START:
                return "the first record is not the first"
        elif sequence > self._link.sequence + 1:
            return f"{_records(self._link.sequence + 1, sequence - 1)} missing before it"
        elif sequence <= self._link.sequence:
            return f"the record {sequence} is there a second time, or was moved"
        elif not record.follows(self._link):
            return f"the record {sequence} does not follow the one before it: one of them is not what was written"
        if sequence == last.sequence and record.link != last:
            return f"the record {sequence} is not the one that was written"
        return ""


def _records(first: int, last: int) -> str:
    return f"the record {first} was" if first == last else f"the records {first} to {last} were"
