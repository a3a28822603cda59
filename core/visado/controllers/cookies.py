"""The `authToken` cookie."""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

_MAX_EXPIRES_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, the last that an HTTP date can express."""


def token_cookie(token: str, expires_at: int | None, *, secure: bool) -> str:
    """Return a `Set-Cookie` value that stores a token.

    `expires_at` is in milliseconds since 1970; with None the browser deletes the cookie when it closes.
    """
    parts = [f"authToken={token}", "Path=/"]
    if expires_at is not None:
        parts.append(f"Expires={formatdate(min(expires_at // 1_000, _MAX_EXPIRES_SECONDS), usegmt=True)}")
    return "; ".join([*parts, "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])])


def cleared_cookie(*, secure: bool) -> str:
    """Return a `Set-Cookie` value that replaces a stored token with `null`."""
    return token_cookie("null", None, secure=secure)
