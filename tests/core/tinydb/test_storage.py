"""The default storage: the contract, and what may happen to its files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from tinydb import where
from tinydb.table import Document as TinyDocument

from visado import errors
from visado.settings import loading
from visado.settings.sections import ServerSection, StorageSection
from visado.storage.protocol import Collection, Storage, StorageError
from visado.storage.query import Equals, Query, evaluate
from visado.tinydb import TinyStorage, frames, journal, open_storage, tables
from visado.tinydb.journal import Journal
from visado.tinydb.tables import Database
from visado_kit.storage import StorageContract

PLAIN = Collection("plain", ("n",))


class TestTinyStorage(StorageContract):
    def make(self, folder: Path) -> Storage:
        return TinyStorage(folder)


def using(folder: Path, body: Callable[[TinyStorage], Awaitable[object]]) -> None:
    async def main() -> None:
        storage = TinyStorage(folder)
        storage.declare(PLAIN)
        await storage.open()
        try:
            await body(storage)
        finally:
            await storage.close()

    asyncio.run(main())


def row(id_: str, number: int = 0, *, size: int = 0) -> bytes:
    return frames.encode_row("plain", id_, {"n": number, "text": "x" * size})


def fill(folder: Path, count: int = 3) -> None:
    """A folder with `count` documents, each in a frame of its own."""
    kept = Journal(folder)
    for number in range(count):
        kept.append([row(str(number), number)])
    kept.close()


def compact(kept: Journal, contents: dict[str, dict[str, object]]) -> None:
    kept.rotate()
    kept.save(contents)


def ids(folder: Path) -> list[str]:
    kept = Journal(folder)
    kept.close()
    return list(kept.read().get("plain", {}))


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "lock" and path.is_file()
    }


def refused(folder: Path) -> str:
    before = digest(folder)
    with pytest.raises(StorageError) as caught:
        Journal(folder)
    assert digest(folder) == before
    return str(caught.value)


# Files that are not as they were left


def test_a_torn_last_frame_is_dropped_wherever_it_ends(tmp_path: Path) -> None:
    fill(tmp_path / "whole", 3)
    whole = (tmp_path / "whole" / "journal.1").read_bytes()
    last = whole.rindex(b"\n=") + 1
    for end in range(last, len(whole)):
        folder = shutil.copytree(tmp_path / "whole", tmp_path / f"cut-{end}")
        (folder / "journal.1").write_bytes(whole[:end])
        assert ids(folder) == ["0", "1"]
        assert (folder / "journal.1").read_bytes() == whole[:last]
        kept = Journal(folder)
        kept.append([row("new")])
        kept.close()
        assert ids(folder) == ["0", "1", "new"]


def test_a_batch_that_a_power_cut_left_holes_in_is_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    fill(folder, 1)
    path = folder / "journal.1"
    synced = path.stat().st_size
    kept = Journal(folder)
    kept.append([row(f"lost-{number}", size=700) for number in range(5)])
    kept.close()
    whole = path.read_bytes()
    dice = random.Random(7)
    for _ in range(200):
        image = bytearray(whole)
        sectors = range(synced // 512, len(whole) // 512 + 1)
        for sector in dice.sample(sectors, dice.randint(1, len(sectors))):
            begin, end = max(synced, sector * 512), min(len(whole), (sector + 1) * 512)
            image[begin:end] = bytes(end - begin)
        path.write_bytes(image[: dice.choice([len(whole), dice.randint(synced, len(whole))])])
        assert ids(folder) == ["0"]
        assert path.stat().st_size == synced


@pytest.mark.parametrize("name", ["journal.1", "journal.2", "snapshot"])
def test_a_changed_byte_is_refused_wherever_it_is(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    kept = Journal(folder)
    kept.append([row("0"), row("1")])
    kept.append([row("2")])
    if name == "journal.1":  # with a next one that names its checksum
        kept.rotate()
    else:
        compact(kept, {"plain": {"0": {}, "1": {}, "2": {}}})
        kept.append([row("3")])
    kept.close()
    path = folder / name
    whole = path.read_bytes()
    for position in range(len(whole)):
        image = bytearray(whole)
        image[position] ^= 1
        path.write_bytes(image)
        assert str(path) in refused(folder) or str(folder / "journal.2") in refused(folder), position


@pytest.mark.parametrize("name", ["journal.1", "snapshot"])
def test_what_must_be_whole_is_refused_wherever_it_ends(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    kept = Journal(folder)
    kept.append([row("0")])
    if name == "snapshot":
        compact(kept, {"plain": {"0": {}}})
    else:
        kept.rotate()
    kept.close()
    path = folder / name
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        refused(folder)


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "filled with zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "something else": lambda path: path.write_bytes(b'{"_default": {}}'),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "more behind it": lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
    "a frame too much": lambda path: path.write_bytes(path.read_bytes() + frames.frame([row("x")], 1)[0]),
    "newer": lambda path: path.write_bytes(path.read_bytes().replace(b'"schema":1', b'"schema":2', 1)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link": lambda path: (path.rename(path.with_name("other")), path.symlink_to("other")),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", ["journal.1", "snapshot"])
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, breakage: str) -> None:
    folder = tmp_path / "data"
    fill(folder)
    BREAKAGES[breakage](folder / name)
    message = refused(folder)
    assert str(folder / name) in message
    if breakage == "newer":
        assert "use a newer visado" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    (tmp_path / "data" / "snapshot").chmod(0)
    with pytest.raises(StorageError, match="snapshot"):
        Journal(tmp_path / "data")


def test_the_two_kinds_of_files_are_not_mixed_up(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    shutil.copy(tmp_path / "data" / "journal.1", tmp_path / "data" / "snapshot")
    assert "is no visado snapshot" in refused(tmp_path / "data")


def test_a_missing_journal_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    kept = Journal(folder)
    for number in range(3):
        kept.append([row(str(number))])
        kept.rotate()
    kept.close()
    (folder / "journal.2").unlink()
    assert "journal.2 is missing" in refused(folder)


def test_the_backup_replaces_a_broken_snapshot_without_loss(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    kept = Journal(folder)
    contents: dict[str, dict[str, object]] = {"plain": {}}
    for number in range(4):
        kept.append([row(str(number))])
        contents["plain"][str(number)] = {"n": 0, "text": ""}
        compact(kept, contents)
    kept.append([row("last")])
    kept.close()
    assert sorted(path.name for path in folder.iterdir()) == [
        "journal.4", "journal.5", "lock", "snapshot", "snapshot.backup",
    ]  # fmt: skip
    (folder / "snapshot").write_bytes(b"")
    assert f"copy the newest backup, {folder / 'snapshot.backup'}" in refused(folder)
    shutil.copy(folder / "snapshot.backup", folder / "snapshot")
    assert ids(folder) == ["0", "1", "2", "3", "last"]
    (folder / "snapshot").unlink()
    assert str(folder / "snapshot.backup") in refused(folder)


# Processes that end in the middle


class Disk:
    """What a folder looks like after a kill or a power cut, before each call that changes it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[[Path], None]) -> None:
        self.folder, self.check = folder, check
        self.synced: dict[int, bytes] = {}
        self.names: dict[str, int] = {}
        self.images = 0
        self.is_checking = False
        for name in ("open", "pwrite", "ftruncate", "fsync", "replace", "link", "unlink"):
            monkeypatch.setattr(os, name, self.wrap(name, getattr(os, name)))
        monkeypatch.setattr(journal, "_sync", os.fsync)

    def wrap(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: object, **more: object) -> int:
            if self.is_checking:
                return real(*arguments, **more)
            self.crash()
            if name == "pwrite" and len(bytes(arguments[1])) > 8:  # a write may be cut anywhere
                real(arguments[0], bytes(arguments[1])[: len(bytes(arguments[1])) // 2], arguments[2])
                self.crash()
            result = real(*arguments, **more)
            if name == "fsync":
                self.sync(arguments[0])
            return result

        return call

    def sync(self, fd: int) -> None:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            self.names = {path.name: path.stat().st_ino for path in self.folder.iterdir()}
        else:
            self.synced[status.st_ino] = os.pread(fd, status.st_size, 0)

    def crash(self) -> None:
        self.is_checking = True
        try:
            for kind in ("kill", "power cut"):
                image = self.folder.with_name(f"image-{self.images}")
                self.images += 1
                if kind == "kill":
                    if self.folder.exists():
                        shutil.copytree(self.folder, image)
                else:
                    image.mkdir()
                    for name, inode in self.names.items():
                        (image / name).write_bytes(self.synced.get(inode, b""))
                self.check(image)
                shutil.rmtree(image, ignore_errors=True)
        finally:
            self.is_checking = False


def test_no_kill_and_no_power_cut_loses_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acknowledged: list[str] = []
    under_way: list[str] = []

    def check(image: Path) -> None:
        assert ids(image) in (acknowledged, acknowledged + under_way)

    disk = Disk(tmp_path / "data", monkeypatch, check)
    numbers = itertools.count()
    for _ in range(3):
        kept = Journal(tmp_path / "data")
        for _ in range(3):
            for _ in range(2):
                under_way[:] = [str(next(numbers)), str(next(numbers))]
                kept.append([row(id_) for id_ in under_way])
                acknowledged += under_way
                under_way.clear()
            view = {"plain": {id_: {} for id_ in acknowledged}}
            kept.rotate()
            under_way[:] = [str(next(numbers))]
            kept.append([row(under_way[0])])  # others write on while the snapshot is made
            acknowledged += under_way
            under_way.clear()
            kept.save(view)
        kept.close()
    assert disk.images > 500


WRITER = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from visado.storage import Collection
    from visado.tinydb import TinyStorage, journal

    journal._SHORTEST = 20_000  # renews the snapshot every few hundred writes

    def say(*words):
        os.write(1, (" ".join(words) + "\\n").encode())

    async def write(storage, writer):
        held = []
        for number in range(10**9):
            id_ = f"{sys.argv[2]}-{writer}-{number}"
            say("+", id_)
            await storage.create("plain", id_, {"n": number})
            say("++", id_)
            held.append(id_)
            if number % 3 == 2:
                gone = held.pop(0)
                say("-", gone)
                await storage.delete("plain", gone)
                say("--", gone)

    async def main():
        storage = TinyStorage(Path(sys.argv[1]))
        storage.declare(Collection("plain"))
        await storage.open()
        await asyncio.gather(*(write(storage, writer) for writer in range(8)))

    asyncio.run(main())
""")


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    there: set[str] = set()
    for number in range(8):
        with (tmp_path / "said").open("wb") as output:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(number)], stdout=output)
        while writer.poll() is None and (tmp_path / "said").stat().st_size == 0:
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.3))
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
        lines = (tmp_path / "said").read_text().splitlines(keepends=True)
        words = [tuple(line.split()) for line in lines if line.endswith("\n")]
        told = {sign: {id_ for known, id_ in words if known == sign} for sign in ("+", "++", "-", "--")}
        found = set(ids(folder))
        assert (there | told["++"]) - told["-"] <= found <= (there | told["+"]) - told["--"]
        there = found


# One process at a time

HOLDER = textwrap.dedent("""
    import pathlib, sys, time
    from visado.tinydb.journal import Journal

    kept = Journal(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    time.sleep(60)
""")


def test_a_second_process_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        begun = time.monotonic()
        with pytest.raises(StorageError, match=f"{folder} is in use by process {holder.pid}:"):
            Journal(folder)
        assert time.monotonic() - begun < 2
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert ids(folder) == []


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "data")
    with pytest.raises(StorageError, match=f"in use by process {os.getpid()}:"):
        Journal(tmp_path / "data")
    kept.close()
    assert ids(tmp_path / "data") == []


def test_a_refusal_lets_go_of_the_folder(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    whole = (tmp_path / "data" / "snapshot").read_bytes()
    (tmp_path / "data" / "snapshot").write_bytes(b"")
    refused(tmp_path / "data")
    (tmp_path / "data" / "snapshot").write_bytes(whole)
    assert ids(tmp_path / "data") == ["0", "1", "2"]


# Who may look


def test_nobody_else_may_look(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        folder = tmp_path / "data"
        folder.mkdir(mode=0o755)
        kept = Journal(folder)
        compact(kept, {"plain": {}})
        kept.close()
        names = {"lock", "snapshot", "snapshot.backup", "journal.1", "journal.2"}
        assert {path.name for path in folder.iterdir()} == names
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        (folder / "snapshot").chmod(0o644)
        Journal(folder).close()
        assert stat.S_IMODE((folder / "snapshot").stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_a_folder_of_everybody_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(StorageError, match="belongs to everybody"):
        Journal(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(StorageError, match="data"):
        Journal(tmp_path / "data")
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.parametrize("name", ["lock", "snapshot", "snapshot.new", "journal.1", "journal.new"])
def test_no_link_is_followed(tmp_path: Path, name: str) -> None:
    folder, mine = tmp_path / "data", tmp_path / "mine"
    folder.mkdir()
    mine.write_text("mine")
    (folder / name).symlink_to(mine)
    if name.endswith(".new"):
        kept = Journal(folder)
        (folder / name).symlink_to(mine)
        compact(kept, {})
        kept.close()
    else:
        with pytest.raises(StorageError, match=name):
            Journal(folder)
    assert mine.read_text() == "mine"


# A disk that is full


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """A switch: a full disk takes the first bytes of a write, and no more."""
    real, is_full = os.pwrite, False

    def pwrite(fd: int, data: memoryview, position: int) -> int:
        if not is_full:
            return real(fd, data, position)
        if len(data) > 10:
            return real(fd, data[:10], position)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def switch(to: bool) -> None:
        nonlocal is_full
        is_full = to

    monkeypatch.setattr(os, "pwrite", pwrite)
    yield switch
    is_full = False


def test_a_write_that_fails_is_undone(tmp_path: Path, full_disk: Callable[[bool], None]) -> None:
    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "a", {"n": 1})
        await storage.create("plain", "b", {"n": 1})
        before = digest(tmp_path / "data")

        async def increment() -> None:
            await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})

        async def replace() -> None:
            await storage.delete("plain", "b")
            await storage.create("plain", "b", {"n": 99})

        async def both() -> None:
            async with storage.transaction():
                await storage.create("plain", "c", {"n": 1})
                await storage.update("plain", "a", lambda present: {"n": present["n"] + 10})

        full_disk(True)
        work = [increment(), both(), increment(), replace(), storage.check(), increment(), both()]
        failed = await asyncio.gather(*work, return_exceptions=True)
        assert {type(error) for error in failed} == {errors.StorageUnavailable}
        assert digest(tmp_path / "data") == before
        hits = (await storage.search("plain", Query(Equals("n", 1)))).hits
        assert sorted(hits) == [("a", {"n": 1}), ("b", {"n": 1})]
        assert (await storage.search("plain", Query())).total == 2
        full_disk(False)
        await asyncio.gather(increment(), increment(), both(), storage.check())
        assert await storage.get("plain", "a") == {"n": 13}

    using(tmp_path / "data", body)

    async def again(storage: TinyStorage) -> None:
        hits = dict((await storage.search("plain", Query())).hits)
        assert hits == {"a": {"n": 13}, "b": {"n": 1}, "c": {"n": 1}}

    using(tmp_path / "data", again)


def test_a_write_fails_with_those_that_were_built_on_it(
    tmp_path: Path, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that come while a batch is failing see its changes, and go with them."""

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "a", {"n": 0})
        append = Journal.append

        def slowly(self: Journal, rows: list[bytes]) -> None:
            time.sleep(0.1)
            append(self, rows)

        monkeypatch.setattr(Journal, "append", slowly)
        full_disk(True)

        async def add(delay: float) -> None:
            await asyncio.sleep(delay)
            await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})

        async def add_in_transaction() -> None:
            async with storage.transaction():
                await asyncio.sleep(0.02)
                await storage.update("plain", "a", lambda present: {"n": present["n"] + 1})
                await asyncio.sleep(0.2)
                full_disk(False)

        ended = await asyncio.gather(add(0), add(0.005), add(0.01), add_in_transaction(), return_exceptions=True)
        assert {type(error) for error in ended} == {errors.StorageUnavailable}
        assert await storage.get("plain", "a") == {"n": 0}
        await add(0)
        assert await storage.get("plain", "a") == {"n": 1}

    using(tmp_path / "data", body)


