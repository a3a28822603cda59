"""Values that clients should not send."""

from __future__ import annotations

from typing import Any, Final

UNKNOWN_USER_ID: Final = "kuid-of-nobody-0"
"""The id of a user who does not exist."""


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


_NUMBERS: Final = (0, -1, 42, 1.5, float("nan"), float("inf"), 10**5_000)
_TEXTS: Final = ("", " ", "\0", "\r\nSet-Cookie: a=b", "\x1b[2J", "\ud800", "\udfff\ud800", "a" * 100_000)
_INJECTIONS: Final = (
    "*",
    "*)(uid=*))(|(uid=*",
    "' OR '1'='1",
    "../../etc/passwd",
    "{{username}}",
    "%00",
    "\uff0d\uff11",
)
_LISTS: Final[tuple[Any, ...]] = ([], [None], ["a", "b"], _nested(500))
_OBJECTS: Final[tuple[Any, ...]] = ({}, {"a": 1}, {"$ne": None}, {"username": {"username": "a"}})
HOSTILE_VALUES: Final[tuple[Any, ...]] = (None, True, False, *_NUMBERS, *_TEXTS, *_INJECTIONS, *_LISTS, *_OBJECTS)
"""Values to send where a plugin expects a text: other types, control characters, injections, lone surrogates."""
