"""Reading a connection off what ASGI knows of it: who, from where, for which host, for which page."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from visado.request import Connection

C = TypeVar("C", bound=Connection)
Headers = Mapping[bytes, bytes]
_FORWARDED: Final = frozenset({b"forwarded", b"x-real-ip", b"via"})
_LONGEST: Final = 512
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Collect the headers by lower-case name; a name that stands twice keeps its last value."""
    return dict(scope["headers"])


def connect(kind: type[C], scope: Mapping[str, Any], headers: Headers, public_url: str) -> C:
    """Make the connection that a scope is about."""
    client, host, origin = scope.get("client"), headers.get(b"host"), headers.get(b"origin")
    address = client[0] if client else None
    forwarded = not _FORWARDED.isdisjoint(headers) or b"\nx-forwarded-" in b"\n".join((b"", *headers))
    short = len(host or b"") + len(origin or b"") <= _LONGEST
    judge = _judge if short else _judge.__wrapped__  # what is remembered stays small
    judged = judge(address, scope["scheme"], host, origin, forwarded, public_url)
    return kind(scope["type"], address, None if origin is None else origin.decode("latin-1"), *judged, headers)


@lru_cache(1_024)
def _judge(
    address: str | None, scheme: str, host: bytes | None, origin: bytes | None, forwarded: bool, public_url: str
) -> tuple[bool, bool, bool]:
    """Whether the client is near, of the same origin and secure; the next request is asked from the same place."""
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    here, page = (host or b"").decode("latin-1"), None if origin is None else origin.decode("latin-1")
    return (
        not forwarded and _is_local_request(address, None if host is None else here, page),
        page is None or _is_ours(page, f"{scheme}://{here}", public_url),
        scheme == "https" or public_url.startswith("https:"),
    )


def _is_local_request(address: str | None, host: str | None, origin: str | None) -> bool:
    """Whether a request that no proxy handed on comes from this machine for this machine.

    A page of another origin does not count, nor a name that only resolves to here (DNS rebinding).
    """
    if not _is_loopback(address):
        return False
    if host is not None and not _is_loopback(_hostname("//" + host)):
        return False
    return origin is None or _is_loopback(_hostname(origin))


def _is_ours(origin: str, *addresses: str) -> bool:
    """Whether the page that asks was served under one of this host's own addresses."""
    shown = _place(origin)
    return shown is not None and shown in {_place(each) for each in addresses if each}


def auth_cookie(headers: Headers) -> str | None:
    """Read the token in the `authToken` cookie; the text `null` stands for none."""
    cookies = headers.get(b"cookie")
    if cookies is None:
        return None
    for part in cookies.decode("latin-1").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "authToken":
            text = value.strip().strip('"')
            return text if text != "null" else None
    return None


def _place(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_loopback(name: str | None) -> bool:
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