def test_a_full_disk_does_not_stop_the_start(tmp_path: Path, full_disk: Callable[[bool], None]) -> None:
    fill(tmp_path / "data")
    full_disk(True)
    assert ids(tmp_path / "data") == ["0", "1", "2"]


def test_a_snapshot_that_fails_is_made_later(
    tmp_path: Path, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_SHORTEST", 1_000)

    async def body(storage: TinyStorage) -> None:
        for number in range(300):
            step = storage.create("plain", str(number), {"n": number})
            if 100 < number < 200:
                monkeypatch.setattr(Journal, "save", fail)
            else:
                monkeypatch.setattr(Journal, "save", save)
            await step
        for number in range(0, 300, 2):
            await storage.delete("plain", str(number))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save = Journal.save
    using(tmp_path / "data", body)
    assert sorted(map(int, ids(tmp_path / "data"))) == list(range(1, 300, 2))
    assert len(list((tmp_path / "data").glob("journal.*"))) < 10


def test_a_full_disk_stops_neither_journal_nor_snapshot(tmp_path: Path, full_disk: Callable[[bool], None]) -> None:
    kept = Journal(tmp_path / "data")
    kept.append([row("0")])
    before = digest(tmp_path / "data")
    full_disk(True)
    with pytest.raises(OSError, match="No space"):
        kept.rotate()
    assert digest(tmp_path / "data") == before
    full_disk(False)
    kept.append([row("1")])
    kept.rotate()
    full_disk(True)
    with pytest.raises(OSError, match="No space"):
        kept.save({"plain": {"0": {}, "1": {}}})
    full_disk(False)
    assert not (tmp_path / "data" / "snapshot.new").exists()
    kept.append([row("2")])
    kept.close()
    assert ids(tmp_path / "data") == ["0", "1", "2"]


SMALL_DISK = textwrap.dedent("""
    import asyncio, hashlib, pathlib, sys
    from visado import errors
    from visado.storage.query import Query
    from visado.storage import Collection
    from visado.tinydb import TinyStorage

    folder = pathlib.Path(sys.argv[1])

    def digest():
        return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(folder.iterdir()))).hexdigest()

    async def main():
        storage = TinyStorage(folder)
        storage.declare(Collection("plain"))
        await storage.open()
        kept = 0
        try:
            while kept < 10_000:
                await storage.create("plain", str(kept), {"text": "x" * 10_000})
                kept += 1
        except errors.StorageUnavailable as error:
            assert isinstance(error.__cause__, OSError)
        assert 10 < kept < 10_000, kept
        before = digest()
        for _ in range(20):
            try:
                await storage.create("plain", "more", {"text": "x" * 10_000})
            except errors.StorageUnavailable:
                pass
            else:
                raise AssertionError("there should be no room")
        assert digest() == before
        assert (await storage.search("plain", Query())).total == kept
        exec(sys.argv[2])  # make room
        await storage.create("plain", "after", {"text": "x" * 10_000})
        await storage.close()
        storage = TinyStorage(folder)
        storage.declare(Collection("plain"))
        await storage.open()
        assert (await storage.search("plain", Query())).total == kept + 1
        await storage.close()
        print("good", kept)

    asyncio.run(main())
""")


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)"
    ended = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path / "data"), limit],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY)),
    )  # fmt: skip
    assert "good" in ended.stdout, ended.stderr


