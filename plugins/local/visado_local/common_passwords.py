"""Common passwords and variations of them, which the strict preset refuses."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

_FILE: Final = "common-passwords.txt.gz"  # its sources are in NOTICE
MIN_PART_LENGTH: Final = 4
"""Characters of each of two joined passwords, at least; a repeated pattern of this length or less is common too."""
MIN_WORD_LENGTH: Final = 3
"""Characters of a word that is searched for in a password."""
MIN_REST_LENGTH: Final = 8
"""Characters that a password must have beside a word."""


@cache
def common_passwords() -> frozenset[str]:
    """Return the most common passwords, in lower case."""
    packed = files("visado_local").joinpath(_FILE).read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n"))


def is_common(password: str, words: Iterable[str] = ()) -> bool:
    """Return whether a password is easy to guess, in upper or lower case.

    These are: a common password, a common one repeated, two common ones joined, a short pattern repeated, and one of
    `words` (the user's name, the product's name) with few other characters.
    """
    text = password.casefold()
    names = {word.casefold() for word in words if word}

    def is_known(part: str) -> bool:
        return part in names or part in common_passwords()

    pattern = _repeated_pattern(text)
    if is_known(text) or is_known(pattern) or len(pattern) <= MIN_PART_LENGTH < len(text):
        return True
    cuts = range(MIN_PART_LENGTH, len(text) - MIN_PART_LENGTH + 1)
    if any(is_known(text[:cut]) and is_known(text[cut:]) for cut in cuts):
        return True
    return any(
        len(text.replace(word, "")) < min(MIN_REST_LENGTH, len(text)) for word in names if len(word) >= MIN_WORD_LENGTH
    )


def _repeated_pattern(text: str) -> str:
    """Return the shortest start of a text that makes the text by repetition; the last repetition may be cut."""
    for size in range(1, len(text) // 2 + 1):
        if text.startswith(text[size:]) and text[size:]:
            return text[:size]
    return text
