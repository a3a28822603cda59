"""The head: a small file with both ends of the chain, so that removed records are noticed.

It holds one line in the format of a record: `sequence` and `previous` are the number and the hash of the last record,
`first` is the number of the oldest one. It is overwritten in place, in one write, and always has the same size.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Final

from visado_audit.chain import ChainPosition, HashChain, InvalidRecord

HEAD_BYTES: Final = 512  # a sector: after a power cut it holds the old head or the new one


@dataclass(frozen=True, slots=True)
class LogHead:
    """The position of the last record, and the number of the oldest one."""

    last: ChainPosition
    first: int


def write_head(fd: int, chain: HashChain, head: LogHead) -> None:
    """Replace the head. Raises `OSError`."""
    line, _ = chain.write(head.last.sequence, head.last.hash, {"first": head.first})
    os.pwrite(fd, line[:-1].ljust(HEAD_BYTES - 1) + b"\n", 0)


def read_head(fd: int, chain: HashChain) -> LogHead | None:
    """Read the head. Return None if the file is empty. Raises `OSError`, or `InvalidRecord` if it was changed."""
    line = os.pread(fd, 2 * HEAD_BYTES, 0)
    if not line:
        return None
    try:
        header = chain.read(line.rstrip())
    except InvalidRecord as error:
        raise InvalidRecord(f"the head {error}") from None
    return LogHead(ChainPosition(header.position.sequence, header.previous), int(json.loads(line)["first"]))
