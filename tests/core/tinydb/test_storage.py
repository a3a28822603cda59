"""The default storage as a whole: the contract, full disks, snapshots."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from visado.settings import loading
from visado.settings.sections import ServerSection, StorageSection
from visado.storage.protocol import Collection, Storage
from visado.storage.query import Equals, Query
from visado.tinydb import TinyStorage, frames, journal, open_storage
from visado.tinydb.journal import Journal
from visado_kit.storage import StorageContract

from .folders import PLAIN, ids, using


class TestTinyStorage(StorageContract):
    def make(self, folder: Path) -> Storage:
        return TinyStorage(folder)


def test_a_snapshot_that_fails_is_made_later(
    tmp_path: Path, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_MIN_SNAPSHOT_BYTES", 1_000)

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


def test_a_snapshot_is_renewed_while_everybody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_MIN_SNAPSHOT_BYTES", 20_000)
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


def test_what_nobody_declares_any_more_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_MIN_SNAPSHOT_BYTES", 100)
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
