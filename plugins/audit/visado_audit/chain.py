"""The format of a line, and the chain: each line holds the hash of the line before, and ends with its own.

A line is a JSON object in ASCII, without spaces. Its last member, `hash`, is the SHA-256 (or with a key, the
HMAC-SHA256) of the object as it would be without that member.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

START: Final = "0" * 64
"""What the first record has in the place of the hash of the record before."""
_LONGEST: Final = 1_000
_OWN: Final = ("sequence", "previous", "hash")
_LINE: Final = re.compile(
    rb'(\{"sequence":([1-9][0-9]{0,17}|0),"previous":"([0-9a-f]{64})"[^\n]*),"hash":"([0-9a-f]{64})"\}'
)
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode


class Broken(Exception):
    """Something is not as it was written; the text says what."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: the number of a record, and its hash. What comes next builds on both."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """A line whose hash is right: its place, and the hash of the record before."""

    link: Link
    previous: str

    def follows(self, link: Link) -> bool:
        """Whether this record is the next one after that place."""
        return (self.link.sequence, self.previous) == (link.sequence + 1, link.hash)


class Chain:
    """Makes lines and reads them; with a key, nobody else can."""

    def __init__(self, key: str | None = None) -> None:
        self._key = None if key is None else key.encode()

    def _hash(self, body: bytes) -> str:
        if self._key is None:
            return hashlib.sha256(body).hexdigest()
        return hmac.digest(self._key, body, "sha256").hex()

    def line(self, sequence: int, previous: str, members: Mapping[str, Any]) -> tuple[bytes, Link]:
        """Write a line with this number after the record of this hash; return it and its place."""
        own = {"sequence": sequence, "previous": previous}
        body = _encode(own | {name: _shown(value) for name, value in members.items() if name not in _OWN}).encode()
        digest = self._hash(body)
        return b'%s,"hash":"%s"}\n' % (body[:-1], digest.encode()), Link(sequence, digest)

    def read(self, line: bytes) -> Record:
        """Read a line without its newline. Raises `Broken` unless it is as it was written."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise Broken("is no record")
        record = _record(found)
        if not hmac.compare_digest(self._hash(found[1] + b"}"), record.link.hash):
            raise Broken("is not as it was written, or was written with another key")
        return record


def claimed(line: bytes) -> Record | None:
    """What a line says of itself, true or not; None where it has not the form of a record."""
    found = _LINE.fullmatch(line)
    return None if found is None else _record(found)


def _record(found: re.Match[bytes]) -> Record:
    _, sequence, previous, digest = found.groups()
    return Record(Link(int(sequence), digest.decode()), previous.decode())


def _shown(value: Any) -> Any:
    """Clip a text: an id may be as long as a request."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}... ({len(value)} characters)"
    return value
