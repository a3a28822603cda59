"""Recovery codes: each replaces a code of the authenticator once. They are stored as salted hashes.

A recovery code has 80 random bits, so one round of SHA-256 is enough.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

CODE_BYTES: Final = 10
GROUP_LENGTH: Final = 4
"""Characters between two dashes of a written code."""
SALT_BYTES: Final = 8


def generate_codes(count: int) -> list[str]:
    """Generate recovery codes: lower-case letters and digits in groups, as users write them down."""
    return [_grouped(base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()) for _ in range(count)]


def _grouped(text: str) -> str:
    return "-".join(text[start : start + GROUP_LENGTH] for start in range(0, len(text), GROUP_LENGTH))


def hash_codes(codes: Iterable[str]) -> list[str]:
    """Hash recovery codes, each with a salt of its own, for the storage."""
    return [_hash(secrets.token_hex(SALT_BYTES), normalize_code(code)) for code in codes]


def normalize_code(code: str) -> str:
    """Return a code, of either kind, without spaces and dashes and in lower case."""
    return "".join(code.replace("-", " ").split()).lower()


def remove_code(hashes: Iterable[str], code: str) -> list[str] | None:
    """Return the hashes without that of a normalized code, or None when no hash matches."""
    hashes = list(hashes)
    left = [each for each in hashes if not hmac.compare_digest(each, _hash(each.partition("$")[0], code))]
    return left if len(left) < len(hashes) else None


def _hash(salt: str, code: str) -> str:
    return f"{salt}${hashlib.sha256(f'{salt}{code}'.encode()).hexdigest()}"
