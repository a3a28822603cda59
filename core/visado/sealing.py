"""Sealing: JSON objects that a browser, a client or the storage stores for a plugin, encrypted and authenticated.

A plugin that uses `Sealer` depends on `visado[sealing]`: core itself does not install the package `cryptography`.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
MAX_SEALED_LENGTH: Final = 8_192
"""Characters of a sealed text. `Sealer.open` rejects a longer one before it decodes it."""


class Sealer:
    """Encrypts JSON objects with AES-256-GCM, under a key that HKDF-SHA256 derives from a secret and a label.

    `read_secret` is called once, when the key is first needed. The `label` names the plugin, and the purpose where one
    plugin seals for several: sealers with different labels cannot open each other's texts. A `context`, such as the id
    of a user, is not part of the text; `open` must receive the one that `seal` received.
    """

    def __init__(self, read_secret: Callable[[], str], label: str) -> None:
        self._read_secret, self._label = read_secret, label

    @cached_property
    def _cipher(self) -> AESGCM:
        # Imported at first use: most hosts seal nothing, and core does not depend on it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=self._label.encode())
        return AESGCM(derivation.derive(self._read_secret().encode()))

    def prepare(self) -> None:
        """Read the secret and derive the key now. Raises what `read_secret` raises."""
        _ = self._cipher

    def seal(self, content: Mapping[str, Any], context: str) -> str:
        """Encrypt an object. Return a text of letters, digits, `-` and `_`."""
        nonce = os.urandom(NONCE_BYTES)
        plain = json.dumps(content, separators=(",", ":")).encode()
        sealed = nonce + self._cipher.encrypt(nonce, plain, context.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, text: str, context: str) -> dict[str, Any] | None:
        """Decrypt a sealed text. Return None if it was changed, or sealed under another key, label or context."""
        from cryptography.exceptions import InvalidTag

        if len(text) > MAX_SEALED_LENGTH or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
        except (ValueError, InvalidTag):
            return None
        return cast("dict[str, Any]", json.loads(plain))
