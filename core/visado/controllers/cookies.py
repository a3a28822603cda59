"""The `authToken` cookie, as it is set and cleared."""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

_LAST_DAY: Final = 253_402_300_799


def carrying(token: str, expires_at: int | None, *, secure: bool) -> str:
    """Write the cookie that carries a token; `expires_at` in ms, None for one that ends with the browser."""
    parts = [f"authToken={token}", "Path=/"]
    if expires_at is not None:
        parts.append(f"Expires={formatdate(min(expires_at // 1_000, _LAST_DAY), usegmt=True)}")
    return "; ".join([*parts, "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])])


def cleared(*, secure: bool) -> str:
    """Write the cookie that takes its place."""
    return carrying("null", None, secure=secure)
