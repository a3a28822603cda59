"""Sealing: what browsers and storages keep for us can neither be read nor changed there."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12
_LONGEST: Final = 8_192


class Seals:
    """AES-256-GCM, under a key per purpose that is derived from one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, purpose: str, content: Mapping[str, Any]) -> str:
        """Make a text for others to keep: letters, digits, `-` and `_`."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(content, separators=(",", ":")).encode()
        sealed = nonce + self._cipher(purpose).encrypt(nonce, plain, purpose.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """Read what was sealed for this purpose; None where it was not."""
        if len(text) > _LONGEST or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self._cipher(purpose).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
        except (ValueError, InvalidTag):
            return None
        return cast("dict[str, Any]", json.loads(plain))

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            derived = HKDF(SHA256(), 32, salt=None, info=b"visado-oauth " + purpose.encode())
            cipher = self._ciphers[purpose] = AESGCM(derived.derive(self._secret))
        return cipher
