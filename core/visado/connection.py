"""Reading a connection off what ASGI knows of it: who, from where, for which host, for which page."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from visado.request import Connection

Headers = Mapping[bytes, bytes]
_FORWARDED: Final = frozenset({b"forwarded", b"x-real-ip", b"via"})
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Collect the headers by lower-case name; a name that stands twice keeps its last value."""
    return dict(scope["headers"])


def near(address: str | None, headers: Headers) -> bool:
    """Whether a request comes from this machine for this machine.

    A page of another origin does not count, nor a name that only resolves to here (DNS rebinding), nor what a
    proxy hands on.
    """
    if not _is_loopback(address) or any(name in _FORWARDED or name.startswith(b"x-forwarded-") for name in headers):
        return False
    host = headers.get(b"host")
    if host is not None and not _is_loopback(_hostname("//" + host.decode("latin-1"))):
        return False
    origin = headers.get(b"origin")
    return origin is None or _is_loopback(_hostname(origin.decode("latin-1")))


def same_origin(headers: Headers, scheme: str, public_url: str) -> bool:
    """Whether the page that asks was served under this host's own address."""
    origin = headers.get(b"origin")
    if origin is None:
        return True
    ours = [scheme + "://" + headers.get(b"host", b"").decode("latin-1")]
    if public_url:
        ours.append(public_url)
    shown = _place(origin.decode("latin-1"))
    return shown is not None and shown in {_place(each) for each in ours}


def facts(scope: Mapping[str, Any], headers: Headers, public_url: str) -> dict[str, Any]:
    """Gather what a `Connection` is made of."""
    client = scope.get("client")
    address = client[0] if client else None
    origin = headers.get(b"origin")
    return {
        "headers": headers,
        "address": address,
        "origin": origin.decode("latin-1") if origin is not None else None,
        "near": near(address, headers),
        "same_origin": same_origin(headers, _scheme(scope), public_url),
        "secure": _scheme(scope) == "https" or public_url.startswith("https:"),
    }


def http_connection(scope: Mapping[str, Any], headers: Headers, public_url: str) -> Connection:
    """Make the connection of one HTTP request."""
    return Connection("http", **facts(scope, headers, public_url))


def auth_cookie(headers: Headers) -> str | None:
    """Read the token in the `authToken` cookie; the text `null` stands for none."""
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "authToken":
            text = value.strip().strip('"')
            return text if text != "null" else None
    return None


def _scheme(scope: Mapping[str, Any]) -> str:
    scheme: str = scope["scheme"]
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


@lru_cache(1_024)
def _place(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


@lru_cache(1_024)
def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


@lru_cache(1_024)
def _is_loopback(name: str | None) -> bool:
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
