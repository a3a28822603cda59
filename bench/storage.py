"""What the default storage costs, and whether a kill loses anything: `python bench/storage.py [--quick]`.

Prints a Markdown table; the exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

from visado.storage.protocol import Collection
from visado.storage.query import Equals, Prefix, Query, Sort
from visado.tinydb import TinyStorage
from visado.tinydb.journal import Journal

USERS = Collection("users", ("profileIds", "content.email"))
TOKENS = Collection("tokens", ("userId",))
SIZES = (100, 1_000, 10_000, 100_000)
GRANTED = 2.0
CACHE = Path(__file__).resolve().parent.parent / ".cache"

WRITER = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from visado.storage import Collection
    from visado.tinydb import TinyStorage, journal

    journal._MIN_SNAPSHOT_BYTES = 100_000  # a new snapshot every second or so
    folder, round_, writers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    async def write(storage, writer):
        mine = []
        for number in range(10**9):
            id_ = f"{round_}-{writer}-{number}"
            say("create", id_, 0)
            await storage.create("plain", id_, {"version": 0, "text": "x" * 200})
            say("created", id_, 0)
            mine.append(id_)
            if number % 2:
                say("update", mine[-1], 1)
                await storage.update("plain", mine[-1], lambda document: {**document, "version": 1})
                say("updated", mine[-1], 1)
            if number % 3 == 2:
                gone = mine.pop(0)
                say("delete", gone, -1)
                await storage.delete("plain", gone)
                say("deleted", gone, -1)

    async def main():
        storage = TinyStorage(folder)
        storage.declare(Collection("plain"))
        await storage.open()
        await asyncio.gather(*(write(storage, writer) for writer in range(writers)))

    asyncio.run(main())
""")

STARTER = textwrap.dedent("""
    import asyncio, json, sys, time
    from pathlib import Path
    import visado, visado.tinydb
    from visado.storage import Collection

    def memory(word):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(word))

    async def main():
        storage = visado.tinydb.TinyStorage(Path(sys.argv[1]))
        for name, indexes in json.loads(sys.argv[2]):
            storage.declare(Collection(name, tuple(indexes)))
        before, begun = memory("VmRSS"), time.perf_counter()
        await storage.open()
        took = time.perf_counter() - begun
        print(json.dumps({"took": took, "before": before, "after": memory("VmRSS"), "peak": memory("VmHWM")}))
        await storage.close()

    asyncio.run(main())
""")


class Table:
    """Measurements against their bars."""

    def __init__(self) -> None:
        self.missed = False
        print("| What | Measured | Bar | |\n|---|---|---|---|", flush=True)

    def row(self, what: str, measured: str, bar: str = "", *, good: bool = True) -> None:
        self.missed |= not good
        print(f"| {what} | {measured} | {bar} | {'' if not bar else 'ok' if good else '**missed**'} |", flush=True)


def user(number: int) -> dict[str, object]:
    return {
        "profileIds": ["default", f"team-{number % 1000}"],
        "content": {"email": f"user{number}@example.com", "name": f"User Number {number}", "lang": "en"},
        "_kuzzle_info": {"author": "-1", "createdAt": 1_700_000_000_000 + number, "updatedAt": None, "updater": None},
    }


