"""Durations: text such as `1h` or `6 days`, as milliseconds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

_TIMESPAN: Final = re.compile(
    r"(?P<number>-?(?:\d+)?\.?\d+) *(?P<unit>milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|"
    r"hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?",
    re.IGNORECASE | re.ASCII,
)
_UNITS: Final = {
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_557_600_000,
}
_LONGEST: Final = 100


def timespan(text: str) -> float | None:
    """Read `6d`, `10h`, `1 week` and all that npm's `ms` reads, as milliseconds; None where it reads nothing."""
    found = _TIMESPAN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    unit = (found["unit"] or "ms").lower()
    return float(found["number"]) * (1 if unit.startswith(("ms", "mil")) else _UNITS[unit[0]])


def _milliseconds(value: Any) -> Any:
    """Read `1h` and the like; numbers are milliseconds, -1 is for ever."""
    if not isinstance(value, str):
        return value
    span = timespan(value)
    if span is None:
        raise ValueError('a number of milliseconds, or a text such as "1h" or "6 days"')
    return int(span)


def _lasts(value: int) -> int:
    if not (value == -1 or value >= 1):
        raise ValueError("a lifetime, or -1 for ever")
    return value


Milliseconds = Annotated[int, BeforeValidator(_milliseconds)]
Lasting = Annotated[Milliseconds, AfterValidator(_lasts)]
