"""Addresses to which browsers may be sent: those of a list, and nothing that only looks like them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_LONGEST: Final = 2_048
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}


def allowed(address: str, listed: Iterable[str]) -> bool:
    """Whether an address is one of a list. An entry that ends with `/` stands for what is below it, too."""
    parts = _read(address)
    return parts is not None and any(_below(parts, entry) for entry in map(_read, listed) if entry is not None)


def receives(address: str, listed: Iterable[str]) -> bool:
    """Whether a client may receive codes there: one of a list, exactly; on loopback with any port (RFC 8252)."""
    for entry in listed:
        if address == entry:
            return True
        ours, theirs = _read(entry), _read(address)
        if ours is None or theirs is None or ours.hostname not in _LOOPBACK or ours.scheme != "http":
            continue
        if (theirs.scheme, theirs.hostname, theirs.path, theirs.query) == (
            "http",
            ours.hostname,
            ours.path,
            ours.query,
        ):
            return True
    return False


def _read(address: str) -> SplitResult | None:
    if len(address) > _LONGEST or not address.isascii() or not address.isprintable():
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


def _below(parts: SplitResult, entry: SplitResult) -> bool:
    if (parts.scheme, parts.hostname, _port(parts)) != (entry.scheme, entry.hostname, _port(entry)):
        return False
    path, listed = parts.path or "/", entry.path or "/"
    return path == listed or (listed.endswith("/") and path.startswith(listed))


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
