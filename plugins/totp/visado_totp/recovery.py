"""Recovery codes: for whoever has lost the device. Kept as hashes, each with a salt; each works once.

A code has 80 bits that nobody chose, so that one round of SHA-256 is all it takes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

_BYTES: Final = 10
_GROUP: Final = 4


def make(count: int) -> list[str]:
    """Make up codes: letters and digits in groups, to be written down."""
    return [_written(base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()) for _ in range(count)]


def _written(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def hashed(codes: Iterable[str]) -> list[str]:
    """Hash codes, as they are kept."""
    return [_hash(secrets.token_hex(8), plain(code)) for code in codes]


def plain(code: str) -> str:
    """Read a code of either kind as somebody typed it: spaces, dashes and capitals are no matter."""
    return "".join(code.replace("-", " ").split()).lower()


def without(kept: Iterable[str], code: str) -> list[str] | None:
    """What is left once this code, as `plain` reads it, is used; None where it is none of them."""
    kept = list(kept)
    left = [each for each in kept if not hmac.compare_digest(each, _hash(each.partition("$")[0], code))]
    return left if len(left) < len(kept) else None


def _hash(salt: str, code: str) -> str:
    return f"{salt}${hashlib.sha256(f'{salt}{code}'.encode()).hexdigest()}"