def token(number: int) -> dict[str, object]:
    return {
        "userId": f"user-{number}",
        "hash": f"{number:064x}",
        "expiresAt": 1_800_000_000_000 + number,
        "ttl": 3_600_000,
        "ip": "192.0.2.1",
        "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    }


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[TinyStorage]:
    storage = TinyStorage(folder)
    storage.declare(USERS)
    storage.declare(TOKENS)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


async def fill(storage: TinyStorage, users: int, tokens: int = 0) -> None:
    for begin in range(0, max(users, tokens), 5_000):
        async with storage.transaction():
            for number in range(begin, min(begin + 5_000, users)):
                await storage.create("users", f"user-{number}", user(number))
            for number in range(begin, min(begin + 5_000, tokens)):
                await storage.create("tokens", f"token-{number}", token(number))


def kill(table: Table, folder: Path, rounds: int) -> None:
    """Kill a writer at a random moment, again and again, and compare what it said with what is there."""
    dice, said = random.Random(1), folder.with_name("said")
    told: dict[str, tuple[int, int]] = {}  # the version that is kept for sure, and the one that may be
    lost = unreadable = acknowledged = 0
    for number in range(rounds):
        command = [sys.executable, "-c", WRITER, str(folder), str(number), str(dice.choice([1, 4, 32]))]
        with said.open("wb") as output:
            writer = subprocess.Popen(command, stdout=output)
        while writer.poll() is None and said.stat().st_size == 0:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.4))
        writer.kill()
        if writer.wait() != -signal.SIGKILL:
            unreadable += 1
            break
        for line in said.read_text().splitlines(keepends=True):
            if line.endswith("\n") and line.count(" ") == 2:
                word, id_, version = line.split()
                sure = told.get(id_, (-1, -1))[0]
                done = word.endswith("ed")
                acknowledged += done
                told[id_] = (int(version) if done else sure, int(version))
        try:
            kept = Journal(folder)
        except Exception as error:
            print(error, file=sys.stderr)
            unreadable += 1
            break
        kept.close()
        there = {id_: document["version"] for id_, document in kept.read().get("plain", {}).items()}
        lost += sum(there.get(id_, -1) not in versions for id_, versions in told.items())
        lost += len(there.keys() - told.keys())
        told = {id_: (version, version) for id_, version in there.items()}
    good = lost == unreadable == 0
    table.row(
        f"kill -9, {number + 1} rounds, {acknowledged:,} acknowledged writes",
        f"{lost} lost, {unreadable} unreadable",
        "0, 0",
        good=good,
    )


async def median(times: int, work: list[Callable[[int], Awaitable[object]]]) -> list[float]:
    """The median of each in milliseconds; they take turns, so that the machine's moods hit all alike."""
    taken: list[list[float]] = [[] for _ in work]
    for turn in range(times):
        for measured, one in zip(taken, work, strict=True):
            begun = time.perf_counter()
            await one(turn)
            measured.append((time.perf_counter() - begun) * 1000)
    return [statistics.median(measured) for measured in taken]


async def cost(table: Table, folder: Path, sizes: tuple[int, ...], times: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(opened(folder / str(size))) for size in sizes]
        for storage, size in zip(storages, sizes, strict=True):
            await fill(storage, size)

        def create(storage: TinyStorage, size: int) -> Callable[[int], Awaitable[object]]:
            return lambda turn: storage.create("users", f"new-{turn}", user(size + turn))

        def update(storage: TinyStorage, size: int) -> Callable[[int], Awaitable[object]]:
            return lambda turn: storage.update("users", f"user-{turn % size}", lambda old: {**old, "turn": turn})

        def find(storage: TinyStorage, size: int) -> Callable[[int], Awaitable[object]]:
            where = [Equals("content.email", f"user{number}@example.com") for number in range(size)]
            return lambda turn: storage.search("users", Query(where[turn % size], (Sort("_id"),), limit=10))

        for what, make, bar in (("create", create, 5.0), ("update", update, 5.0), ("find by index", find, 10.0)):
            costs = await median(times, [make(*pair) for pair in zip(storages, sizes, strict=True)])
            for size, taken in zip(sizes, costs, strict=True):
                good = taken < bar and taken <= GRANTED * costs[0]
                limit = f"< {bar:g} ms, <= {GRANTED:g} x the first" if size != sizes[0] else f"< {bar:g} ms"
                table.row(f"{what}, {size:,} documents (median)", f"{taken:.3f} ms", limit, good=good)


