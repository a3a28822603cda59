"""What a client sends: user name and password, in the body or as HTTP Basic. No host, no file."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from visado import Request

_LONGEST_NAME = 255


def read_name(value: Any) -> str | None:
    """A name that may stand in an htpasswd file, or None: any JSON may stand where a client should send a text."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or ":" in value:
        return None
    return value if value.isprintable() else None  # half a surrogate pair is not printable


def read_password(value: Any) -> bytes | None:
    """The bytes of a password, or None for what is no text in UTF-8."""
    if not isinstance(value, str):
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return None


def read_login(request: Request) -> tuple[Any, Any] | None:
    """User name and password as they were sent, or None where there are none.

    What the body says goes first. The header counts over HTTP alone: that of a socket came with its upgrade, and
    says nothing about who asks now.
    """
    fields = request.fields
    if "username" in fields or "password" in fields:
        return fields.get("username"), fields.get("password")
    if request.connection.transport != "http":
        return None
    return read_basic(request.header("authorization"))


def read_basic(header: str | None) -> tuple[Any, Any] | None:
    """User name and password of an `Authorization: Basic` in UTF-8 (RFC 7617); None where it is another scheme."""
    scheme, _, text = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None, None
    return (name, password) if colon else (None, None)
