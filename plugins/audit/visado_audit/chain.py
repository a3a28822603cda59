"""The format of a record, and the hash chain: each record holds the hash of the record before, and its own hash last.

A record is a line with a JSON object in ASCII, without spaces. Its last member, `hash`, is the SHA-256 (or with a key,
the HMAC-SHA256) of the object without that member.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

FIRST_PREVIOUS: Final = "0" * 64
"""The `previous` of the first record, which has no record before it."""
MAX_TEXT_LENGTH: Final = 1_000
"""Characters of a text in a record. A longer text is cut: an id may be as long as a request."""
_CHAIN_MEMBERS: Final = ("sequence", "previous", "hash")
_LINE: Final = re.compile(
    rb'(\{"sequence":([1-9][0-9]{0,17}|0),"previous":"([0-9a-f]{64})"[^\n]*),"hash":"([0-9a-f]{64})"\}'
)
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode


class InvalidRecord(Exception):
    """A line is not a record, or does not match its hash; the text says which."""


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """A position in the chain: the number and the hash of a record."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The members of a record that make the chain: its position, and the hash of the record before."""

    position: ChainPosition
    previous: str

    def follows(self, position: ChainPosition) -> bool:
        """Return whether this record is the next one after a position."""
        return (self.position.sequence, self.previous) == (position.sequence + 1, position.hash)


class HashChain:
    """Writes and reads lines. With a key, only its owner can compute the hashes."""

    def __init__(self, key: str | None = None) -> None:
        self._key = None if key is None else key.encode()

    def _hash(self, body: bytes) -> str:
        if self._key is None:
            return hashlib.sha256(body).hexdigest()
        return hmac.digest(self._key, body, "sha256").hex()

    def write(self, sequence: int, previous: str, members: Mapping[str, Any]) -> tuple[bytes, ChainPosition]:
        """Return the line, with its newline, of the record with this number after the hash `previous`; its position."""
        header = {"sequence": sequence, "previous": previous}
        own = {name: _shortened(value) for name, value in members.items() if name not in _CHAIN_MEMBERS}
        body = _encode(header | own).encode()
        digest = self._hash(body)
        return b'%s,"hash":"%s"}\n' % (body[:-1], digest.encode()), ChainPosition(sequence, digest)

    def read(self, line: bytes) -> RecordHeader:
        """Read a line without its newline. Raises `InvalidRecord` unless it matches its hash."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidRecord("is not a record")
        header = _header(match)
        if not hmac.compare_digest(self._hash(match[1] + b"}"), header.position.hash):
            raise InvalidRecord("was changed, or was written with another key")
        return header


def read_unverified(line: bytes) -> RecordHeader | None:
    """Read a line without checking its hash. Return None if it does not have the form of a record."""
    match = _LINE.fullmatch(line)
    return None if match is None else _header(match)


def _header(match: re.Match[bytes]) -> RecordHeader:
    _, sequence, previous, digest = match.groups()
    return RecordHeader(ChainPosition(int(sequence), digest.decode()), previous.decode())


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
        return f"{value[:MAX_TEXT_LENGTH]}... ({len(value)} characters)"
    return value
