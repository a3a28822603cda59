"""The head: a small file that says where the chain begins and ends, so that a log cut short is noticed.

It is one line like those of the log: `sequence` and `previous` are the number and the hash of the last record, `first`
the number of the oldest one that is kept. It is written in place, in one piece, and has always the same size.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Final

from visado_audit.chain import Broken, Chain, Link

_SIZE: Final = 512  # a sector: a power cut leaves the old one or the new one


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, and the number of the oldest record."""

    last: Link
    first: int


def write_head(fd: int, chain: Chain, head: Head) -> None:
    """Write the head in the place of the one before. Raises OSError."""
    line, _ = chain.line(head.last.sequence, head.last.hash, {"first": head.first})
    os.pwrite(fd, line[:-1].ljust(_SIZE - 1) + b"\n", 0)


def read_head(fd: int, chain: Chain) -> Head | None:
    """Read the head; None where it was never written. Raises OSError, and `Broken` where it was changed."""
    line = os.pread(fd, 2 * _SIZE, 0)
    if not line:
        return None
    try:
        record = chain.read(line.rstrip())
    except Broken as error:
        raise Broken(f"the head {error}") from None
    return Head(Link(record.link.sequence, record.previous), int(json.loads(line)["first"]))
