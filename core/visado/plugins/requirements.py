"""Which versions of visado a plugin's package asks for (PEP 508, as far as version numbers go)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_REQUIREMENT: Final = re.compile(r"visado(?![\w.-])\s*(?:\[[^]]*\])?\s*\(?([^;)]*)\)?")
_BOUND: Final = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?")
_PARTS: Final = 6


def unmet(requires: Iterable[str], present: str) -> str | None:
    """Return what a package's `Requires-Dist` asks of visado where this version does not meet it, or None.

    A requirement under a condition (an extra, a platform) is passed over.
    """
    for requirement in requires:
        found = _REQUIREMENT.fullmatch(requirement.strip())
        if found and not all(_holds(_numbers(present), *bound) for bound in _BOUND.findall(found[1])):
            return found[1].strip()
    return None


def _holds(present: tuple[int, ...], how: str, bound: str, star: str) -> bool:
    other, parts = _numbers(bound), bound.count(".") + 1
    if star or how == "~=":
        kept = parts if star else parts - 1
        same = present[:kept] == other[:kept]
        return {"~=": same and present >= other, "==": same, "!=": not same}.get(how, False)
    return {
        ">=": present >= other,
        "<=": present <= other,
        ">": present > other,
        "<": present < other,
        "==": present == other,
        "!=": present != other,
    }[how]


def _numbers(text: str) -> tuple[int, ...]:
    """Read a version's numbers, as many for each: 1.0 is 1."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    return tuple([*numbers, *([0] * _PARTS)][:_PARTS])
