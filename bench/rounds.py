"""Rounds: each thing is measured once, then each once more, so that the machine's moods hit all alike."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import data
from peers import CACHE
from report import Report
from servers import LOAD

T = TypeVar("T")
SMALL, LARGE = 100, 100_000


@dataclass
class Bench:
    """What every part is given: how long, the report, and the data, which is made once."""

    rounds: int
    seconds: float
    folder: Path
    report: Report = field(default_factory=Report)
    _made: dict[int, data.Data] = field(default_factory=dict)
    _copies: int = 0

    def data(self, users: int = SMALL) -> data.Data:
        """Data of so many users, each with a token."""
        if users not in self._made:
            print(f"making {users:,} users and tokens ...", flush=True)
            self._made[users] = data.make(self.folder / f"data-{users}", users)
        return self._made[users]

    def copy(self, users: int = SMALL) -> Path:
        """Copy that data for one host."""
        self._copies += 1
        return self.data(users).copy(self.folder / f"copy-{self._copies}")

    def lines(self, name: str, lines: list[str]) -> Path:
        """Write a file for the load."""
        file = self.folder / name
        file.write_text("".join(f"{line}\n" for line in lines))
        return file

    def measure(self, works: Mapping[str, Callable[[float], T]]) -> dict[str, list[T]]:
        """Let each work for a second to get warm, then all in turn, round after round."""
        for work in works.values():
            work(1)
        found: dict[str, list[T]] = {name: [] for name in works}
        for _ in range(self.rounds):
            for name, work in works.items():
                found[name].append(work(self.seconds))
        return found


def demand() -> None:
    """Stop, and say by name what is missing."""
    missing = [name for name in ("wrk", "taskset") if shutil.which(name) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}. On Debian: apt-get install wrk util-linux")
    if not {0, 1} <= os.sched_getaffinity(0):
        sys.exit("missing: cores 0 and 1, one for the server and one for the load")
    os.sched_setaffinity(0, {int(LOAD)})


@contextmanager
def prepared(rounds: int, seconds: float) -> Generator[Bench]:
    """A bench with a folder of its own for a while; on the disk, which is part of what is measured."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as name:
        yield Bench(rounds, seconds, Path(name))
