"""Comparing DNs: one spelling for each, whatever its case, spaces and escapes (RFC 4514).

ldap3's own parser refuses DNs that servers send, such as `cn=a=b`.
"""

from __future__ import annotations

import re
from typing import Final

from visado_ldap.errors import Invalid

_RDN_PART: Final = re.compile(
    r"\s*(?P<name>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)\s*=\s*(?P<value>(?:[^\\,+;\"<>\0]|\\.)+)", re.DOTALL
)
_ESCAPED: Final = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.)", re.DOTALL)


def canonical(dn: str) -> str:
    """Spell a DN in one way. Raises `Invalid` where it is none."""
    found, place = "", 0
    while True:
        part = _RDN_PART.match(dn, place)
        if part is None:
            raise Invalid(f"no DN: {dn[:100]!r}")
        found += f"{part['name'].lower()}={_plain(part['value'])!r}"
        place = part.end()
        if place == len(dn):
            return found
        if dn[place] not in ",;+":
            raise Invalid(f"no DN: {dn[:100]!r}")
        found += "+" if dn[place] == "+" else ","
        place += 1


def is_below(dn: str, base: str) -> bool:
    """Whether a DN is that of a base, or below it. Raises `Invalid`."""
    return not base or f",{canonical(dn)}".endswith(f",{canonical(base)}")


def _plain(value: str) -> str:
    """Take the escapes out of a value, and what is not of it: spaces around it and its case."""
    kept = value.rstrip()
    if kept.endswith("\\") and value != kept:  # the last space is escaped
        kept += value[len(kept)]
    return _ESCAPED.sub(_unescaped, kept).casefold()


def _unescaped(found: re.Match[str]) -> str:
    if found[2] is not None:
        return found[2]
    return bytes.fromhex(found[1].replace("\\", "")).decode(errors="replace")
