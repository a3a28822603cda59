"""Reading the user name and the password of a request, from the body or from HTTP Basic."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from visado import Request

MAX_NAME_LENGTH = 255


def read_name(value: Any) -> str | None:
    """Return a name that an htpasswd file may hold, or None for any other JSON value."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH or ":" in value:
        return None
    return value if value.isprintable() else None  # half a surrogate pair is not printable


def read_password(value: Any) -> bytes | None:
    """Return the bytes of a password, or None for a value that is not a text in UTF-8."""
    if not isinstance(value, str):
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return None


def read_login(request: Request) -> tuple[Any, Any] | None:
    """Return the user name and the password as they were sent, or None without any.

    The body takes precedence. The header is read over HTTP only: the header of a WebSocket belongs to its upgrade, and
    may be that of another user.
    """
    fields = request.fields
    if "username" in fields or "password" in fields:
        return fields.get("username"), fields.get("password")
    if request.connection.transport != "http":
        return None
    return read_basic(request.header("authorization"))


def read_basic(header: str | None) -> tuple[Any, Any] | None:
    """Return the user name and the password of `Authorization: Basic` in UTF-8 (RFC 7617); None for another scheme."""
    scheme, _, text = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None, None
    return (name, password) if colon else (None, None)
