"""Addresses of servers, and entries, as plain values."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_GUID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a server. `path` is that of a local socket; `secure` means TLS from the first byte."""

    url: str
    host: str
    port: int
    path: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class TlsSetup:
    """The TLS context of a directory, and whether its connections start with STARTTLS."""

    context: ssl.SSLContext
    start_tls: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a directory. The names of its attributes are in lower case."""

    dn: str
    values: Mapping[str, list[bytes]]

    @property
    def is_partial(self) -> bool:
        """Whether the server returned a part of some attribute's values."""
        return any(";range=" in name for name in self.values)

    def raw(self, attribute: str) -> bytes | None:
        """Return the first value as bytes, or None."""
        values = self.values.get(attribute.lower())
        return values[0] if values else None

    def texts(self, attribute: str) -> list[str]:
        """Return the values that are UTF-8 text."""
        texts: list[str] = []
        for value in self.values.get(attribute.lower(), ()):
            with suppress(UnicodeDecodeError):
                texts.append(value.decode())
        return texts

    def text(self, attribute: str) -> str | None:
        """Return the first value that is UTF-8 text, or None."""
        return next(iter(self.texts(attribute)), None)


def stable_id(entry: Entry, attribute: str) -> str | None:
    """Return an entry's stable id in lower case, or None without one. Active Directory's binary id becomes a UUID."""
    value = entry.raw(attribute)
    if not value:
        return None
    if attribute.lower() == "objectguid":
        return str(uuid.UUID(bytes_le=value)) if len(value) == _GUID_BYTES else None
    text = entry.text(attribute)
    return text.lower() if text else None
