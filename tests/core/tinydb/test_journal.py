"""Files of the default storage: broken, cut, locked, linked, and after a crash."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import until
from visado.storage.protocol import StorageError
from visado.tinydb import frames, journal
from visado.tinydb.journal import Journal

from .folders import compact, digest, fill, ids, refused, row


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
    assert "is not a visado snapshot" in refused(tmp_path / "data")


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
    assert f"a copy of its backup {folder / 'snapshot.backup'}" in refused(folder)
    shutil.copy(folder / "snapshot.backup", folder / "snapshot")
    assert ids(folder) == ["0", "1", "2", "3", "last"]
    (folder / "snapshot").unlink()
    assert str(folder / "snapshot.backup") in refused(folder)


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

    journal._MIN_SNAPSHOT_BYTES = 20_000  # renews the snapshot every few hundred writes

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
        until(lambda: (tmp_path / "said").stat().st_size, why="the writer writes nothing")
        time.sleep(random.uniform(0.0, 0.3))  # subject: a kill at any moment
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
        lines = (tmp_path / "said").read_text().splitlines(keepends=True)
        words = [tuple(line.split()) for line in lines if line.endswith("\n")]
        told = {sign: {id_ for known, id_ in words if known == sign} for sign in ("+", "++", "-", "--")}
        found = set(ids(folder))
        assert (there | told["++"]) - told["-"] <= found <= (there | told["+"]) - told["--"]
        there = found


HOLDER = textwrap.dedent("""
    import pathlib, sys, time
    from visado.tinydb.journal import Journal

    kept = Journal(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    time.sleep(60)  # subject: a process that holds the folder
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
    with pytest.raises(StorageError, match="is shared by all users"):
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


def test_a_full_disk_does_not_stop_the_start(tmp_path: Path, full_disk: Callable[[bool], None]) -> None:
    fill(tmp_path / "data")
    full_disk(True)
    assert ids(tmp_path / "data") == ["0", "1", "2"]


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
