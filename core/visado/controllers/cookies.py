"""The `authToken` cookie."""

from __future__ import annotations

from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from visado.request import Connection

_MAX_EXPIRES_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, the last that an HTTP date can express."""


def token_cookie(token: str, expires_at: int | None, connection: Connection) -> str:
    """Return a `Set-Cookie` value that stores a token.

    `expires_at` is in milliseconds since 1970; with None the browser deletes the cookie when it closes. The browser
    sends the cookie to the path of this application alone.
    """
    parts = [f"authToken={token}", f"Path={quote(connection.base_path) or '/'}"]
    if expires_at is not None:
        parts.append(f"Expires={formatdate(min(expires_at // 1_000, _MAX_EXPIRES_SECONDS), usegmt=True)}")
    return "; ".join([*parts, "HttpOnly", "SameSite=Strict", *(["Secure"] if connection.secure else [])])


def cleared_cookie(connection: Connection) -> str:
    """Return a `Set-Cookie` value that replaces a stored token with `null`."""
    return token_cookie("null", None, connection)
