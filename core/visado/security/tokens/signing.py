"""Signing and verifying: the one place that touches PyJWT."""

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
from visado.request import Fields
from visado.settings.secret_files import read_secret
from visado.settings.sections import TokenSettings
from visado.storage.protocol import StorageError

# Clients decode claims with plain base64, where `>`, `?` and `~` could become characters that they drop.
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in ">?~\x7f"}
_LONGEST: Final = 16_384
_HASHES: Final = {"HS256": HMACAlgorithm.SHA256, "HS384": HMACAlgorithm.SHA384, "HS512": HMACAlgorithm.SHA512}
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class _Prepared(HMACAlgorithm):
    """HMAC with keys that were examined at the start: PyJWT examines them anew with each token."""

    @override
    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()


class Signer:
    """One fixed algorithm; every secret verifies, the first signs."""

    def __init__(self, settings: TokenSettings, folder: Path) -> None:
        self._algorithm, self._file = settings.algorithm, folder / "secret"
        self._secrets: Sequence[str] = [secret.get_secret_value() for secret in settings.secrets]
        self._keys: Sequence[jwt.PyJWK] = ()
        self._jws = jwt.PyJWS()
        self._jws.unregister_algorithm(settings.algorithm)
        self._jws.register_algorithm(settings.algorithm, _Prepared(_HASHES[settings.algorithm]))

    def open(self) -> None:
        """Read the secret, or on the first start make one, unless the settings hold some. Raises `StorageError`."""
        try:
            secrets = self._secrets or [read_secret(self._file)]
            self._keys = [_prepared(secret, self._algorithm) for secret in secrets]
        except (OSError, ValueError, jwt.InvalidKeyError) as error:
            raise StorageError(f"the secret of the tokens cannot be used: {error}") from None

    def sign(self, prefix: str, claims: Fields) -> str:
        """Make the text of a token."""
        return prefix + self._jws.encode(_encode(claims).translate(_ESCAPES).encode(), self._keys[0])

    def claims(self, prefix: str, text: str) -> Fields:
        """Verify a token's text and read its claims. Raises `InvalidToken`, `ExpiredToken`."""
        if len(text) > _LONGEST or not text.isascii():
            raise errors.InvalidToken
        expired = False
        for key in self._keys:
            try:
                claims: Fields = jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                    text.removeprefix(prefix),
                    key,
                    # A clock that runs behind must not refuse what another node has just issued.
                    options={"require": ["_id", "iat", "jti"], "verify_iat": False, "verify_nbf": False},
                )
            except jwt.ExpiredSignatureError:
                expired = True
            except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
                continue
            else:
                if isinstance(claims["_id"], str):
                    return claims
        raise errors.ExpiredToken if expired else errors.InvalidToken


def _prepared(secret: str, algorithm: str) -> jwt.PyJWK:
    """Examine a secret, once. Raises `InvalidKeyError` for a public key."""
    prepared = HMACAlgorithm(_HASHES[algorithm]).prepare_key(secret)
    return jwt.PyJWK({"kty": "oct", "k": base64.urlsafe_b64encode(prepared).decode()}, algorithm)


def fingerprint(text: str) -> str:
    """Compute what is kept of a token or a key: the SHA-256 of its whole text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
