"""The addresses to which browsers and codes may be sent: those that the settings list, compared strictly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_MAX_ADDRESS_CHARACTERS: Final = 2_048
_LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}


def may_return_to(address: str, listed: Iterable[str]) -> bool:
    """Return whether a browser may be sent to an address. A listed one that ends with `/` allows all below it."""
    parts = _parse(address)
    return parts is not None and any(_is_covered(parts, entry) for entry in map(_parse, listed) if entry is not None)


def may_receive_code(address: str, listed: Iterable[str]) -> bool:
    """Return whether a client may receive codes at an address: a listed one, on loopback with any port (RFC 8252)."""
    for entry in listed:
        if address == entry:
            return True
        allowed, parts = _parse(entry), _parse(address)
        if allowed is None or parts is None or allowed.hostname not in _LOOPBACK_HOSTS or allowed.scheme != "http":
            continue
        if (parts.scheme, parts.hostname, parts.path, parts.query) == (
            "http",
            allowed.hostname,
            allowed.path,
            allowed.query,
        ):
            return True
    return False


def _parse(address: str) -> SplitResult | None:
    """Return the parts of an address; None for one that browsers could read in another way."""
    if len(address) > _MAX_ADDRESS_CHARACTERS or not address.isascii() or not address.isprintable():
        return None
    if any(char in address for char in ' \\"<>^`{|}'):
        return None
    try:
        parts = urlsplit(address)
        valid = parts.port != 0
    except ValueError:
        return None
    if not valid or parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        return None
    return None if ".." in unquote(unquote(parts.path)).replace("\\", "/").split("/") else parts


def _is_covered(parts: SplitResult, entry: SplitResult) -> bool:
    if (parts.scheme, parts.hostname, _port(parts)) != (entry.scheme, entry.hostname, _port(entry)):
        return False
    path, listed = parts.path or "/", entry.path or "/"
    return path == listed or (listed.endswith("/") and path.startswith(listed))


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
