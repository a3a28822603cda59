"""Attributes whose values a server returns in parts, as Active Directory does: `member;range=0-1499`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from visado_ldap.protocol.entries import Entry

_MAX_RANGES: Final = 1_000
_RANGED: Final = re.compile(r"(?P<name>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)", re.IGNORECASE)


def complete_entry(entry: Entry, read_attribute: Callable[[str], Entry | None]) -> Entry:
    """Return the entry with all values of its ranged attributes, at most 1,000 ranges of each.

    `read_attribute` reads the entry again, with one attribute.
    """
    values = {name: list(held) for name, held in entry.values.items()}
    for name in entry.values:
        ranged = _RANGED.fullmatch(name)
        if ranged is None:
            continue
        plain, held = ranged["name"], values.pop(name)
        for _ in range(_MAX_RANGES):
            if ranged is None or ranged["last"] == "*":
                break
            following = read_attribute(f"{plain};range={int(ranged['last']) + 1}-*")
            ranged, more = _first_range(following)
            held += more
        values[plain] = [*values.get(plain, []), *held]
    return Entry(entry.dn, values)


def _first_range(entry: Entry | None) -> tuple[re.Match[str] | None, list[bytes]]:
    for name, held in entry.values.items() if entry is not None else ():
        ranged = _RANGED.fullmatch(name)
        if ranged is not None:
            return ranged, held
    return None, []
