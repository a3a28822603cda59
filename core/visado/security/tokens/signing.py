"""Signing and verifying the text of tokens. No other module uses PyJWT."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import jwt
from jwt.algorithms import HMACAlgorithm
from typing_extensions import override

from visado import errors
from visado.host import Clock
from visado.request import Fields
from visado.settings.secret_files import read_secret
from visado.settings.sections import TokenSettings
from visado.storage.protocol import StorageError

# Clients decode claims with plain base64, whose alphabet lacks the characters that `>`, `?` and `~` may encode to.
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in ">?~\x7f"}
MAX_TOKEN_BYTES: Final = 16_384
_HASHES: Final = {"HS256": HMACAlgorithm.SHA256, "HS384": HMACAlgorithm.SHA384, "HS512": HMACAlgorithm.SHA512}
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class _PreparedHmac(HMACAlgorithm):
    """HMAC with keys that were checked at the start: PyJWT would check them again for each token."""

    @override
    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()


class Signer:
    """Signs and verifies with one fixed algorithm. Every secret verifies, and the first one signs."""

    def __init__(self, settings: TokenSettings, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._algorithm, self._file = settings.algorithm, folder / "secret"
        self._secrets: Sequence[str] = [secret.get_secret_value() for secret in settings.secrets]
        self._keys: Sequence[jwt.PyJWK] = ()
        self._jws = jwt.PyJWS()
        self._jws.unregister_algorithm(settings.algorithm)
        self._jws.register_algorithm(settings.algorithm, _PreparedHmac(_HASHES[settings.algorithm]))

    def open(self) -> None:
        """Read the secret, unless the settings contain some; on the first start, create one. Raises `StorageError`."""
        try:
            secrets = self._secrets or [read_secret(self._file)]
            self._keys = [_prepare_key(secret, self._algorithm) for secret in secrets]
        except (OSError, ValueError, jwt.InvalidKeyError) as error:
            raise StorageError(f"the secret of the tokens cannot be used: {error}") from None

    def sign(self, prefix: str, claims: Fields) -> str:
        """Return the text of a token."""
        return prefix + self._jws.encode(_encode(claims).translate(_ESCAPES).encode(), self._keys[0])

    def read_claims(self, prefix: str, text: str) -> Fields:
        """Verify the text of a token and return its claims. Raises `InvalidToken`, `ExpiredToken`."""
        if len(text) > MAX_TOKEN_BYTES or not text.isascii():
            raise errors.InvalidToken
        expired = False
        for key in self._keys:
            try:
                claims: Fields = jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                    text.removeprefix(prefix),
                    key,
                    # The host's clock decides on `exp`, below. A node whose clock is behind must accept a token that
                    # another node has just issued.
                    options={
                        "require": ["_id", "iat", "jti"], "verify_exp": False, "verify_iat": False, "verify_nbf": False,
                    },
                )  # fmt: skip
                if "exp" in claims and int(claims["exp"]) * 1_000 <= self._clock():
                    expired = True
                    continue
            except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError):
                continue
            else:
                if isinstance(claims["_id"], str):
                    return claims
        raise errors.ExpiredToken if expired else errors.InvalidToken


def _prepare_key(secret: str, algorithm: str) -> jwt.PyJWK:
    """Check a secret, once. Raises `InvalidKeyError` for a public key."""
    key = HMACAlgorithm(_HASHES[algorithm]).prepare_key(secret)
    return jwt.PyJWK({"kty": "oct", "k": base64.urlsafe_b64encode(key).decode()}, algorithm)


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal: the storage holds it in place of a token, API key or reference."""
    return hashlib.sha256(text.encode()).hexdigest()
