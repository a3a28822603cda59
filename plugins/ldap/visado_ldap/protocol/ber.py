"""BER encoding of the four requests that visado sends: bind, search, STARTTLS and unbind (RFC 4511).

ldap3 would encode them with pyasn1, which takes longer than the rest of a login, and would change passwords (SASLprep).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

START_TLS_OID: Final = b"1.3.6.1.4.1.1466.20037"
UNBIND: Final = b"\x42\x00"
_LONG_FORM: Final = 0x80
"""Lengths below this value take one byte; others take a byte with this bit, and the bytes of the length."""


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode a tag, the length of the contents, and the contents."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def integer(value: int, tag: int = 0x02) -> bytes:
    """Encode an integer of zero or more."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def text(value: str) -> bytes:
    """Encode a text in UTF-8."""
    return tlv(0x04, value.encode())


def message(message_id: int, operation: bytes, control: str = "") -> bytes:
    """Encode a message. `control` is the OID of a control that the server may ignore."""
    controls = tlv(0xA0, tlv(0x30, text(control))) if control else b""
    return tlv(0x30, integer(message_id), operation, controls)


def bind(dn: str, password: bytes) -> bytes:
    """Encode a simple bind."""
    return tlv(0x60, integer(3), text(dn), tlv(0x80, password))


def start_tls() -> bytes:
    """Encode the request to continue in TLS (STARTTLS)."""
    return tlv(0x77, tlv(0x80, START_TLS_OID))


def search(
    base: str, scope: int, size_limit: int, time_limit: int, filter_bytes: bytes, attributes: Iterable[str]
) -> bytes:
    """Encode a search that does not follow aliases. `time_limit` is in seconds; a limit of 0 means none."""
    limits = integer(size_limit) + integer(time_limit)
    names = tlv(0x30, *map(text, attributes))
    never_dereference, types_only = integer(0, 0x0A), tlv(0x01, b"\x00")
    return tlv(0x63, text(base), integer(scope, 0x0A), never_dereference, limits, types_only, filter_bytes, names)


def compare(tag: int, attribute: str, value: bytes) -> bytes:
    """Encode a part of a filter that compares an attribute with a value. `tag` is the comparison."""
    return tlv(tag, text(attribute), tlv(0x04, value))


def substrings(attribute: str, parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Encode a part of a filter with wildcards. A part is `(0: initial, 1: any, 2: final; bytes)`."""
    return tlv(0xA4, text(attribute), tlv(0x30, *(tlv(0x80 | place, value) for place, value in parts)))


def extensible(rule: str, attribute: str, value: bytes, *, dn_attributes: bool) -> bytes:
    """Encode a part of a filter that names a matching rule of the server."""
    named = (tlv(0x81, rule.encode()) if rule else b"") + (tlv(0x82, attribute.encode()) if attribute else b"")
    return tlv(0xA9, named, tlv(0x83, value), tlv(0x84, b"\xff") if dn_attributes else b"")
