"""The log on disk: file modes, links, rotation, recovery, and full disks."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import subprocess
import threading

import pytest

from visado.settings.loading import SettingsError, load
from visado_audit.errors import LogUnwritable
from visado_audit.settings import AuditSection
from visado_audit.verify import VerificationFailed
from visado_kit.clock import Clock

from .conftest import AT, NOW

EVENT = {"event": "test", "at": AT}


@pytest.fixture
def full(monkeypatch):
    """Make the disk full: of each write, only the first bytes are written."""

    def full(taken):
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:taken]))

    yield full
    monkeypatch.undo()


def unwritable(log, events=(EVENT,)):
    with pytest.raises(LogUnwritable) as error:
        log.append(events)
    return str(error.value)


def targets(book):
    return [each["target"] for each in book.of("test")]


# Who may read


def test_the_files_are_for_their_owner_alone(book):
    mask = os.umask(0)
    try:
        book.write("a", key_file=book.path.with_name("key"))
    finally:
        os.umask(mask)
    assert book.path.parent.stat().st_mode & 0o777 == 0o700
    names = {each.name: each.stat().st_mode & 0o777 for each in book.path.parent.iterdir()}
    assert names == {"audit.jsonl": 0o600, "audit.head": 0o600, "key": 0o600}


def test_a_file_that_others_could_read_is_closed_to_them(book):
    book.write("a")
    book.path.chmod(0o644)
    book.write("b")
    assert book.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["audit.jsonl", "audit.head", "."])
def test_links_are_not_followed(book, name, tmp_path):
    target = tmp_path / "elsewhere"
    if name == ".":
        target.mkdir()
        book.path.parent.symlink_to(target)
    else:
        target.write_bytes(b"precious\n")
        book.path.parent.mkdir()
        book.path.with_name(name).symlink_to(target)
    log = book.log()
    assert "symbolic links" in unwritable(log)
    assert "symbolic links" in log.failure
    assert list(target.iterdir()) == [] if name == "." else target.read_bytes() == b"precious\n"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_written(book, kind):
    book.path.parent.mkdir()
    book.path.mkdir() if kind == "folder" else os.mkfifo(book.path)
    assert str(book.path) in unwritable(book.log())


def test_of_two_hosts_one_writes(book):
    first, second = book.log(), book.log()
    first.append([EVENT])
    assert "another process writes it" in unwritable(second)
    first.close()
    second.append([EVENT])
    second.close()
    assert [each["event"] for each in book.records] == ["test", "audit.missed", "test"]
    assert book.verify().last == 3


# Rotation


def test_a_file_is_full_by_size_or_by_age_and_the_chain_goes_on(book):
    clock = Clock(NOW)
    log = book.log(clock, rotate_size=4096, rotate_after="1h")
    for _ in range(40):
        log.append([EVENT | {"target": "a" * 100}])
    by_size = len(book.files)
    assert by_size > 2
    assert all(4096 <= each.stat().st_size < 5000 for each in book.files[:-1])
    clock.advance(3_599)
    log.append([EVENT])
    assert len(book.files) == by_size
    clock.advance(1)
    log.append([EVENT])
    log.close()
    assert len(book.files) == by_size + 1
    assert book.verify().last == 42
    for before, after in itertools.pairwise(book.files):
        last, first = json.loads(before.read_bytes().splitlines()[-1]), json.loads(after.read_bytes().splitlines()[0])
        assert first["previous"] == last["hash"]
        if after != book.path:
            assert after.name == f"audit.{first['sequence']:012}.jsonl"


def test_the_age_of_a_file_is_known_after_a_restart(book):
    book.write("a")
    for seconds, files in [(3_599, 1), (3_600, 2)]:
        log = book.log(Clock(NOW + seconds * 1_000), rotate_after="1h")
        log.append([EVENT])
        log.close()
        assert len(book.files) == files


def test_old_files_are_removed_and_verification_says_from_where_the_chain_begins(book):
    log = book.log(rotate_size=4096, keep=2)
    for number in range(100):
        log.append([EVENT | {"target": str(number) * 100}])
    log.close()
    assert len(book.files) == 3
    proof = book.verify()
    assert (proof.first, proof.last) == (book.records[0]["sequence"], 100)
    assert proof.first > 1
    book.files[0].unlink()
    with pytest.raises(VerificationFailed, match="missing before it"):
        book.verify()


def test_what_the_head_does_not_miss_verification_does_not_miss(book):
    """After a kill between the new head and the removal of a file, the file is verified too."""
    log = book.log(rotate_size=4096, keep=1)
    removed = []
    while len(removed) < 2:
        log.append([EVENT | {"target": "a" * 100}])
        if len(book.files) == 2 and book.files[0] not in [name for name, _ in removed]:
            removed.append((book.files[0], book.files[0].read_bytes()))
    log.close()
    assert book.verify().first > 1
    name, data = removed[0]
    name.write_bytes(data)
    assert book.verify().first == 1


def test_a_rotation_that_was_interrupted_is_finished(book):
    book.write(*"abc")
    book.path.rename(book.path.with_name("audit.000000000001.jsonl"))
    book.write("d")
    assert targets(book) == list("abcd")
    assert book.verify().last == 4


# Opening again


@pytest.mark.parametrize(
    "rest", [b'{"sequence":4,"prev', b"\0" * 700, b"no record\n", b"no record\n{", b'{"sequence":4,"previous":"0"}\n']
)
def test_a_torn_end_is_put_aside_and_said(book, rest):
    book.write(*"abc")
    with book.path.open("ab") as file:
        file.write(rest)
    book.write("d")
    (torn,) = book.of("audit.torn")
    assert torn["size"] == len(rest)
    assert book.path.with_name(torn["target"]).read_bytes() == rest
    assert book.path.with_name(torn["target"]).stat().st_mode & 0o777 == 0o600
    assert targets(book) == list("abcd")
    assert book.verify().last == 5


def test_records_that_were_written_before_the_head_was_are_kept(book):
    book.write("a")
    head = book.path.with_suffix(".head").read_bytes()
    book.write(*"bc")
    book.path.with_suffix(".head").write_bytes(head)
    assert book.verify().last == 3
    book.write("d")
    assert targets(book) == list("abcd")
    assert (book.verify().last, book.of("audit.broken")) == (4, [])


def test_a_host_that_was_killed_before_its_first_record_is_no_damage(book):
    log = book.log()
    log.append([])
    log.close()
    assert book.verify().last == 0
    book.write("a")
    assert [each["event"] for each in book.records] == ["test"]


def damage_last(book):
    book.path.write_bytes(book.path.read_bytes().replace(b'"target":"c"', b'"target":"x"'))


def remove_last(book):
    book.path.write_bytes(b"".join(book.path.read_bytes().splitlines(keepends=True)[:-1]))


def remove_all(book):
    book.path.unlink()


def remove_head(book):
    book.path.with_suffix(".head").unlink()


def damage_head(book):
    head = book.path.with_suffix(".head")
    head.write_bytes(head.read_bytes().replace(b'"sequence":3', b'"sequence":2'))


@pytest.mark.parametrize("damage", [damage_last, remove_last, remove_all, remove_head, damage_head])
def test_a_log_that_was_changed_is_reported_and_goes_on(book, damage, caplog):
    book.write(*"abc")
    damage(book)
    log = book.write("d")
    (broken,) = book.of("audit.broken")
    expected = {
        remove_head: "the head is missing",
        damage_head: "the head was changed, or was written with another key",
    }
    assert broken["reason"] == log.damage == expected.get(damage, "record 3 was changed or removed")
    assert "audit:verify" in caplog.text
    assert targets(book)[-1] == "d"
    if damage in (remove_head, damage_head):
        assert book.verify().last == 5, "the records themselves are whole"
    else:
        with pytest.raises(VerificationFailed):
            book.verify()
    book.write("e")
    assert len(book.of("audit.broken")) == 1, "it is said once"
    with (
        pytest.raises(VerificationFailed) if damage not in (remove_head, damage_head) else pytest.MonkeyPatch.context()
    ):
        book.verify()


@pytest.mark.parametrize("damage", [damage_last, remove_last, remove_all, remove_head, damage_head])
def test_damage_at_work_is_noticed_with_the_next_record(book, damage):
    log = book.log()
    for target in "abc":
        log.append([EVENT | {"target": target}])
    damage(book)
    log.append([EVENT | {"target": "d"}])
    log.close()
    if damage in (remove_last, remove_all):
        assert [each["reason"] for each in book.of("audit.broken")] == ["record 3 was changed or removed"]
    if damage in (remove_head, damage_head):
        assert book.verify().last == 4, "this host knows better, and writes the head anew"
    else:
        with pytest.raises(VerificationFailed):
            book.verify()


def test_what_somebody_else_appends_at_work_is_put_aside(book):
    log = book.log()
    log.append([EVENT])
    with book.path.open("ab") as file:
        file.write(b"something else\n")
    log.append([EVENT])
    log.close()
    assert [each["event"] for each in book.records] == ["test", "audit.torn", "test"]
    assert book.verify().last == 3


# The key


def test_a_key_is_made_on_the_first_start_and_never_again(book, tmp_path):
    key = tmp_path / "key"
    book.write("a", key_file=key)
    secret = key.read_text()
    book.write("b", key_file=key)
    assert book.verify(secret).last == 2
    assert secret.encode() not in b"".join(book.lines)
    key.unlink()
    log = book.log(key_file=key)
    assert "the key is missing" in unwritable(log)
    assert not key.exists()
    key.write_text("short")
    assert "holds no secret" in unwritable(log)
    key.write_text(secret)
    log.append([EVENT])
    log.close()
    assert book.verify(secret).last == 4


# A disk that is full


@pytest.mark.parametrize("taken", [0, 1, 100])
def test_a_disk_that_is_full_leaves_no_half_line(book, full, taken, monkeypatch, caplog):
    log = book.log()
    log.append([EVENT])
    before = book.path.read_bytes()
    full(taken)
    for _ in range(3):
        assert os.strerror(errno.ENOSPC) in unwritable(log)
    assert log.failure == os.strerror(errno.ENOSPC)
    assert book.path.read_bytes() == before
    monkeypatch.undo()
    log.append([EVENT])
    assert log.failure == ""
    log.close()
    assert [(each["event"], each.get("count")) for each in book.records] == [
        ("test", None),
        ("audit.missed", 3),
        ("test", None),
    ]
    assert book.verify().last == 3
    assert caplog.text.count("cannot be written") == 1, "it is said once, not for each event"


@pytest.fixture
def small(tmp_path):
    """A file system of 128 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a small file system is mounted as root, with mount(8)")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(log, events):
    written = 0
    with contextlib.suppress(LogUnwritable):
        while True:
            log.append(events)
            written += len(events)
    return written