async def many(table: Table, folder: Path, writers: int, times: int) -> None:
    async with opened(folder) as storage:

        async def write(writer: int) -> None:
            for turn in range(times):
                await storage.create("users", f"{writer}-{turn}", user(turn))

        begun = time.perf_counter()
        await asyncio.gather(*map(write, range(writers)))
        took = time.perf_counter() - begun
        table.row(f"{writers} writers at once", f"{writers * times / took:,.0f} writes/s")


async def longest_pause(work: Awaitable[object]) -> float:
    """How long the event loop was kept by others, at the longest, in milliseconds."""
    longest, task = 0.0, asyncio.ensure_future(work)
    while not task.done():
        begun = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - begun)
    await task
    return longest * 1000


async def pauses(table: Table, folder: Path, users: int) -> None:
    async with opened(folder) as storage:
        scan = Query(Prefix("content.name", "User"), (Sort("content.name", descending=True),), 0, 10)
        # Others on the machine cause pauses too: the best of three is the storage's own.
        pause = min([await longest_pause(storage.search("users", scan)) for _ in range(3)])
        table.row(
            f"longest pause, {users:,} documents scanned and sorted", f"{pause:.1f} ms", "< 50 ms", good=pause < 50
        )

        async def renew() -> None:
            snapshot = folder / "snapshot"
            before = snapshot.stat().st_ino
            with mock.patch.object(Journal, "needs_snapshot", new=True):
                while snapshot.stat().st_ino == before:
                    await storage.check()
                    await asyncio.sleep(0.01)

        begun = time.perf_counter()
        pause = min([await longest_pause(renew()) for _ in range(3)])
        what = f"longest pause while the snapshot is renewed, in {(time.perf_counter() - begun) / 3:.1f} s"
        table.row(what, f"{pause:.1f} ms", "< 50 ms", good=pause < 50)


def start(table: Table, folder: Path, users: int) -> None:
    collections = json.dumps([[USERS.name, USERS.indexes], [TOKENS.name, TOKENS.indexes]])

    def run(which: Path) -> dict[str, float]:
        command = [sys.executable, "-c", STARTER, str(which), collections]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    async def prepare() -> None:
        async with opened(folder / "users") as storage:
            await fill(storage, users)
        async with opened(folder / "both") as storage:
            await fill(storage, users, users)

    asyncio.run(prepare())
    first = run(folder / "users")
    table.row(f"start, {users:,} users in the journal", f"{first['took']:.2f} s", "< 2 s", good=first["took"] < 2)
    for name in ("users", "both"):
        kept = Journal(folder / name)
        kept.write(kept.read())
        kept.close()
    second, both = run(folder / "users"), run(folder / "both")
    table.row(f"start, {users:,} users in the snapshot", f"{second['took']:.2f} s", "< 2 s", good=second["took"] < 2)
    table.row(f"start, {users:,} users and {users:,} tokens", f"{both['took']:.2f} s")
    table.row("memory of the process before", f"{both['before']:.0f} MB")
    table.row(f"memory with {users:,} users", f"{second['after']:.0f} MB")
    table.row(
        f"memory with {users:,} users and {users:,} tokens",
        f"{both['after']:.0f} MB, {both['peak']:.0f} MB at the most",
        "<= 400 MB",
        good=both["peak"] <= 400,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--folder", type=Path, default=CACHE, help="where to write: the disk is what is measured")
    given = parser.parse_args()
    share = 10 if given.quick else 1
    sizes = tuple(size for size in SIZES if size <= SIZES[-1] // share)
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=given.folder))
    table = Table()
    try:
        asyncio.run(cost(table, folder, sizes, 500 // share))
        asyncio.run(many(table, folder / "many", 64, 500 // share))
        start(table, folder, sizes[-1])
        asyncio.run(pauses(table, folder / "both", sizes[-1]))
        kill(table, folder / "killed", 200 // share)
    finally:
        shutil.rmtree(folder)
    return int(table.missed)


if __name__ == "__main__":
    sys.exit(main())