def test_a_disk_of_four_megabytes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    try:
        room = f"__import__('subprocess').run(['mount', '-o', 'remount,size=8m', {str(disk)!r}], check=True)"
        ended = subprocess.run(
            [sys.executable, "-c", SMALL_DISK, str(disk / "data"), room], capture_output=True, text=True, check=False
        )
        assert "good" in ended.stdout, ended.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# Snapshots


def test_a_snapshot_is_renewed_while_everybody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_SHORTEST", 20_000)
    saved: list[int] = []
    save = Journal.save

    def counting(self: Journal, tables: dict[str, dict[str, object]]) -> None:
        saved.append(len(tables))
        save(self, tables)

    monkeypatch.setattr(Journal, "save", counting)

    async def body(storage: TinyStorage) -> None:
        async def write(writer: int) -> None:
            for number in range(200):
                await storage.create("plain", f"{writer}-{number}", {"n": number})
                if number % 2:
                    await storage.delete("plain", f"{writer}-{number}")

        await asyncio.gather(*map(write, range(16)))

    using(tmp_path / "data", body)
    assert len(saved) > 3
    assert len(ids(tmp_path / "data")) == 1_600
    assert len(list((tmp_path / "data").glob("journal.*"))) <= 3


# Indexes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("ab"), JSON), st.sampled_from(["a", "b", "a.b", "a.a", "b.a.b"]))
def test_an_index_files_by_the_terms_of_the_evaluation(document: dict[str, object], field: str) -> None:
    assert tables._terms(document, field.split(".")) == evaluate.terms(document, field)


