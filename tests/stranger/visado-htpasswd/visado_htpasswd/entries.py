"""The file: how it is read, and how a password is checked. Both are slow: call them in a thread."""

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
_COSTS = range(4, 16)  # a hash of cost 15 takes seconds, one of 31 a day
_USUAL_COST = 10
_LONGEST_FILE = 8 << 20
_LONGEST_PASSWORD = 72  # bcrypt looks at no more
_SETTLED = 1_000_000_000  # ns: a file that changed just now may change again within one tick of its clock


@dataclass(frozen=True, slots=True)
class Entries:
    """The usable lines of a file, and what is wrong with the others."""

    hashes: Mapping[str, bytes]
    problems: tuple[str, ...] = ()
    cost: int = _USUAL_COST

    def __repr__(self) -> str:
        """Hashes are not for logs."""
        return f"<{len(self.hashes)} names>"

    def verify(self, name: str, password: bytes) -> bool:
        """Whether it is the password of this name; a wrong one takes as long as an unknown name."""
        usable = len(password) <= _LONGEST_PASSWORD and b"\0" not in password
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
    """A file that is read again when it has changed. Its methods may be called in several threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[tuple[int, ...], Entries] | None = None

    def read(self) -> Entries:
        """The present content. Raises `OSError`."""
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            seen = self._seen
            if seen is not None and seen[0] == mark:
                return seen[1]
            content = file.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise OSError(f"more than {_LONGEST_FILE} bytes")
        entries = parse(content)
        if abs(time.time_ns() - status.st_mtime_ns) > _SETTLED:
            self._seen = mark, entries
        return entries


def parse(content: bytes) -> Entries:
    """Read lines of `name:hash`. The first of several lines of one name counts, as in Apache."""
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
        elif int(match[1]) not in _COSTS:
            problems.append(f"line {number} ({name}): the cost of its hash is not {_COSTS[0]} to {_COSTS[-1]}")
        elif name in hashes:
            problems.append(f"line {number} ({name}): the name is there already, and the first line counts")
        else:
            hashes[name] = kept
    return Entries(hashes, tuple(problems), max((_cost(each) for each in hashes.values()), default=_USUAL_COST))


def _cost(kept: bytes) -> int:
    return int(kept[4:6])


def _burn(password: bytes, cost: int) -> None:
    bcrypt.hashpw(password, b"$2b$%02d$" % cost + b"." * 22)
