"""Servers and entries, as plain values: nothing here knows ldap3."""

from __future__ import annotations

import re
import ssl
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

RANGE: Final = re.compile(r"(?P<name>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)", re.IGNORECASE)
"""The name of an attribute of which a server hands out a part."""

_GUID: Final = 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server: `path` is that of a local socket, `secure` means TLS from the first byte."""

    url: str
    host: str
    port: int
    path: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Security:
    """What TLS needs, and whether it starts with STARTTLS."""

    context: ssl.SSLContext
    start_tls: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was read; the names of its attributes are in small letters."""

    dn: str
    values: Mapping[str, list[bytes]]

    @property
    def ranged(self) -> bool:
        """Whether the server holds back a part of an attribute."""
        return any(";range=" in name for name in self.values)

    def raw(self, attribute: str) -> bytes | None:
        """The first value, or None."""
        values = self.values.get(attribute.lower())
        return values[0] if values else None

    def texts(self, attribute: str) -> list[str]:
        """The values that are text."""
        found: list[str] = []
        for value in self.values.get(attribute.lower(), ()):
            with suppress(UnicodeDecodeError):
                found.append(value.decode())
        return found

    def text(self, attribute: str) -> str | None:
        """The first value that is text, or None."""
        return next(iter(self.texts(attribute)), None)


def stable_id(entry: Entry, attribute: str) -> str | None:
    """The text of an entry's stable id; Active Directory's, which is binary, as a UUID."""
    value = entry.raw(attribute)
    if not value:
        return None
    if attribute.lower() == "objectguid":
        return str(uuid.UUID(bytes_le=value)) if len(value) == _GUID else None
    text = entry.text(attribute)
    return text.lower() if text else None
