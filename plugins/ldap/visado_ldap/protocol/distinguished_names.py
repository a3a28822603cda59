"""Comparison of DNs: one spelling for each DN, whatever its case, spaces and escapes (RFC 4514).

ldap3's own parser rejects DNs that servers send, such as `cn=a=b`.
"""

from __future__ import annotations

import re
from typing import Final

from visado_ldap.errors import InvalidValue

_MAX_QUOTED_CHARACTERS: Final = 100
_RDN_PART: Final = re.compile(
    r"\s*(?P<name>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)\s*=\s*(?P<value>(?:[^\\,+;\"<>\0]|\\.)+)", re.DOTALL
)
_ESCAPED: Final = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.)", re.DOTALL)


def canonical_dn(dn: str) -> str:
    """Return the one spelling that all spellings of a DN share. Raises `InvalidValue` unless it is a DN."""
    spelling, position = "", 0
    while True:
        part = _RDN_PART.match(dn, position)
        if part is None:
            raise InvalidValue(f"not a DN: {dn[:_MAX_QUOTED_CHARACTERS]!r}")
        spelling += f"{part['name'].lower()}={_unescape_value(part['value'])!r}"
        position = part.end()
        if position == len(dn):
            return spelling
        if dn[position] not in ",;+":
            raise InvalidValue(f"not a DN: {dn[:_MAX_QUOTED_CHARACTERS]!r}")
        spelling += "+" if dn[position] == "+" else ","
        position += 1


def is_below(dn: str, base: str) -> bool:
    """Return whether a DN is `base` or below it; an empty base has everything below it. Raises `InvalidValue`."""
    return not base or f",{canonical_dn(dn)}".endswith(f",{canonical_dn(base)}")


def _unescape_value(value: str) -> str:
    """Return a value without escapes, without spaces at its end, and in one case."""
    stripped = value.rstrip()
    if stripped.endswith("\\") and value != stripped:  # the last space is escaped
        stripped += value[len(stripped)]
    return _ESCAPED.sub(_unescape, stripped).casefold()


def _unescape(match: re.Match[str]) -> str:
    if match[2] is not None:
        return match[2]
    return bytes.fromhex(match[1].replace("\\", "")).decode(errors="replace")
