"""Headers of a request, as the protocol reads them: the bearer token, the cookie, volatile data, a cross-site form."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any, Final

from visado import codec, errors
from visado.request import Connection

JSON: Final = b"application/json"
_MAX_LENGTH_DIGITS: Final = 19


def content_length(headers: Mapping[bytes, bytes]) -> int | None:
    """Return `Content-Length` in bytes; None where it is absent or no number."""
    digits = headers.get(b"content-length", b"")
    if not digits.isdigit():
        return None
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < _MAX_LENGTH_DIGITS else sys.maxsize


def bearer_token(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the bearer token of the `Authorization` header, or None. Other schemes belong to strategies."""
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return text.rstrip() or None if scheme.lower() == "bearer" else None


def has_two_authorizations(listed: Collection[tuple[bytes, bytes]], headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the header `Authorization` stands twice in a request; `headers` has each name once."""
    if len(listed) == len(headers):
        return False
    return sum(name == b"authorization" for name, _ in listed) > 1


def auth_cookie(connection: Connection) -> str | None:
    """Return the token of the `authToken` cookie, or None. The value `null` means that a logout cleared the cookie."""
    if b"cookie" not in connection.headers:
        return None
    text = connection.cookies.get("authToken")
    return text if text != "null" else None


def volatile(headers: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    """Return the JSON object of the `x-kuzzle-volatile` header, or None.

    Raises `VolatileParseFailed`, `InvalidType`.
    """
    header = headers.get(b"x-kuzzle-volatile")
    if header is None:
        return None
    try:
        value = codec.decode(header)
    except ValueError as error:
        raise errors.VolatileParseFailed(cause=str(error)) from None
    if value is None or codec.is_object(value):
        return value
    raise errors.InvalidType(argument="volatile", expected="object")


def is_cross_site_form(method: str, connection: Connection) -> bool:
    """Return whether a page of another origin sent this request as a form, which needs no preflight in a browser.

    A sibling of the same domain counts, too: it would log a visitor in as somebody else. Browsers send `Sec-Fetch-Site`
    over https and on loopback alone; elsewhere `Origin` decides.
    """
    if method in ("GET", "HEAD") or connection.headers.get(b"content-type", b"").lower().startswith(JSON):
        return False
    site = connection.headers.get(b"sec-fetch-site")
    if site in (None, b"same-site"):
        return not connection.same_origin
    return site == b"cross-site"
