"""The hash chain and its verification: every change of the files is found."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visado_audit.chain import FIRST_PREVIOUS, HashChain, InvalidRecord
from visado_audit.verify import VerificationFailed
from visado_kit.clock import Clock

from .conftest import AT, NOW

KEY = "a key of more than thirty-two bytes, kept elsewhere"


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "keyed"])
def written(request, tmp_path_factory, book_of):
    """A log of 60 records in four files, and its key."""
    folder = tmp_path_factory.mktemp("written")
    book = book_of(folder)
    key_file = None
    if request.param:
        key_file = folder / "key"
        key_file.write_text(request.param)
    clock = Clock(NOW)
    log = book.log(clock, key_file=key_file, sync=False)
    for number in range(60):
        clock.advance(24 * 3_600 / 15)
        log.append([{"event": "test", "at": f"2026-11-23T08:00:{number:02}.000Z", "target": f"user-{number}"}])
    log.close()
    assert len(book.files) >= 4
    return book, request.param


@pytest.fixture
def copied(written, tmp_path, book_of):
    book, key = written
    copy = book_of(tmp_path)

    def fresh():
        shutil.rmtree(copy.path.parent, ignore_errors=True)
        shutil.copytree(book.path.parent, copy.path.parent)
        return copy

    return fresh, key


def refused(book, key):
    with pytest.raises(VerificationFailed) as broken:
        book.verify(key)
    return str(broken.value)


def test_an_untouched_log_is_whole(written):
    book, key = written
    proof = book.verify(key)
    assert (proof.first, proof.last, proof.files, proof.incomplete_bytes) == (1, 60, len(book.files), 0)


def test_anybody_can_compute_the_chain_without_visado(written):
    book, key = written
    previous = FIRST_PREVIOUS
    for number, line in enumerate(book.lines, 1):
        record = json.loads(line)
        body, found, rest = line.partition(b',"hash":"')
        assert (found, rest) == (b',"hash":"', record["hash"].encode() + b'"}\n')
        data = body + b"}"
        digest = hmac.new(key.encode(), data, hashlib.sha256) if key else hashlib.sha256(data)
        assert (record["sequence"], record["previous"], record["hash"]) == (number, previous, digest.hexdigest())
        previous = record["hash"]


def test_another_key_or_none_does_not_fit(written):
    book, key = written
    assert "another key" in refused(book, None if key else KEY)
    assert "another key" in refused(book, "x" * 40)


# Tampering: what was done to the lines of which file, and then is found


def change(lines, draw):
    place = draw(st.integers(0, len(lines) - 1))
    at = draw(st.integers(0, len(lines[place]) - 2))
    byte = draw(st.integers(0, 255).filter(lambda each: each not in (lines[place][at], 10)))
    lines[place] = lines[place][:at] + bytes([byte]) + lines[place][at + 1 :]


def remove(lines, draw):
    first = draw(st.integers(0, len(lines) - 1))
    del lines[first : draw(st.integers(first + 1, len(lines)))]


def swap(lines, draw):
    one, other = draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
    lines[one], lines[other] = lines[other], lines[one]


def repeat(lines, draw):
    line = draw(st.sampled_from(lines))
    lines.insert(draw(st.integers(0, len(lines))), line)


def insert(lines, draw):
    line = draw(st.one_of(st.binary(max_size=60).filter(lambda each: b"\n" not in each), st.sampled_from([b"", b"{}"])))
    lines.insert(draw(st.integers(0, len(lines) - 1)), line + b"\n")


def shorten(lines, draw):
    lines[-1] = lines[-1][: draw(st.integers(0, len(lines[-1]) - 1))]


def forge(lines, draw):
    """Change a record, and compute its hash anew."""
    place = draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[place])
    members = {name: value for name, value in record.items() if name not in ("sequence", "previous", "hash")}
    lines[place], _ = HashChain().write(record["sequence"], record["previous"], members | {"target": "somebody else"})


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_tampering_of_every_kind_is_found(written, data):
    book, key = written
    files = [file.read_bytes().splitlines(keepends=True) for file in book.files]
    tamper = data.draw(st.sampled_from([change, remove, swap, repeat, insert, shorten, forge]))
    number = data.draw(st.integers(0, len(files) - 1))
    before = [*files[number]]
    if len(before) < 2 and tamper is swap:
        return
    tamper(files[number], data.draw)
    assert files[number] != before
    copy = book.path.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(book.path.with_suffix(".head"), copy)
    for file, lines in zip(book.files, files, strict=True):
        (copy / file.name).write_bytes(b"".join(lines))
    told = refused(type(book)(copy / book.path.name), key)
    assert ", line " in told


def test_the_first_break_is_named_by_file_and_line(copied):
    fresh, key = copied
    book = fresh()
    file = book.files[1]
    lines = file.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])["sequence"]
    file.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert refused(book, key) == f"{file.name}, line 2: record {first + 1} is missing before it"
    file.write_bytes(b"".join([*lines[:3], lines[3].replace(b"user-", b"User-"), *lines[4:]]))
    assert refused(book, key).startswith(f"{file.name}, line 4: the line was changed")


def test_files_that_are_gone_or_changed_places_are_missed(copied):
    fresh, key = copied
    for number in range(len(fresh().files)):
        book = fresh()
        book.files[number].unlink()
        assert "missing before it" in refused(book, key) or "missing after it" in refused(book, key)
    book = fresh()
    one, other = book.files[:2]
    one.rename(book.path.with_name("aside"))
    other.rename(one)
    book.path.with_name("aside").rename(other)
    assert one.name in refused(book, key)


def test_what_is_cut_from_the_end_is_missed(copied):
    fresh, key = copied
    book = fresh()
    lines = book.path.read_bytes().splitlines(keepends=True)
    book.path.write_bytes(b"".join(lines[:-1]))
    assert "record 60 is missing after it" in refused(book, key)
    book.path.write_bytes(b"".join(lines)[:-1])
    assert "record 60 is missing after it" in refused(book, key)
    book.path.unlink()
    assert "are missing after it" in refused(book, key)


@pytest.mark.parametrize("damage", ["gone", "empty", "changed", "of another log"])
def test_a_head_that_is_gone_or_changed_is_no_proof(copied, damage, tmp_path):
    fresh, key = copied
    book = fresh()
    head = book.path.with_suffix(".head")
    text = head.read_bytes()
    if damage == "gone":
        head.unlink()
    elif damage == "empty":
        head.write_bytes(b"")
    elif damage == "changed":
        head.write_bytes(text.replace(b'"sequence":60', b'"sequence":59'))
    else:
        line, _ = HashChain(key).write(60, "1" * 64, {"first": 1})
        head.write_bytes(line)
    told = refused(book, key)
    assert "record 60 is not the one that the head names" in told if damage == "of another log" else head.name in told


def test_what_was_forged_with_all_its_hashes_is_found_only_with_a_key(copied):
    """The limit of a chain without a key: an attacker who may write all files can make another chain."""
    fresh, key = copied
    book = fresh()
    previous = FIRST_PREVIOUS
    for file in book.files:
        lines = []
        for line in file.read_bytes().splitlines():
            record = json.loads(line)
            members = {name: value for name, value in record.items() if name not in ("sequence", "previous", "hash")}
            forged, position = HashChain().write(record["sequence"], previous, members | {"target": "nobody"})
            previous = position.hash
            lines.append(forged)
        file.write_bytes(b"".join(lines))
    line, _ = HashChain().write(60, previous, {"first": 1})
    book.path.with_suffix(".head").write_bytes(line)
    if key:
        assert "another key" in refused(book, key)
    else:
        assert book.verify().last == 60


# Lines


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=20), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=50)), max_size=5
    )
)
def test_whatever_an_event_holds_is_one_line_of_plain_ascii(members):
    chain = HashChain()
    line, position = chain.write(7, FIRST_PREVIOUS, members)
    assert line.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in line[:-1])
    assert chain.read(line[:-1]).position == position
    shown = json.loads(line)
    assert {name: shown[name] for name in members if name not in ("sequence", "previous", "hash")} == {
        name: value for name, value in members.items() if name not in ("sequence", "previous", "hash")
    }


@pytest.mark.parametrize(
    "text", ["a\r\nb", "\x1b[2J\x9b0m", "\u2028\u2029\x7f\x00", "\ud800", "\U0001f511", '","hash":"']
)
def test_texts_that_are_made_to_break_lines_do_not(text):
    line, position = HashChain().write(1, FIRST_PREVIOUS, {"target": text})
    assert line.isascii()
    assert json.loads(line)["target"] == text
    assert HashChain().read(line[:-1]).position == position


def test_a_long_text_is_clipped_and_says_so():
    line, _ = HashChain().write(1, FIRST_PREVIOUS, {"target": "a" * 5_000})
    assert json.loads(line)["target"] == "a" * 1_000 + "... (5000 characters)"


@pytest.mark.parametrize("line", [b"", b"{}", b'{"sequence":1}', b"\0" * 100, b"=" * 10_000])
def test_what_is_no_record_is_refused(line):
    with pytest.raises(InvalidRecord):
        HashChain().read(line)


def test_a_hundred_thousand_records_are_proved_in_seconds(book):
    log = book.log(sync=False, rotate_size=8 << 20)
    event = {"event": "login.succeeded", "at": AT, "outcome": "success", "actor": "melis"}
    for _ in range(100):
        log.append([event | {"target": "melis", "address": "192.0.2.7", "requestId": "a" * 36}] * 1_000)
    log.close()
    began = time.perf_counter()
    proof = book.verify()
    took = time.perf_counter() - began
    assert (proof.last, proof.files > 1) == (100_000, True)
    print(f"100,000 records: {took:.2f} s")
    assert took < 10
