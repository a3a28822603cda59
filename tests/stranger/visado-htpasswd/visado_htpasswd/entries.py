"""Reading the file and checking passwords. Both block: call them in a thread."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from visado_htpasswd.basic import read_name

_BCRYPT = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
ALLOWED_COSTS = range(4, 16)  # a hash of cost 15 takes seconds, one of 31 a day
DEFAULT_COST = 10
MAX_FILE_BYTES = 8 << 20
MAX_PASSWORD_BYTES = 72  # bcrypt ignores further bytes
MIN_CACHED_AGE_NS = 1_000_000_000  # a younger file may change again without a change of its time


@dataclass(frozen=True, slots=True)
class Entries:
    """The usable lines of a file, and the problems of the others."""

    hashes: Mapping[str, bytes]
    problems: tuple[str, ...] = ()
    cost: int = DEFAULT_COST

    def __repr__(self) -> str:
        """Show no hash."""
        return f"<{len(self.hashes)} names>"

    def verify(self, name: str, password: bytes) -> bool:
        """Return whether a name has this password. A wrong password takes as long as an unknown name."""
        usable = len(password) <= MAX_PASSWORD_BYTES and b"\0" not in password
        known, tried = self.hashes.get(name), password if usable else b""
        if known is None:
            _burn(tried, self.cost)
            return False
        if bcrypt.checkpw(tried, known) and usable:
            return True
        for cost in range(_cost(known), self.cost):  # 2^c + (2^c + ... + 2^(m-1)) is 2^m
            _burn(tried, cost)
        return False


class HtpasswdFile:
    """A file that is read again when it has changed. Its methods are thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[tuple[int, ...], Entries] | None = None

    def read(self) -> Entries:
        """Return the current content. Raises `OSError`."""
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            seen = self._seen
            if seen is not None and seen[0] == mark:
                return seen[1]
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise OSError(f"more than {MAX_FILE_BYTES} bytes")
        entries = parse(content)
        if abs(time.time_ns() - status.st_mtime_ns) > MIN_CACHED_AGE_NS:
            self._seen = mark, entries
        return entries


def parse(content: bytes) -> Entries:
    """Parse lines of `name:hash`. Of several lines with the same name the first counts, as in Apache."""
    hashes: dict[str, bytes] = {}
    problems: list[str] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        start, _, kept = line.strip().partition(b":")
        if not start or start.startswith(b"#"):
            continue
        name, kept = read_name(start.decode(errors="replace")), kept.partition(b":")[0]
        match = _BCRYPT.fullmatch(kept)
        if name is None or "\ufffd" in name:
            problems.append(f"line {number}: its name is not printable text in UTF-8")
        elif match is None:
            problems.append(f"line {number} ({name}): not bcrypt, set the password again with `htpasswd -B`")
        elif int(match[1]) not in ALLOWED_COSTS:
            problems.append(
                f"line {number} ({name}): the cost of its hash is not {ALLOWED_COSTS[0]} to {ALLOWED_COSTS[-1]}"
            )
        elif name in hashes:
            problems.append(f"line {number} ({name}): the name is in the file already: the first line counts")
        else:
            hashes[name] = kept
    return Entries(hashes, tuple(problems), max((_cost(each) for each in hashes.values()), default=DEFAULT_COST))


def _cost(kept: bytes) -> int:
    return int(kept[4:6])


def _burn(password: bytes, cost: int) -> None:
    bcrypt.hashpw(password, b"$2b$%02d$" % cost + b"." * 22)