# TinyDB itself


def test_its_own_methods_keep_what_they_change(tmp_path: Path) -> None:
    with Database(tmp_path / "data", storage=Journal) as database:
        table = database.table("plain", indexes=("n",))
        assert table.insert(TinyDocument({"n": 1}, doc_id="a")) == "a"
        table.insert_multiple([TinyDocument({"n": 2}, doc_id="b"), TinyDocument({"n": 3}, doc_id="c")])
        with pytest.raises(ValueError, match="exists"):
            table.insert(TinyDocument({"n": 1}, doc_id="a"))
        assert table.update({"n": 4}, doc_ids=["b"]) == ["b"]
        assert table.remove(where("n") == 3) == ["c"]
        assert [list(table.candidates(Equals("n", n))[0]) for n in (1, 2, 3, 4)] == [["a"], [], [], ["b"]]
        assert len(table) == 2
    with Database(tmp_path / "data", storage=Journal) as database:
        table = database.table("plain")
        assert [(document.doc_id, dict(document)) for document in table] == [("a", {"n": 1}), ("b", {"n": 4})]
        table.truncate()
        database.table("other").insert(TinyDocument({}, doc_id="x"))
        database.drop_table("other")
    with Database(tmp_path / "data", storage=Journal) as database:
        assert database.tables() == set()


