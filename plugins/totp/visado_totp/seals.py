"""Sealing: who reads the storage learns no secret, and can give none to another user."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12
_LONGEST: Final = 4_096


class Seals:
    """AES-256-GCM under a key of the host; what is sealed for one purpose and user opens for no other."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    @cached_property
    def cipher(self) -> AESGCM:
        """The cipher: the host's secret is read when it is first needed. Raises what reading it raises."""
        return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"visado-totp").derive(self._read().encode()))

    def seal(self, purpose: str, user_id: str, content: Mapping[str, Any]) -> str:
        """Make a text of letters, digits, `-` and `_`."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self.cipher.encrypt(nonce, json.dumps(content).encode(), _bound(purpose, user_id))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, purpose: str, user_id: str, text: str) -> dict[str, Any] | None:
        """Read what was sealed for this; None where it was not."""
        if len(text) > _LONGEST or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self.cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(purpose, user_id))
        except (ValueError, InvalidTag):
            return None
        return cast("dict[str, Any]", json.loads(plain))


def _bound(purpose: str, user_id: str) -> bytes:
    return json.dumps([purpose, user_id]).encode()