def test_a_full_file_system_is_survived(small, book_of):
    book = book_of(small)
    log = book.log()
    many = [EVENT | {"target": "a" * 900}] * 7
    written = fill(log, many)
    for _ in range(5):
        assert "No space left" in unwritable(log, many)
    assert len(book.of("test")) == written
    assert book.verify().last == written
    book.path.unlink()  # the operator makes room
    log.append([EVENT])
    log.close()
    assert [each["event"] for each in book.records] == ["audit.broken", "audit.missed", "test"]
    assert book.of("audit.missed")[0]["count"] == 42


# Many at once, and settings


def test_reading_while_it_is_written_sees_a_whole_log(book):
    log = book.log(rotate_size=4096, sync=False)
    log.append([EVENT])
    done = threading.Event()

    def write():
        for _ in range(600):
            log.append([EVENT | {"target": "a" * 100}])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    proofs = []
    while not done.is_set() or not proofs:
        proofs.append(book.verify().last)
    writer.join()
    log.close()
    assert proofs == sorted(proofs)
    assert book.verify().last == 601


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"path": "audit"}, "audit.path"), ({"rotate_size": 10}, "audit.rotate_size"), ({"rotate_after": "soon"}, "audit.rotate_after"),
        ({"rotate_after": 10}, "audit.rotate_after"), ({"keep": -1}, "audit.keep"), ({"kept": 1}, "audit.kept"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(table, word):
    with pytest.raises(SettingsError, match=word):
        load([AuditSection], given={"audit": table})