def test_what_nobody_declares_any_more_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_SHORTEST", 100)
    kept = Journal(tmp_path / "data")
    kept.append([frames.encode_row("forgotten", "a", {"n": 1})])
    kept.close()

    async def body(storage: TinyStorage) -> None:
        with pytest.raises(LookupError, match="forgotten"):
            await storage.get("forgotten", "a")
        for number in range(10):
            await storage.create("plain", str(number), {"n": number})

    using(tmp_path / "data", body)
    kept = Journal(tmp_path / "data")
    kept.close()
    assert kept.read()["forgotten"] == {"a": {"n": 1}}
    assert (tmp_path / "data" / "snapshot.backup").exists()


def test_a_collection_is_declared_once(tmp_path: Path) -> None:
    async def body(storage: TinyStorage) -> None:
        storage.declare(PLAIN)
        with pytest.raises(ValueError, match="twice"):
            storage.declare(Collection("plain", ("other",)))

    using(tmp_path / "data", body)


def test_the_event_loop_is_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a slow disk nor by a snapshot."""
    monkeypatch.setattr(journal, "_SHORTEST", 1_000)
    append = Journal.append

    def slowly(self: Journal, rows: list[bytes]) -> None:
        time.sleep(0.2)
        append(self, rows)

    monkeypatch.setattr(Journal, "append", slowly)

    async def body(storage: TinyStorage) -> None:
        longest = 0.0

        async def tick() -> None:
            nonlocal longest
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - begun)

        ticking = asyncio.create_task(tick())
        for _ in range(3):
            await asyncio.gather(*(storage.create("plain", os.urandom(8).hex(), {"n": n}) for n in range(100)))
        ticking.cancel()
        assert longest < 0.15

    using(tmp_path / "data", body)


def test_a_commit_that_nobody_waits_for_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled request has committed all the same: what it revoked must be forgotten."""
    append = Journal.append

    def slowly(self: Journal, rows: list[bytes]) -> None:
        time.sleep(0.1)
        append(self, rows)

    async def body(storage: TinyStorage) -> None:
        await storage.create("plain", "token", {})
        forgotten: list[str] = []

        async def revoke() -> None:
            async with storage.transaction():
                await storage.delete("plain", "token")
                storage.after_commit(lambda: forgotten.append("token"))

        monkeypatch.setattr(Journal, "append", slowly)
        task = asyncio.create_task(revoke())
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await storage.check()
        assert forgotten == ["token"]
        assert await storage.get("plain", "token") is None

    using(tmp_path / "data", body)


def test_it_runs_on_uvloop_too(tmp_path: Path) -> None:
    async def main() -> None:
        storage = TinyStorage(tmp_path / "data")
        storage.declare(PLAIN)
        await storage.open()
        await asyncio.gather(*(storage.create("plain", str(number), {"n": number % 7}) for number in range(500)))
        assert (await storage.search("plain", Query(Equals("n", 3), limit=1))).total == 71
        await storage.close()

    uvloop.run(main())
    assert len(ids(tmp_path / "data")) == 500


def test_the_url_chooses_the_folder(tmp_path: Path) -> None:
    def made(url: str) -> TinyStorage | None:
        given = {"storage": {"url": url}, "server": {"data": str(tmp_path)}}
        return open_storage(loading.load([StorageSection, ServerSection], given=given))

    assert made("postgres://host") is None
    for url, folder in ((f"tinydb:{tmp_path}/a", tmp_path / "a"), ("tinydb:", tmp_path)):
        storage = made(url)
        assert storage is not None
        assert storage._folder == folder
