"""Durations in settings and in arguments: a number, or a text such as `1h` or `6 days`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

_DURATION: Final = re.compile(
    r"(?P<number>-?(?:\d+)?\.?\d+) *(?P<unit>milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|"
    r"hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?",
    re.IGNORECASE | re.ASCII,
)
_UNIT_MILLISECONDS: Final = {
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_557_600_000,
}
_MAX_TEXT_CHARACTERS: Final = 100
_MAX_MILLISECONDS: Final = 2**53
FOREVER: Final = -1
"""The lifetime of what never expires."""


def parse_duration(text: str) -> float | None:
    """Return the milliseconds of a text such as `6d`, `10h` or `1 week`, or None for a text that is no duration.

    A text without a unit is a number of milliseconds. The syntax is that of npm's package `ms`.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _MAX_TEXT_CHARACTERS else None
    if match is None:
        return None
    unit = (match["unit"] or "ms").lower()
    return float(match["number"]) * (1 if unit.startswith(("ms", "mil")) else _UNIT_MILLISECONDS[unit[0]])


def parse_lifetime(value: object) -> int | None:
    """Return a lifetime in ms, or `FOREVER`, from a number or a text; None for a value that is no lifetime.

    A lifetime is 1 ms or longer; a fraction of a millisecond is cut off.
    """
    span = parse_duration(value) if isinstance(value, str) else value
    if isinstance(span, bool) or not isinstance(span, (int, float)):
        return None
    return int(span) if span == FOREVER or 1 <= span < _MAX_MILLISECONDS else None


def _to_milliseconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    span = parse_duration(value)
    if span is None:
        raise ValueError('expected a number of milliseconds, or a text such as "1h" or "6 days"')
    return int(span)


def _to_seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    span = parse_duration(value) if any(char.isalpha() for char in value) else None
    if span is None:
        raise ValueError('expected a number of seconds, or a text such as "500ms" or "5 min"')
    return span / 1_000


def _check_lifetime(value: int) -> int:
    if value != FOREVER and value < 1:
        raise ValueError("expected 1 millisecond or more, or -1 for ever")
    return value


Milliseconds = Annotated[int, BeforeValidator(_to_milliseconds)]
"""A setting that is a duration in milliseconds: a number, or a text with a unit."""
Seconds = Annotated[float, BeforeValidator(_to_seconds)]
"""A setting that is a duration in seconds: a number, or a text with a unit."""
Lifetime = Annotated[Milliseconds, AfterValidator(_check_lifetime)]
"""A setting that is a lifetime in milliseconds; -1 is for ever."""
