"""Reset tokens: the only module that imports PyJWT.

A token names a user and the revision of the user's password. Every new password has a new revision: so a token works
once, and ends when the password is changed in another way. The tokens are signed with a secret of their own, so that a
reset token is no session token, and a session token no reset token.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Final, NamedTuple

import jwt

from visado import Collection, DocumentExists, Fields, Host
from visado_local.errors import ExpiredResetToken, InvalidResetToken

COLLECTION: Final = "local-secrets"
_DOCUMENT: Final = "reset"
_ISSUER: Final = "kuzzle-plugin-auth-passport-local"
_ALGORITHM: Final = "HS256"
MAX_TOKEN_LENGTH: Final = 4096
_CLAIMS: Final = ("resetForKuid", "revision", "iat", "exp", "iss")


class ResetClaims(NamedTuple):
    """The claims of a reset token: the user, and the revision of the password to replace."""

    user_id: str
    revision: str


class ResetTokens:
    """Issues and reads reset tokens, which are valid for `lifetime` ms."""

    def __init__(self, host: Host, lifetime: int) -> None:
        self._storage, self._clock, self._lifetime = host.storage, host.clock, lifetime
        host.storage.declare(Collection(COLLECTION))

    async def open(self) -> None:
        """Create the secret if there is none, so that reading a token never writes to the storage."""
        await self._secret()

    async def issue(self, claims: ResetClaims) -> str:
        """Issue a token."""
        now = self._clock()
        payload: Fields = {
            "resetForKuid": claims.user_id,
            "revision": claims.revision,
            "iat": now // 1000,
            "exp": (now + self._lifetime) // 1000,
            "iss": _ISSUER,
        }
        secret = await self._secret()
        return jwt.encode(payload, secret, algorithm=_ALGORITHM)  # pyright: ignore[reportUnknownMemberType]

    async def read(self, token: str) -> ResetClaims:
        """Verify a token, and return its claims. Raises `ExpiredResetToken` or `InvalidResetToken`."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidResetToken
        try:
            claims: Fields = jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                token,
                await self._secret(),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                # PyJWT would read the system's clock: the times are compared below, with the host's.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise InvalidResetToken from None
        user_id, revision, expires_at = claims["resetForKuid"], claims["revision"], claims["exp"]
        if not (isinstance(user_id, str) and isinstance(revision, str) and isinstance(expires_at, int)):
            raise InvalidResetToken
        if expires_at * 1000 <= self._clock():
            raise ExpiredResetToken
        return ResetClaims(user_id, revision)

    async def _secret(self) -> str:
        document = await self._storage.get(COLLECTION, _DOCUMENT)
        if document is None:
            with contextlib.suppress(DocumentExists):  # another node was faster: its secret is used
                await self._storage.create(COLLECTION, _DOCUMENT, {"value": secrets.token_hex(32)})
            document = await self._storage.get(COLLECTION, _DOCUMENT) or {}
        return str(document["value"])
