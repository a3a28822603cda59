"""Issuing: the lifetime and the text of a new token or API key."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

from visado import errors
from visado.request import Fields, Token
from visado.security.tokens.signing import Signer
from visado.settings.durations import FOREVER


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its text, which only the response to its creation contains."""

    token: Token
    text: str

    def __repr__(self) -> str:
        return f"<IssuedToken {self.token.id}>"


def choose_lifetime(requested: int | None, default: int, maximum: int) -> int:
    """Return the lifetime of a token in milliseconds, or -1 for ever. Raises `TtlExceeded`."""
    ttl = default if requested is None else requested
    if maximum != FOREVER and (ttl == FOREVER or ttl > maximum):
        raise errors.TtlExceeded
    return ttl


def make_token_text(signer: Signer, prefix: str, user_id: str, ttl: int, now: int) -> tuple[int, str]:
    """Return when a new token expires, in milliseconds since 1970, and its text.

    The claim `exp` counts whole seconds and is rounded up: the stored document has the milliseconds.
    """
    claims: Fields = {"_id": user_id, "iat": now // 1_000, "jti": secrets.token_hex(8)}
    expires_at = FOREVER
    if ttl != FOREVER:
        expires_at = now + ttl
        claims["exp"] = math.ceil(expires_at / 1_000)
    return expires_at, signer.sign(prefix, claims)
