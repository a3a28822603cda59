"""Wildcards and regular expressions, compiled and searched for within limits of length and time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import regex

from visado import errors

if TYPE_CHECKING:
    Pattern: TypeAlias = regex.Pattern[str]

MAX_PATTERN_LENGTH: Final = 1000
MAX_REPEATS: Final = 50_000
"""The largest product of a pattern's counts: `regex` writes out each repetition, so more would fill the memory."""

DOCUMENT_SECONDS: Final = 0.025
"""How long a pattern may search one text."""
SEARCH_SECONDS: Final = 1.0
"""How long all patterns of one search may take together."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_DIGITS: Final = re.compile(r"[0-9]+")
_WILDCARD_PARTS: Final = re.compile(r"\\.|.", re.DOTALL)
_FLAGS: Final = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "g": 0, "u": 0, "y": 0}


@dataclass(slots=True)
class TimeBudget:
    """The time that is left to the patterns of one search, in seconds."""

    seconds: float = SEARCH_SECONDS

    def search(self, pattern: Pattern) -> Callable[[str], bool]:
        """Return a function that searches a text for a pattern, and raises `SearchRefused` once that takes too long."""

        def search(text: str) -> bool:
            start = time.perf_counter()
            try:
                # `concurrent` would release the interpreter: taking it back costs more than most searches.
                found = pattern.search(text, timeout=DOCUMENT_SECONDS, concurrent=False) is not None
            except (TimeoutError, MemoryError):
                raise errors.SearchRefused(cause="the regular expression takes too long") from None
            self.seconds -= time.perf_counter() - start
            if self.seconds < 0:
                raise errors.SearchRefused(cause="the regular expression takes too long")
            return found

        return search


def regexp(pattern: str, flags: str = "") -> Pattern:
    """Compile a regular expression with JavaScript's flags. Raises `SearchRefused`."""
    _check_length(pattern)
    _check_counts(pattern)
    bits = 0
    for flag in flags:
        if flag not in _FLAGS:
            raise errors.SearchRefused(cause=f"invalid regular expression flag [{flag}]")
        bits |= _FLAGS[flag]
    try:
        return regex.compile(pattern, bits, cache_pattern=False)
    except (regex.error, ValueError, LookupError, ArithmeticError, MemoryError, RecursionError) as error:
        raise errors.SearchRefused(cause=f"invalid regular expression: {error}") from None


def wildcard(pattern: str) -> Pattern:
    """Compile a pattern of `*` and `?`, which a backslash escapes. Raises `SearchRefused`.

    The text between two stars is matched at its first occurrence and never again (an atomic group), so that the time
    does not grow exponentially.
    """
    _check_length(pattern)
    first, *runs = _runs(pattern)
    if not runs:
        return _whole(first)
    *middle, last = runs
    return _whole(first + "".join(rf"(?>.*?{run})" for run in middle if run) + ".*" + last)


def _runs(pattern: str) -> list[str]:
    runs = [""]
    for part in _WILDCARD_PARTS.findall(pattern):
        if part == "*":
            runs.append("")
        else:
            runs[-1] += "." if part == "?" else regex.escape(part[-1])
    return runs


def _whole(expression: str) -> Pattern:
    return regex.compile(rf"\A{expression}\Z", regex.DOTALL, cache_pattern=False)


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise errors.SearchRefused(cause=f"the pattern is longer than {MAX_PATTERN_LENGTH} characters")


def _check_counts(pattern: str) -> None:
    counts = [number for braces in _BRACES.findall(pattern) for number in _DIGITS.findall(braces)]
    # The length is checked first: converting a long number costs time.
    if any(len(count) > len(str(MAX_REPEATS)) for count in counts) or (
        math.prod(max(1, int(count)) for count in counts) > MAX_REPEATS
    ):
        raise errors.SearchRefused(cause="the repeat counts of the pattern are too large")
