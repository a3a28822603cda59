"""Reset tokens: the one module that knows JWT.

A token names a user and the revision of the user's password, which changes with every new password: that is
what makes it single-use, and what ends it when the password changes by another way. It is signed with a
secret of its own, so that no reset token is a session, and no session a reset token.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Final, NamedTuple

import jwt

from visado import Collection, DocumentExists, Fields, Storage
from visado_local.errors import ExpiredResetToken, InvalidResetToken

_COLLECTION: Final = "local-secrets"
_SECRET: Final = "reset"  # noqa: S105 - the name of a document
_ISSUER: Final = "kuzzle-plugin-auth-passport-local"
_ALGORITHM: Final = "HS256"
_LONGEST: Final = 4096
_CLAIMS: Final = ("resetForKuid", "revision", "iat", "exp", "iss")


class Claims(NamedTuple):
    """What a reset token says: whose password it resets, and which revision of it."""

    user_id: str
    revision: str


class ResetTokens:
    """Makes and reads reset tokens. `expires_in` is in milliseconds."""

    def __init__(self, storage: Storage, expires_in: int) -> None:
        self._storage, self._expires_in = storage, expires_in
        storage.declare(Collection(_COLLECTION))

    async def prepare(self) -> None:
        """Make the secret where there is none: reading must not write later."""
        await self._secret()

    async def issue(self, claims: Claims, now: int) -> str:
        """Make a token; `now` is in milliseconds since 1970."""
        payload: Fields = {
            "resetForKuid": claims.user_id,
            "revision": claims.revision,
            "iat": now // 1000,
            "exp": (now + self._expires_in) // 1000,
            "iss": _ISSUER,
        }
        secret = await self._secret()
        return jwt.encode(payload, secret, algorithm=_ALGORITHM)  # pyright: ignore[reportUnknownMemberType]

    async def read(self, token: str, now: int) -> Claims:
        """Verify a token. Raises `ExpiredResetToken` or `InvalidResetToken`."""
        if len(token) > _LONGEST:
            raise InvalidResetToken
        try:
            claims: Fields = jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                token,
                await self._secret(),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                # Times are compared below, with the clock that made them.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise InvalidResetToken from None
        user_id, revision, ends = claims["resetForKuid"], claims["revision"], claims["exp"]
        if not (isinstance(user_id, str) and isinstance(revision, str) and isinstance(ends, int)):
            raise InvalidResetToken
        if ends * 1000 <= now:
            raise ExpiredResetToken
        return Claims(user_id, revision)

    async def _secret(self) -> str:
        found = await self._storage.get(_COLLECTION, _SECRET)
        if found is None:
            with contextlib.suppress(DocumentExists):  # somebody else was quicker
                await self._storage.create(_COLLECTION, _SECRET, {"value": secrets.token_hex(32)})
            found = await self._storage.get(_COLLECTION, _SECRET) or {}
        return str(found["value"])
