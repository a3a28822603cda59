"""Requests as bytes: the four that visado sends, in BER (RFC 4511).

ldap3 makes them by way of pyasn1, which takes longer than all the rest of a login; and it folds passwords.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
UNBIND: Final = b"\x42\x00"
_SHORT: Final = 0x80


def tlv(tag: int, *contents: bytes) -> bytes:
    """A tag, a length, and what follows."""
    content = b"".join(contents)
    size = len(content)
    if size < _SHORT:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(length))) + length + content


def number(value: int, tag: int = 0x02) -> bytes:
    """A number, not below zero."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def text(value: str) -> bytes:
    """A text in UTF-8."""
    return tlv(0x04, value.encode())


def message(message_id: int, operation: bytes, control: str = "") -> bytes:
    """A message, with a control that may be ignored."""
    controls = tlv(0xA0, tlv(0x30, text(control))) if control else b""
    return tlv(0x30, number(message_id), operation, controls)


def bind(dn: str, password: bytes) -> bytes:
    """A simple bind."""
    return tlv(0x60, number(3), text(dn), tlv(0x80, password))


def start_tls() -> bytes:
    """The wish to go on in TLS."""
    return tlv(0x77, tlv(0x80, START_TLS))


def search(base: str, scope: int, size_limit: int, time_limit: int, where: bytes, attributes: Iterable[str]) -> bytes:
    """A search; aliases are not followed."""
    limits = number(size_limit) + number(time_limit)
    asked = tlv(0x30, *map(text, attributes))
    return tlv(0x63, text(base), number(scope, 0x0A), number(0, 0x0A), limits, tlv(0x01, b"\x00"), where, asked)


def compare(tag: int, attribute: str, value: bytes) -> bytes:
    """A part of a filter: an attribute, and a value to compare it with."""
    return tlv(tag, text(attribute), tlv(0x04, value))


def substrings(attribute: str, parts: Iterable[tuple[int, bytes]]) -> bytes:
    """A part of a filter: a text with gaps."""
    return tlv(0xA4, text(attribute), tlv(0x30, *(tlv(0x80 | kind, value) for kind, value in parts)))


def extensible(rule: str, attribute: str, value: bytes, *, of_dn: bool) -> bytes:
    """A part of a filter: a value to compare by a rule of the server."""
    named = (tlv(0x81, rule.encode()) if rule else b"") + (tlv(0x82, attribute.encode()) if attribute else b"")
    return tlv(0xA9, named, tlv(0x83, value), tlv(0x84, b"\xff") if of_dn else b"")
