"""The regular expressions of password policies: compiled at start, and searched within a time limit."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import regex

if TYPE_CHECKING:
    CompiledPattern: TypeAlias = regex.Pattern[str]

SEARCH_TIMEOUT_SECONDS: Final = 0.1
_WITH_FLAGS: Final = re.compile(r"/(?P<pattern>.*)/(?P<flags>[A-Za-z]*)", re.DOTALL)
_FLAGS: Final = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "g": 0, "u": 0, "y": 0}


@lru_cache(maxsize=64)
def compile_pattern(text: str) -> CompiledPattern:
    """Compile a pattern, or `/pattern/flags` with the flags of JavaScript. Raises `ValueError`."""
    match = _WITH_FLAGS.fullmatch(text)
    pattern, flags = (match["pattern"], match["flags"]) if match else (text, "")
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


async def matches_pattern(text: str, password: str) -> bool:
    """Return whether a pattern is found in a password; False if the search exceeds its time limit."""
    pattern = compile_pattern(text)
    try:
        # In a thread, and without the interpreter's lock: a slow pattern must not block the event loop.
        match = await asyncio.to_thread(pattern.search, password, timeout=SEARCH_TIMEOUT_SECONDS, concurrent=True)
    except (TimeoutError, MemoryError):
        return False
    return match is not None
