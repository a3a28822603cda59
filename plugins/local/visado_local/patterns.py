"""The patterns of password policies: compiled at start, and matched within a time limit."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import regex

if TYPE_CHECKING:
    Pattern: TypeAlias = regex.Pattern[str]

_SECONDS: Final = 0.1
_WITH_FLAGS: Final = re.compile(r"/(?P<pattern>.*)/(?P<flags>[A-Za-z]*)", re.DOTALL)
_FLAGS: Final = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "g": 0, "u": 0, "y": 0}


@lru_cache(maxsize=64)
def compile_pattern(text: str) -> Pattern:
    """Compile a plain pattern, or `/pattern/flags` with JavaScript's flags. Raises `ValueError`."""
    found = _WITH_FLAGS.fullmatch(text)
    pattern, flags = (found["pattern"], found["flags"]) if found else (text, "")
    unknown = next((flag for flag in flags if flag not in _FLAGS), None)
    if unknown is not None:
        raise ValueError(f"not a flag of regular expressions: {unknown}")
    bits = 0
    for flag in flags:
        bits |= _FLAGS[flag]
    try:
        return regex.compile(pattern, bits)
    except (regex.error, LookupError, ArithmeticError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


async def matches(text: str, password: str) -> bool:
    """Whether the password matches; where it takes too long to say, it does not."""
    pattern = compile_pattern(text)
    try:
        # In a thread, and without the interpreter's lock: a bad pattern must not stop the event loop.
        found = await asyncio.to_thread(pattern.search, password, timeout=_SECONDS, concurrent=True)
    except (TimeoutError, MemoryError):
        return False
    return found is not None
