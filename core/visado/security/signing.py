"""Signing and verifying: the one place that touches PyJWT."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jwt
from jwt.algorithms import HMACAlgorithm
from typing_extensions import override

from visado import errors
from visado.request import Fields
from visado.secretfile import read_secret
from visado.sections import TokenSettings
from visado.storage import StorageError

# Clients decode claims with plain base64, where `>`, `?` and `~` could become characters that they drop.
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in ">?~\x7f"}
_LONGEST: Final = 16_384


class _PlainEncoder(json.JSONEncoder):
    @override
    def encode(self, o: Any) -> str:
        return super().encode(o).translate(_ESCAPES)


class Signer:
    """One fixed algorithm; every secret verifies, the first signs."""

    def __init__(self, settings: TokenSettings, folder: Path) -> None:
        self._algorithm, self._file = settings.algorithm, folder / "secret"
        self._secrets: Sequence[str] = [secret.get_secret_value() for secret in settings.secrets]
        self._keys: Sequence[jwt.PyJWK] = ()

    def open(self) -> None:
        """Read the secret, or on the first start make one, unless the settings hold some. Raises `StorageError`."""
        try:
            self._secrets = self._secrets or [read_secret(self._file)]
            self._keys = [_prepared(secret, self._algorithm) for secret in self._secrets]
        except (OSError, ValueError, jwt.InvalidKeyError) as error:
            raise StorageError(f"the secret of the tokens cannot be used: {error}") from None

    def sign(self, prefix: str, claims: Fields) -> str:
        """Make the text of a token."""
        return prefix + jwt.encode(  # pyright: ignore[reportUnknownMemberType]
            claims,
            self._secrets[0],
            algorithm=self._algorithm,
            json_encoder=_PlainEncoder,
            sort_headers=True,
        )

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
    """Prepare a secret once, since PyJWT prepares a text with each token. Raises `InvalidKeyError` for a public key."""
    prepared = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    return jwt.PyJWK({"kty": "oct", "k": base64.urlsafe_b64encode(prepared).decode()}, algorithm)


def fingerprint(text: str) -> str:
    """Compute what is kept of a token or a key: the SHA-256 of its whole text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
